"""Initial weights, each with its paper.

A weight of shape (O, C, KH, KW) or (E, D) has fan-in ``C · KH · KW`` (or D): the number of
values that are added up in one output; fan-out counts the other way.
"""

import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.tensor import Tensor

T = TypeVar("T", bound=Tensor)
Array = npt.NDArray[Any]
Generator = np.random.Generator | None


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan-in, fan-out) of a weight.

    Examples
    --------
    >>> fans((16, 6, 5, 5))
    (150, 400)
    """
    if len(shape) < 2:
        raise ShapeError(f"init: a weight has at least two axes (out, in, ...); got {shape}")
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def uniform_(tensor: T, low: float | Array, high: float | Array, generator: Generator = None) -> T:
    """Fill with numbers drawn evenly between `low` and `high`, each with its own if arrays."""
    drawn = (generator or default_generator()).uniform(low, high, tensor.shape)
    with no_grad():
        tensor[...] = drawn
    return tensor


def normal_(tensor: T, mean: float, std: float, generator: Generator = None) -> T:
    """Fill with normally distributed numbers."""
    drawn = (generator or default_generator()).normal(mean, std, tensor.shape)
    with no_grad():
        tensor[...] = drawn
    return tensor


def zeros_(tensor: T) -> T:
    """Fill with zeros."""
    with no_grad():
        tensor[...] = 0.0
    return tensor


def lecun_uniform_(tensor: T, fan_in: int | Array | None = None, generator: Generator = None) -> T:
    """Fill with U(-2.4 / fan-in, 2.4 / fan-in).

    Parameters
    ----------
    tensor : Tensor
        Weight or bias.
    fan_in : int or ndarray that broadcasts to the tensor, optional
        For a tensor whose shape does not tell: a bias, or a layer with missing connections.
        By default the fan-in of the shape.
    generator : numpy.random.Generator, optional

    Raises
    ------
    OptionError
        If a fan-in is below 1.
    ShapeError
        If the shape is asked for a fan-in that it does not have.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition",
       Proc. IEEE 86(11), 1998, appendix A.
    """
    counts = np.asarray(fans(tensor.shape)[0] if fan_in is None else fan_in)
    if (counts < 1).any():
        raise OptionError(f"init: a fan-in is at least 1; got {counts.min()}")
    bound = 2.4 / counts
    return uniform_(tensor, -bound, bound, generator)


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Fill with U(-a, a), ``a = gain √(6 / (fan-in + fan-out))``.

    For the logistic sigmoid the gain is 4, since its slope at 0 is a quarter.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010, equation 16.
    """
    bound = gain * math.sqrt(6.0 / sum(fans(tensor.shape)))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: T, generator: Generator = None) -> T:
    """Fill with N(0, 2 / fan-in), made for rectifiers.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015,
       equation 10.
    """
    return normal_(tensor, 0.0, math.sqrt(2.0 / fans(tensor.shape)[0]), generator)


def fan_in_uniform_(tensor: T | None, fan_in: Any) -> None:
    """Fill with U(-1/√fan-in, 1/√fan-in), as PyTorch's layers start; None stays None.

    Parameters
    ----------
    tensor : Tensor or None
        Weight or bias.
    fan_in : int or ndarray that broadcasts to the tensor
    """
    if tensor is not None:
        bound = 1.0 / np.sqrt(fan_in)
        uniform_(tensor, -bound, bound)
