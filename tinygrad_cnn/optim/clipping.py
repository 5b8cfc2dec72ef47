"""Gradient clipping: gradients made smaller before a step, where they are too large.

One batch on a steep wall of the loss can throw parameters far away. Clipping by norm shortens
the gradient of all parameters together and keeps its direction; clipping by value cuts each
number off for itself.
"""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DivergedError, DTypeError, OptionError
from tinygrad_cnn.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]

Array = npt.NDArray[Any]
_RUN = 8192  # values squared at once, in float64: 64 KiB, which stay in the cache


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    r"""Shorten the gradients of all parameters together to at most a norm, in place.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient do not count.
    max_norm : float
        Largest norm c; infinity changes nothing, and tells the norm.
    norm_type : float
        p, above 0; infinity for the largest absolute value.
    error_if_nonfinite : bool
        Whether to refuse gradients whose norm is no finite number. Otherwise a norm of NaN
        makes them all NaN.

    Returns
    -------
    Tensor, shape ()
        The norm of all gradients as one vector, before they were shortened.

    Raises
    ------
    OptionError
        If `max_norm` is negative, or `norm_type` not above 0.
    DivergedError
        If the norm is not finite, where this is asked for.

    Notes
    -----
    .. math::
        \|g\|_p = \Big(\sum_k |g_k|^p\Big)^{1/p}, \qquad
        g \leftarrow g \cdot \min\Big(1, \frac{c}{\|g\|_p + 10^{-6}}\Big)

    Sums are taken in float64. The 10⁻⁶ is PyTorch's.

    References
    ----------
    .. [1] R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural
       networks", ICML 2013, algorithm 1.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = tg.Tensor([3.0, 4.0])
    >>> clip_grad_norm_([w], max_norm=1.0)
    Tensor(5.)
    >>> [round(g, 4) for g in w.grad.tolist()]
    [0.6, 0.8]
    """
    called = "clip_grad_norm_"
    _require_at_least(called, "max_norm", max_norm)
    if not (isinstance(norm_type, Real) and float(norm_type) > 0):
        raise OptionError(f"{called}: norm_type is a number above 0, or inf; got {norm_type!r}")
    trained = _with_gradients(called, parameters)
    gradients = [_gradient(called, parameter) for parameter in trained]
    norm = _norm(gradients, float(norm_type))
    if error_if_nonfinite and not math.isfinite(norm):
        raise DivergedError(
            f"{called}: the norm of all gradients is a finite number; got {norm}. Train with a "
            "smaller learning rate, or leave error_if_nonfinite out"
        )
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1.0:  # NaN arrives everywhere
        with np.errstate(all="ignore"):  # an infinite gradient times 0
            for parameter, gradient in zip(trained, gradients, strict=True):
                _change(parameter, gradient, np.multiply, gradient.dtype.type(factor))
    dtype = gradients[0].dtype if gradients else np.float32
    with np.errstate(over="ignore"):
        return Tensor(np.asarray(norm, dtype))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cut the gradients off, each number of them, at ± a value, in place.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient do not count.
    clip_value : float
        Largest absolute value that stays. A NaN stays a NaN.

    Raises
    ------
    OptionError
        If `clip_value` is negative.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = tg.Tensor([3.0, -0.5])
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    called = "clip_grad_value_"
    _require_at_least(called, "clip_value", clip_value)
    for parameter in _with_gradients(called, parameters):
        _change(parameter, _gradient(called, parameter), np.clip, -clip_value, clip_value)


def _require_at_least(called: str, option: str, value: Any) -> None:
    if not (isinstance(value, Real) and float(value) >= 0):
        raise OptionError(f"{called}: {option} is a number from 0 up; got {value!r}")


def _with_gradients(called: str, parameters: Any) -> list[Tensor]:
    listed = [parameters] if isinstance(parameters, Tensor) else parameters
    if not isinstance(listed, Iterable):
        raise DTypeError(
            f"{called}: the parameters come as a list of tensors; got one "
            f"{type(parameters).__name__}. Write model.parameters()"
        )
    listed = list(listed)
    for place, parameter in enumerate(listed):
        if not isinstance(parameter, Tensor):
            raise DTypeError(
                f"{called}: each parameter is a Tensor; got a {type(parameter).__name__} at "
                f"position {place}. Of a module pass model.parameters()"
            )
    return [parameter for parameter in listed if parameter.grad is not None]


def _gradient(called: str, parameter: Tensor) -> Array:
    return parameter.grad._read(called)  # type: ignore[union-attr]


def _change(parameter: Tensor, gradient: Array, function: Any, *numbers: Any) -> None:
    """Apply a function of NumPy to a gradient: in place, unless its values share memory."""
    if gradient.flags.writeable and parameter._grad is not None:
        function(gradient, *numbers, out=gradient)
        parameter._grad.version.count += 1
    else:
        parameter.grad = Tensor(function(gradient, *numbers))


def _norm(gradients: list[Array], norm_type: float) -> float:
    flat = [gradient.ravel(order="K") for gradient in gradients]
    short = [row for row in flat if row.size < _RUN]
    rows = [*(row for row in flat if row.size >= _RUN), *([np.concatenate(short)] if short else [])]
    runs = [row[begin : begin + _RUN] for row in rows for begin in range(0, row.size, _RUN)]
    double = np.float64
    with np.errstate(all="ignore"):
        if norm_type == math.inf:
            largest = [np.maximum.reduce(np.abs(run)) for run in runs]
            return float(np.max(largest, initial=0.0))
        if norm_type == 2.0:
            return math.sqrt(sum(np.add.reduce(np.square(run, dtype=double)) for run in runs))
        powers = (np.power(np.abs(run, dtype=double), norm_type) for run in runs)
        return float(double(sum(map(np.add.reduce, powers))) ** (1.0 / norm_type))
