"""Softmax and its logarithm: the vectors along one axis become probabilities."""

from typing import Any

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.arithmetic import multiply, subtract
from tinygrad_cnn.elements.powers import exp
from tinygrad_cnn.elements.reduce import sum
from tinygrad_cnn.elements.requirements import normalise_axis, one_float_type
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class _RowElement(ArrayElement):
    """Common part of functions of the vectors along one axis."""

    saves = {"x": ("y",)}

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def options(self) -> dict[str, Any]:
        return {"dim": self.dim}

    def check(self, x: Variable) -> None:
        one_float_type(self.name, x)
        self.dim = normalise_axis(self.name, self.dim, len(x.shape))
        if x.shape[self.dim] == 0:
            raise ShapeError(f"{self.name}: there is at least one class; got shape {x.shape}")

    def forward(self, x: Any) -> Any:
        xp = self.device.xp
        last = xp.moveaxis(x, self.dim, -1)
        out = self.device.rowwise(self.name, last, vector=last.shape[-1:])
        return xp.moveaxis(out, -1, self.dim)


class SoftmaxElement(_RowElement, name="softmax"):
    """Turn scores into probabilities."""

    rule = Rule(
        ("x",),
        ("y",),
        "exp({x}) / Σ exp({x})",
        {"x": "{y} ∘ ({δy} - Σ {δy} ∘ {y})"},
        r"y_k = e^{x_k} / \sum_l e^{x_l}",
        {"x": r"\delta(x) = y \circ (\delta(y) - \sum_l \delta(y_l) y_l)"},
    )

    def backward(self, signal: Variable) -> Variable:
        y = self.saved("y")
        weighted = multiply(signal, y)
        return subtract(weighted, multiply(y, sum(weighted, self.dim, keepdim=True)))


class LogSoftmaxElement(_RowElement, name="log_softmax"):
    """Turn scores into logarithms of probabilities."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} - log Σ exp({x})",
        {"x": "{δy} - exp({y}) ∘ Σ {δy}"},
        r"y = x - \ln \sum_l e^{x_l}",
        {"x": r"\delta(x) = \delta(y) - e^y \circ \sum_l \delta(y_l)"},
    )

    def backward(self, signal: Variable) -> Variable:
        probabilities = exp(self.saved("y"))
        return subtract(signal, multiply(probabilities, sum(signal, self.dim, keepdim=True)))


# -- functions -----------------------------------------------------------------------


def softmax(x: Any, dim: int = -1) -> Any:
    """Turn scores into probabilities: ``y_k = exp(x_k) / Σ_l exp(x_l)``.

    Parameters
    ----------
    x : Tensor, shape (..., K)
        Scores.
    dim : int
        Axis of the K classes; the last by default.

    Returns
    -------
    Tensor, the shape of x

    Raises
    ------
    ShapeError
        If the axis does not exist or has size zero.
    DTypeError
        If x is no Tensor of type float32 or float64.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x) = y ∘ (δ(y) - Σ_l δ(y_l) y_l)``.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.softmax(tg.Tensor([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    return SoftmaxElement(dim)(x)


def log_softmax(x: Any, dim: int = -1) -> Any:
    """Turn scores into log-probabilities: ``y = x - log Σ_l exp(x_l)``.

    Parameters
    ----------
    x : Tensor, shape (..., K)
        Scores.
    dim : int
        Axis of the K classes; the last by default.

    Returns
    -------
    Tensor, the shape of x

    Raises
    ------
    ShapeError
        If the axis does not exist or has size zero.
    DTypeError
        If x is no Tensor of type float32 or float64.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x) = δ(y) - exp(y) ∘ Σ_l δ(y_l)``. Nothing overflows.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.log_softmax(tg.Tensor([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """
    return LogSoftmaxElement(dim)(x)
