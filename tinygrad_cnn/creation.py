"""Tensors from nothing but a shape: zeros, ones, random numbers, ranges."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.array_input import DEFAULT_DTYPE, as_dtype, as_place, unpacked
from tinygrad_cnn.device import ARRAY_DEVICES
from tinygrad_cnn.elements.requirements import integers
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.tensor import Tensor


def tensor(
    data: npt.ArrayLike,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor:
    """Make a tensor of data, as `Tensor` does.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.tensor([1, 2], dtype=tg.float32, requires_grad=True)
    Tensor([1., 2.], requires_grad=True)
    """
    made = Tensor(data, requires_grad, dtype)
    return made if device is None else made.to(as_place("tensor", device))


def zeros(
    *sizes: Any,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Make a tensor of zeros; on the device "shapes", one with a shape and no memory.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.zeros(2, 3).shape, tg.zeros((2,), dtype=tg.int64).tolist()
    ((2, 3), [0, 0])
    >>> images = tg.zeros(64, 3, 224, 224, device="shapes")
    >>> tg.functional.max_pool2d(images, 2).shape
    (64, 3, 112, 112)
    """
    xp = ARRAY_DEVICES[as_place("zeros", device)].xp
    array = xp.zeros(_shape("zeros", sizes), _dtype("zeros", dtype))
    return Tensor(array, requires_grad)


def ones(
    *sizes: Any,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Make a tensor of ones; on the device "shapes", one with a shape and no memory.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.ones(2).tolist()
    [1.0, 1.0]
    """
    xp = ARRAY_DEVICES[as_place("ones", device)].xp
    array = xp.ones(_shape("ones", sizes), _dtype("ones", dtype))
    return Tensor(array, requires_grad)


def full(
    size: Any,
    fill_value: float,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Make a tensor of one number; a whole number gives int64, a fraction float32.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.full((2,), 0.5).tolist()
    [0.5, 0.5]
    """
    place, shape = as_place("full", device), _shape("full", (size,))
    number = Tensor(fill_value, dtype=None if dtype is None else as_dtype("full", dtype))
    return Tensor(np.full(shape, number.item(), number.dtype), requires_grad).to(place)


def zeros_like(
    x: Tensor, dtype: npt.DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of zeros of another's shape, type and device.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.zeros_like(tg.ones(2)).tolist()
    [0.0, 0.0]
    """
    wanted = x.dtype if dtype is None else dtype
    return zeros(x.shape, dtype=wanted, requires_grad=requires_grad, device=x.device)


def ones_like(x: Tensor, dtype: npt.DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones of another's shape, type and device.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.ones_like(tg.tensor([3, 4])).tolist()
    [1, 1]
    """
    wanted = x.dtype if dtype is None else dtype
    return ones(x.shape, dtype=wanted, requires_grad=requires_grad, device=x.device)


def rand(
    *sizes: Any,
    generator: np.random.Generator | None = None,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Draw a tensor of numbers spread evenly over [0, 1); options as for :func:`randn`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> bool((tg.rand(2, 3) < 1).all())
    True
    """
    place = as_place("rand", device)
    generator = default_generator() if generator is None else generator
    wanted = _dtype("rand", dtype)
    # float32 has values of its own: rounded from float64, one of them would be 1.
    kind = np.float64 if wanted == np.float64 else np.float32
    drawn = generator.random(_shape("rand", sizes), dtype=kind)
    return Tensor(drawn, requires_grad, wanted).to(place)


def randn(
    *sizes: Any,
    generator: np.random.Generator | None = None,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Draw a tensor from the normal distribution of mean 0 and deviation 1.

    Parameters
    ----------
    *sizes : int, or one sequence of int
        Shape.
    generator : numpy.random.Generator, optional
        Where numbers are drawn from; the default generator, see :func:`manual_seed`.
    dtype : dtype, optional
        Element type; float32 by default.
    requires_grad : bool
        Whether error signals are propagated to it.
    device : {"cpu", "shapes"}
        Where it lives.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> _ = tg.manual_seed(1)
    >>> first = tg.randn(2, 3)
    >>> _ = tg.manual_seed(1)
    >>> bool((first == tg.randn((2, 3))).numpy().all())
    True
    """
    place = as_place("randn", device)
    generator = default_generator() if generator is None else generator
    drawn = generator.standard_normal(_shape("randn", sizes))
    return Tensor(drawn, requires_grad, _dtype("randn", dtype)).to(place)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Make a tensor of the numbers from `start` up to, without it, `stop`.

    With one number, they run from 0 up to it. Integers give int64, fractions float32.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.arange(3).tolist(), tg.arange(1, 2, 0.25).tolist()
    ([0, 1, 2], [1.0, 1.25, 1.5, 1.75])
    """
    place = as_place("arange", device)
    first, last = (0, start) if stop is None else (start, stop)
    numbers = (first, last, step)
    try:
        array = np.arange(*numbers)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        array = np.array(None)
    if array.dtype.kind not in "fiu":
        raise OptionError(
            "arange: start, stop and step are finite numbers and step is not 0; got "
            f"{', '.join(map(repr, numbers))}"
        )
    usual = DEFAULT_DTYPE if array.dtype.kind == "f" else array.dtype
    return Tensor(array, requires_grad, _dtype("arange", dtype, usual)).to(place)


def _shape(operation: str, sizes: tuple[Any, ...]) -> Shape:
    shape = integers(operation, "sizes", unpacked(sizes))
    if min(shape, default=0) < 0:
        raise OptionError(f"{operation}: sizes are not negative; got {shape}")
    return shape


def _dtype(
    operation: str, dtype: npt.DTypeLike | None, usual: np.dtype[Any] = DEFAULT_DTYPE
) -> np.dtype[Any]:
    return usual if dtype is None else as_dtype(operation, dtype)
