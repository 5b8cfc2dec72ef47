"""Initial weights, each with its paper.

A weight of shape (O, C, KH, KW) or (E, D) has fan-in ``C · KH · KW`` (or D): the number of
values that are added up in one output; fan-out counts the other way.
"""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.elements.requirements import finite_number
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


def _fill(tensor: T, draw: Callable[[], Any]) -> T:
    """Fill with what a call draws, or leave a tensor without memory as it is."""
    if tensor.device == "shapes":  # there is nothing to fill
        return tensor
    drawn = draw()
    with no_grad():
        tensor[...] = drawn
    return tensor


def uniform_(
    tensor: T, a: float | Array = 0.0, b: float | Array = 1.0, generator: Generator = None
) -> T:
    """Fill with numbers drawn evenly between a and b, each with its own if these are arrays.

    Raises
    ------
    OptionError
        If a is above b.
    """
    if np.any(np.asarray(a) > b):
        raise OptionError(f"uniform_: a is at most b; got {a} and {b}")
    return _fill(tensor, lambda: (generator or default_generator()).uniform(a, b, tensor.shape))


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> T:
    """Fill with normally distributed numbers.

    Raises
    ------
    OptionError
        If the deviation is negative.
    """
    std = finite_number("normal_", "std", std, 0.0)
    return _fill(tensor, lambda: (generator or default_generator()).normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: T,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator = None,
) -> T:
    """Fill with normally distributed numbers; those outside a..b are drawn again.

    Raises
    ------
    OptionError
        If so little of the distribution lies between a and b that drawing again has no end.
    """
    if not (a < b and a <= mean + 4 * std and b >= mean - 4 * std and b - a > std / 100):
        raise OptionError(
            "trunc_normal_: a..b holds a good part of the distribution; got "
            f"{a}..{b} for mean {mean} and deviation {std}"
        )

    def draw() -> Array:
        source = generator or default_generator()
        drawn = source.normal(mean, std, tensor.shape)
        while (outside := (drawn < a) | (drawn > b)).any():
            drawn[outside] = source.normal(mean, std, int(outside.sum()))
        return drawn

    return _fill(tensor, draw)


def constant_(tensor: T, val: float) -> T:
    """Fill with one number."""
    return _fill(tensor, lambda: val)


def zeros_(tensor: T) -> T:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: T) -> T:
    """Fill with ones."""
    return constant_(tensor, 1.0)


# -- LeCun ---------------------------------------------------------------------------


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


def lecun_normal_(tensor: T, generator: Generator = None) -> T:
    """Fill with N(0, 1 / fan-in): outputs as large as inputs, as long as units are linear.

    Parameters
    ----------
    tensor : Tensor, two axes or more
        Weight.
    generator : numpy.random.Generator, optional

    Raises
    ------
    ShapeError
        If the tensor has fewer than two axes.
    OptionError
        If the fan-in is 0.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", in Neural Networks:
       Tricks of the Trade, Springer 1998, equation 16.
    """
    return normal_(tensor, 0.0, math.sqrt(1.0 / _fan(tensor, "fan_in")), generator)


# -- Xavier and Kaiming --------------------------------------------------------------


_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv_transpose2d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which weights grow to make up for what an activation takes away.

    Parameters
    ----------
    nonlinearity : str
        "linear", "conv1d", "conv2d", "conv_transpose2d", "sigmoid", "tanh", "relu" or
        "leaky_relu".
    param : float, optional
        The slope of a leaky ReLU below 0; 0.01 by default.

    Returns
    -------
    float
        1, or 5/3 for tanh, √2 for ReLU, ``√(2 / (1 + slope²))`` for leaky ReLU.

    Raises
    ------
    OptionError
        If the activation has no known gain, or the slope is no number.

    Notes
    -----
    The values are PyTorch's. For the logistic sigmoid 1 is a habit; see `xavier_uniform_`.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015,
       equations 10 and 15.

    Examples
    --------
    >>> calculate_gain("relu") ** 2
    2.0000000000000004
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if not isinstance(slope, Real) or isinstance(slope, bool):
            raise OptionError(f"calculate_gain: the slope is a number; got {slope!r}")
        return math.sqrt(2.0 / (1.0 + float(slope) ** 2))
    if nonlinearity not in _GAINS:
        raise OptionError(
            f"calculate_gain: nonlinearity is one of {', '.join([*_GAINS, 'leaky_relu'])}; "
            f"got {nonlinearity!r}"
        )
    return _GAINS[nonlinearity]


def _fan(tensor: Tensor, mode: str) -> int:
    """Return how many values an output adds up, or how many outputs an input reaches."""
    modes = ("fan_in", "fan_out")
    if mode not in modes:
        raise OptionError(f"init: mode is one of {', '.join(modes)}; got {mode!r}")
    fan = fans(tensor.shape)[modes.index(mode)]
    if fan < 1:
        raise OptionError(f"init: a fan is at least 1; got shape {tensor.shape}")
    return fan


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Fill with U(-a, a), ``a = gain √(6 / (fan-in + fan-out))``.

    For the logistic sigmoid the gain is 4, since its slope at 0 is a quarter.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010, equation 16.
    """
    gain = finite_number("xavier_uniform_", "gain", gain)
    bound = gain * math.sqrt(6.0 / (_fan(tensor, "fan_in") + _fan(tensor, "fan_out")))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Fill with N(0, s²), ``s = gain √(2 / (fan-in + fan-out))``.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010, equation 12.
    """
    gain = finite_number("xavier_normal_", "gain", gain)
    std = gain * math.sqrt(2.0 / (_fan(tensor, "fan_in") + _fan(tensor, "fan_out")))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> T:
    """Fill with U(-b, b), ``b = gain √(3 / fan)``; options as for `kaiming_normal_`.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015,
       equations 10 and 15: this is the uniform distribution of the same variance.
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> T:
    """Fill with N(0, gain² / fan), made for rectifiers: N(0, 2 / fan-in).

    Parameters
    ----------
    tensor : Tensor, two axes or more
        Weight; of grouped convolutions (O, C / groups, KH, KW).
    a : float
        Slope below 0 of the leaky ReLU that follows; 0 for a ReLU.
    mode : {"fan_in", "fan_out"}
        Whether signals keep their size on the way forward, or error signals on the way back.
    nonlinearity : str
        What follows; see `calculate_gain`.
    generator : numpy.random.Generator, optional

    Raises
    ------
    ShapeError
        If the tensor has fewer than two axes.
    OptionError
        If the mode or the activation is unknown, or the fan is 0.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015,
       equation 10 (forward), 14 (backward), 15 (leaky ReLU).

    Examples
    --------
    >>> import numpy as np, tinygrad_cnn as tg
    >>> weight = tg.nn.Parameter(np.zeros((64, 32, 3, 3), np.float32))
    >>> drawn = kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
    >>> abs(float(drawn.numpy().std()) - (2 / 576) ** 0.5) < 0.002
    True
    """
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


# -- PyTorch's layers ----------------------------------------------------------------


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
