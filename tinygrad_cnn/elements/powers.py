"""Powers, the exponential, its logarithm, and the square root."""

from typing import Any, TypeVar

import numpy as np

from tinygrad_cnn.elements.arithmetic import (
    BinaryElement,
    CastElement,
    UnaryElement,
    add,
    divide,
    multiply,
    subtract,
)
from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

V = TypeVar("V", bound=Variable)


class PowerElement(BinaryElement, name="power"):
    """Raise to a power, element by element."""

    rule = Rule(
        ("x", "y"),
        ("r",),
        "{x}^{y}",
        {"x": "{δr} ∘ {y} ∘ {x}^({y} - 1)", "y": "{δr} ∘ {x}^{y} ∘ log({x})"},
        "r = x^y",
        {
            "x": r"\delta(x) = \delta(r) \circ y \circ x^{y-1}",
            "y": r"\delta(y) = \delta(r) \circ x^y \circ \ln x",
        },
    )
    saves = {"x": ("x", "y"), "y": ("x", "y")}

    def check(self, x: Variable, y: Variable) -> None:
        super().check(x, y)
        if x.dtype.kind in "iu" and y.dtype.kind == "i" and np.any(y._value < 0):
            raise DTypeError(
                f"power: an integer has no negative power; got {x.dtype} to a power below 0. "
                "Convert with .float()"
            )

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_y = self.wanted
        x, y = self.saved("x"), self.saved("y")
        to_x = to_y = None
        if want_x:
            # 0 · 0^-1 would be NaN where the constant x^0 has the slope 0.
            exponent = subtract(y, _like(y, 1.0))
            slope = multiply(y, power(x, _plus_one_where(exponent, _is_zero(x) & _is_zero(y))))
            to_x = self.to_input(multiply(signal, slope), 0)
        if want_y:
            if x.dtype.kind != "f":
                x = CastElement(y.dtype)(x)
            # 0^y · log 0 would be NaN where 0^y has the slope 0.
            positive = _plus_one_where(x, _is_zero(x) & np.greater_equal(y._value, 0))
            to_y = self.to_input(multiply(signal, multiply(power(x, y), log(positive))), 1)
        return to_x, to_y


def _like(variable: V, number: float) -> V:
    """Return a number as a constant of the variable's kind and type."""
    return variable.constant(number)  # type: ignore[attr-defined]


def _is_zero(variable: Variable) -> Any:
    return np.equal(variable._value, 0)


def _plus_one_where(variable: V, mask: Any) -> V:
    """Add a constant 1 at the places of a mask, so that a limit is taken instead of NaN."""
    if not mask.any():
        return variable
    ones: V = variable.lift(mask.astype(variable.dtype))  # type: ignore[attr-defined]
    return add(variable, ones)


class ExpElement(UnaryElement, name="exp"):
    """Exponential."""

    rule = Rule(
        ("x",),
        ("y",),
        "exp({x})",
        {"x": "{δy} ∘ {y}"},
        "y = e^x",
        {"x": r"\delta(x) = \delta(y) \circ y"},
    )
    saves = {"x": ("y",)}

    def backward(self, signal: Variable) -> Variable:
        return multiply(signal, self.saved("y"))


class LogElement(UnaryElement, name="log"):
    """Natural logarithm."""

    rule = Rule(
        ("x",),
        ("y",),
        "log({x})",
        {"x": "{δy} / {x}"},
        r"y = \ln x",
        {"x": r"\delta(x) = \delta(y) / x"},
    )
    saves = {"x": ("x",)}

    def backward(self, signal: Variable) -> Variable:
        return divide(signal, self.saved("x"))


class SquareRootElement(UnaryElement, name="sqrt"):
    """Square root."""

    rule = Rule(
        ("x",),
        ("y",),
        "√{x}",
        {"x": "{δy} / (2 ∘ {y})"},
        r"y = \sqrt{x}",
        {"x": r"\delta(x) = \frac{\delta(y)}{2y}"},
    )
    saves = {"x": ("y",)}

    def backward(self, signal: Variable) -> Variable:
        y = self.saved("y")
        return divide(signal, add(y, y))


# -- functions -----------------------------------------------------------------------


def power(x: V, y: V) -> V:
    """Raise to a power, element by element: ``r = x ** y``, broadcast.

    Parameters
    ----------
    x, y : Scalar or Tensor, shapes that broadcast

    Returns
    -------
    Scalar or Tensor, the broadcast shape

    Raises
    ------
    ShapeError
        If the shapes do not broadcast.
    DTypeError
        If an operand is no variable, or integers have a power below 0.
    DeviceError
        If a Scalar meets a Tensor.

    Notes
    -----
    ``δ(x) = δ(r) ∘ y ∘ x^(y - 1)``, ``δ(y) = δ(r) ∘ x^y ∘ log(x)``; at x = 0 the limit, where
    there is one. An operand that was repeated receives the sum over its repeats.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(3.0, requires_grad=True)
    >>> tg.functional.power(x, tg.Scalar(2.0)).backward()
    >>> x.grad
    Scalar(6.0)
    """
    return PowerElement()(x, y)


def exp(x: V) -> V:
    """Take the exponential ``y = e^x``; ``δ(x) = δ(y) ∘ y``.

    Parameters
    ----------
    x : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of x

    Raises
    ------
    DTypeError
        If x is no variable, or not of a floating-point type.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.exp(tg.Tensor([0.0])).tolist()
    [1.0]
    """
    return ExpElement()(x)


def log(x: V) -> V:
    """Take the natural logarithm ``y = ln x``; ``δ(x) = δ(y) / x``.

    Parameters
    ----------
    x : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of x
        NaN where x < 0, -inf where x = 0.

    Raises
    ------
    DTypeError
        If x is no variable, or not of a floating-point type.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(2.0, requires_grad=True)
    >>> tg.functional.log(x).backward()
    >>> x.grad
    Scalar(0.5)
    """
    return LogElement()(x)


def sqrt(x: V) -> V:
    """Take the square root ``y = √x``; ``δ(x) = δ(y) / (2y)``.

    Parameters
    ----------
    x : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of x
        NaN where x < 0.

    Raises
    ------
    DTypeError
        If x is no variable, or not of a floating-point type.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.sqrt(tg.Tensor([4.0, 9.0])).tolist()
    [2.0, 3.0]
    """
    return SquareRootElement()(x)
