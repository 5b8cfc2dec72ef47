"""Ways of making and comparing tensors that PyTorch has and this package does another way."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.graph import Recording
from tinygrad_cnn.random import default_generator


class _TensorKind(type):
    """Makes ``isinstance(x, torch.Tensor)`` ask about the tensors of this package."""

    dtype: np.dtype[Any]  # so that NumPy, and x.type(torch.FloatTensor), take the class for a type

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, tg.Tensor) and (cls is Tensor or value.dtype == cls.dtype)


class Tensor(metaclass=_TensorKind):
    """Make a float32 tensor of sizes, or of data: ``torch.Tensor(2, 3)``, ``torch.Tensor([2, 3])``.

    With sizes PyTorch leaves the values to chance; here they are zeros.

    Examples
    --------
    >>> Tensor(2, 3).shape, Tensor([2, 3]).tolist()
    ((2, 3), [2.0, 3.0])
    """

    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)

    def __new__(cls, *given: Any) -> Any:  # noqa: D102
        if all(isinstance(size, int | np.integer) for size in given):
            return tg.zeros(*(given or (0,)), dtype=cls.dtype)
        (data,) = given
        return tg.Tensor(data, dtype=cls.dtype)


class FloatTensor(Tensor):
    """Make a float32 tensor of sizes, or of data.

    Examples
    --------
    >>> FloatTensor([1, 2]), isinstance(LongTensor([1, 2]), FloatTensor)
    (Tensor([1., 2.]), False)
    """


class DoubleTensor(Tensor):
    """Make a float64 tensor of sizes, or of data."""

    dtype = np.dtype(np.float64)


class LongTensor(Tensor):
    """Make an int64 tensor of sizes, or of data."""

    dtype = np.dtype(np.int64)


class IntTensor(Tensor):
    """Make an int32 tensor of sizes, or of data."""

    dtype = np.dtype(np.int32)


class ByteTensor(Tensor):
    """Make a tensor of bytes of sizes, or of data."""

    dtype = np.dtype(np.uint8)


class BoolTensor(Tensor):
    """Make a tensor of truth values of sizes, or of data."""

    dtype = np.dtype(np.bool_)


def variable(data: tg.Tensor, requires_grad: bool = False) -> tg.Tensor:
    """Return a tensor as it is, or one that requires a gradient: PyTorch's old ``Variable``."""
    return data.detach().requires_grad_() if requires_grad else data


def is_tensor(value: Any) -> bool:
    """Tell whether something is a tensor."""
    return isinstance(value, tg.Tensor)


def equal(a: tg.Tensor, b: tg.Tensor) -> bool:
    """Tell whether two tensors have one shape and the same values."""
    return np.array_equal(a.numpy(), b.numpy())


def allclose(a: tg.Tensor, b: tg.Tensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Tell whether values differ by at most ``atol + rtol |b|``."""
    return bool(np.allclose(a.numpy(), b.numpy(), rtol, atol))


def eye(n: int, m: int | None = None, **options: Any) -> tg.Tensor:
    """Make a matrix with ones on its diagonal.

    Examples
    --------
    >>> eye(2)
    Tensor([[1., 0.],
            [0., 1.]])
    """
    return tg.tensor(np.eye(n, m, dtype=np.float32), **options)


def linspace(start: float, end: float, steps: int, **options: Any) -> tg.Tensor:
    """Make a tensor of `steps` numbers, equally far apart, from `start` to `end`.

    Examples
    --------
    >>> linspace(0, 1, 3)
    Tensor([0. , 0.5, 1. ])
    """
    return tg.tensor(np.linspace(start, end, steps, dtype=np.float32), **options)


def rand_like(x: tg.Tensor, **options: Any) -> tg.Tensor:
    """Draw numbers spread evenly over [0, 1), in the shape of a tensor."""
    return tg.rand(x.shape, **{"dtype": x.dtype, **options})


def randn_like(x: tg.Tensor, **options: Any) -> tg.Tensor:
    """Draw normal numbers, in the shape of a tensor."""
    return tg.randn(x.shape, **{"dtype": x.dtype, **options})


def randint(low: Any = None, high: Any = None, size: Any = None, **options: Any) -> tg.Tensor:
    """Draw whole numbers from `low`, or 0, to below `high`, in a tensor of a size.

    Examples
    --------
    >>> randint(1, (2, 3)).tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    if size is None:  # torch.randint(high, size)
        low, high, size = 0, low, high
    elif low is None or high is None:  # torch.randint(high, size=size)
        low, high = 0, high if low is None else low
    whole = all(isinstance(bound, int | np.integer) for bound in (low, high))
    if not isinstance(size, Sequence) or not whole or not low < high:
        raise OptionError(
            "randint: low lies below high, and size is a tuple; got "
            f"low {low}, high {high} and size {size!r}"
        )
    generator = options.pop("generator", None) or default_generator()
    return tg.tensor(generator.integers(low, high, size), **options)


def randperm(n: int, *, generator: np.random.Generator | None = None) -> tg.Tensor:
    """Draw an order of the numbers from 0 to n - 1.

    Examples
    --------
    >>> sorted(randperm(4).tolist())
    [0, 1, 2, 3]
    """
    return tg.Tensor((generator or default_generator()).permutation(n))


class Generator:
    """Where random numbers come from, once it is given a seed.

    Examples
    --------
    >>> first, second = (Generator().manual_seed(3) for _ in range(2))
    >>> first.random() == second.random()
    True
    """

    def manual_seed(self, seed: int) -> np.random.Generator:
        """Return a generator of NumPy, which ``generator=`` takes everywhere."""
        return np.random.default_rng(seed)


def set_grad_enabled(mode: bool) -> Recording:
    """Record inside a ``with`` block, or record nothing; outside of one it does nothing.

    Examples
    --------
    >>> with set_grad_enabled(False):
    ...     tg.is_grad_enabled()
    False
    """
    return tg.enable_grad() if mode else tg.no_grad()
