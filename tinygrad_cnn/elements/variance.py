"""Variance and standard deviation along axes: compositions of other elements."""

import math
from typing import Any

from tinygrad_cnn.elements.arithmetic import divide, multiply, subtract
from tinygrad_cnn.elements.powers import sqrt
from tinygrad_cnn.elements.reduce import mean, sum
from tinygrad_cnn.elements.requirements import (
    Axes,
    any_float_type,
    normalise_axes,
    require_variables,
)
from tinygrad_cnn.errors import OptionError


def var(
    x: Any,
    dim: Axes = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Any:
    """Average the squared distances from the mean along axes: ``y = Σ (x - mean(x))² / (m - 1)``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to average along; all by default.
    unbiased : bool
        Divide by m - 1, which makes the mean of many samples' variances right; else by m.
    keepdim : bool
        Keep those axes, with size one.
    correction : float, optional
        What is taken from m instead of 1 or 0.

    Returns
    -------
    Tensor, shape of x without the axes `dim`
        NaN where the divisor is 0.

    Raises
    ------
    ShapeError
        If an axis does not exist or is named twice.
    DTypeError
        If x is no Tensor, or not of a floating-point type.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x) = 2 δ(y) ∘ (x - mean(x)) / (m - 1)``.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.var(tg.Tensor([1.0, 2.0, 3.0])).item()
    1.0
    """
    require_variables("var", x)
    any_float_type("var", x.dtype)
    if isinstance(dim, bool):  # PyTorch has a form whose first argument is `unbiased`
        raise OptionError(f"var: dim is an integer, or several; got {dim}. Write unbiased={dim}")
    axes = normalise_axes("var", dim, len(x.shape))
    count = math.prod(x.shape[axis] for axis in axes)
    taken = (1.0 if unbiased else 0.0) if correction is None else correction
    centred = subtract(x, mean(x, axes, keepdim=True))
    total = sum(multiply(centred, centred), axes, keepdim)
    return divide(total, x.constant(max(count - taken, 0.0)))


def std(
    x: Any,
    dim: Axes = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Any:
    """Take the square root of the variance along axes.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to average along; all by default.
    unbiased : bool
        Divide by m - 1; else by m.
    keepdim : bool
        Keep those axes, with size one.
    correction : float, optional
        What is taken from m instead of 1 or 0.

    Returns
    -------
    Tensor, shape of x without the axes `dim`
        NaN where the divisor is 0.

    Raises
    ------
    ShapeError
        If an axis does not exist or is named twice.
    DTypeError
        If x is no Tensor, or not of a floating-point type.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x) = δ(y) ∘ (x - mean(x)) / ((m - 1) y)``; where all values are equal it is NaN, since
    the root has no slope at 0.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.std(tg.Tensor([1.0, 3.0, 5.0])).item()
    2.0
    """
    return sqrt(var(x, dim, unbiased, keepdim, correction=correction))
