"""Ways of making and comparing tensors that PyTorch has and this package does another way."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.graph import Recording
from tinygrad_cnn.random import default_generator


class _TensorKind(type):
    """Makes ``isinstance(x, torch.Tensor)`` ask about the tensors of this package."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, tg.Tensor)


class Tensor(metaclass=_TensorKind):
    """Make a float32 tensor of sizes, or of data: ``torch.Tensor(2, 3)``, ``torch.Tensor([2, 3])``.

    With sizes PyTorch leaves the values to chance; here they are zeros.

    Examples
    --------
    >>> Tensor(2, 3).shape, Tensor([2, 3]).tolist()
    ((2, 3), [2.0, 3.0])
    """

    def __new__(cls, *given: Any) -> Any:  # noqa: D102
        if all(isinstance(size, int | np.integer) for size in given):
            return tg.zeros(*given) if given else tg.zeros(0)
        return FloatTensor(*given)


def FloatTensor(data: Any) -> tg.Tensor:  # noqa: N802  # PyTorch's name
    """Make a float32 tensor of data.

    Examples
    --------
    >>> FloatTensor([1, 2])
    Tensor([1., 2.])
    """
    return tg.Tensor(data, dtype=np.float32)


def DoubleTensor(data: Any) -> tg.Tensor:  # noqa: N802  # PyTorch's name
    """Make a float64 tensor of data."""
    return tg.Tensor(data, dtype=np.float64)


def LongTensor(data: Any) -> tg.Tensor:  # noqa: N802  # PyTorch's name
    """Make an int64 tensor of data."""
    return tg.Tensor(data, dtype=np.int64)


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


def randint(low: int, high: Any = None, size: Any = None, **options: Any) -> tg.Tensor:
    """Draw whole numbers from `low`, or 0, to below `high`, in a tensor of a size.

    Examples
    --------
    >>> randint(1, (2, 3)).tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    if size is None:  # torch.randint(high, size)
        low, high, size = 0, low, high
    if not isinstance(size, Sequence) or not low < high:
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
