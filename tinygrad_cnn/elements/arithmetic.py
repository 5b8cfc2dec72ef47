"""Arithmetic on scalars and tensors: + − × ÷, powers, exponential, logarithm, root.

Tensors of different shapes broadcast as in NumPy; the error signal of an operand that was
repeated is the sum over its repeats.
"""

from typing import Any, TypeVar

import numpy as np

from tinygrad_cnn.element import FunctionElement, Rule
from tinygrad_cnn.elements.reduce import sum_to
from tinygrad_cnn.elements.requirements import any_float_type, broadcast_shape
from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.graph import Node
from tinygrad_cnn.variable import Variable

V = TypeVar("V", bound=Variable)


class CastElement(FunctionElement, name="cast"):
    """Change the element type."""

    rule = Rule(("x",), ("y",), "{x}", {"x": "{δy}"}, "y = x", {"x": r"\delta(x) = \delta(y)"})

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def options(self) -> dict[str, Any]:
        return {"dtype": self.dtype}

    def forward(self, x: Any) -> Any:
        return x.astype(self.dtype)

    def backward(self, signal: Variable) -> Any:
        return CastElement(self.inputs[0].dtype)(signal)


class _Binary(FunctionElement):
    """Common part: operands broadcast, error signals are summed back."""

    def check(self, x: Variable, y: Variable) -> None:
        if x.shape != y.shape:
            broadcast_shape(self.name, x.shape, y.shape)

    def forward(self, x: Any, y: Any) -> Any:
        return self.device.elementwise(self.name, x, y)

    def to_input(self, signal: Variable, position: int) -> Variable | None:
        """Bring an error signal to the shape and type of the input it belongs to."""
        node: Node = self.inputs[position]
        signal = sum_to(signal, node.shape)
        if signal.dtype != node.dtype:
            signal = CastElement(node.dtype)(signal)
        return signal


class AddElement(_Binary, name="add"):
    """Add. A fan-out in reverse: both inputs receive the same error signal."""

    rule = Rule(
        ("x", "y"),
        ("s",),
        "{x} + {y}",
        {"x": "{δs}", "y": "{δs}"},
        "s = x + y",
        {"x": r"\delta(x) = \delta(s)", "y": r"\delta(y) = \delta(s)"},
    )

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_y = self.wanted
        return (
            self.to_input(signal, 0) if want_x else None,
            self.to_input(signal, 1) if want_y else None,
        )


class SubtractElement(_Binary, name="subtract"):
    """Subtract."""

    rule = Rule(
        ("x", "y"),
        ("d",),
        "{x} - {y}",
        {"x": "{δd}", "y": "-{δd}"},
        "d = x - y",
        {"x": r"\delta(x) = \delta(d)", "y": r"\delta(y) = -\delta(d)"},
    )

    def check(self, x: Variable, y: Variable) -> None:
        super().check(x, y)
        _refuse_truth_values("subtract", x, y)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_y = self.wanted
        return (
            self.to_input(signal, 0) if want_x else None,
            self.to_input(negative(signal), 1) if want_y else None,
        )


class MultiplyElement(_Binary, name="multiply"):
    """Multiply element by element."""

    rule = Rule(
        ("x", "y"),
        ("p",),
        "{x} ∘ {y}",
        {"x": "{δp} ∘ {y}", "y": "{δp} ∘ {x}"},
        r"p = x \circ y",
        {"x": r"\delta(x) = \delta(p) \circ y", "y": r"\delta(y) = \delta(p) \circ x"},
    )
    saves = {"x": ("y",), "y": ("x",)}

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_y = self.wanted
        return (
            self.to_input(multiply(signal, self.saved("y")), 0) if want_x else None,
            self.to_input(multiply(signal, self.saved("x")), 1) if want_y else None,
        )


class DivideElement(_Binary, name="divide"):
    """Divide element by element."""

    rule = Rule(
        ("x", "y"),
        ("q",),
        "{x} / {y}",
        {"x": "{δq} / {y}", "y": "-{δq} ∘ {x} / {y}²"},
        "q = x / y",
        {"x": r"\delta(x) = \delta(q) / y", "y": r"\delta(y) = -\delta(q) \circ x / y^2"},
    )
    saves = {"x": ("y",), "y": ("x", "y")}

    def check(self, x: Variable, y: Variable) -> None:
        super().check(x, y)
        any_float_type("divide", np.result_type(x.dtype, y.dtype))

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_y = self.wanted
        share = divide(signal, self.saved("y"))
        back = None
        if want_y:
            quotient = divide(self.saved("x"), self.saved("y"))
            back = self.to_input(negative(multiply(share, quotient)), 1)
        return self.to_input(share, 0) if want_x else None, back


class PowerElement(_Binary, name="power"):
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


def _refuse_truth_values(operation: str, *inputs: Variable) -> None:
    if all(variable.dtype.kind == "b" for variable in inputs):
        raise DTypeError(
            f"{operation}: truth values have no differences and signs; got bool. Convert with "
            ".long() or .float()"
        )


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


class _Unary(FunctionElement):
    """Common part of functions of one variable: one kernel of the element's name."""

    def check(self, x: Variable) -> None:
        any_float_type(self.name, x.dtype)

    def forward(self, x: Any) -> Any:
        return self.device.elementwise(self.name, x)


class NegativeElement(_Unary, name="negative"):
    """Change the sign."""

    rule = Rule(("x",), ("y",), "-{x}", {"x": "-{δy}"}, "y = -x", {"x": r"\delta(x) = -\delta(y)"})

    def check(self, x: Variable) -> None:
        _refuse_truth_values("negative", x)

    def backward(self, signal: Variable) -> Variable:
        return negative(signal)


class ExpElement(_Unary, name="exp"):
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


class LogElement(_Unary, name="log"):
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


class SquareRootElement(_Unary, name="sqrt"):
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


def add(x: V, y: V) -> V:
    """Return ``x + y``, broadcast.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> (tg.Tensor([1.0, 2.0]) + 1).tolist()
    [2.0, 3.0]
    """
    return AddElement()(x, y)


def subtract(x: V, y: V) -> V:
    """Return ``x - y``, broadcast."""
    return SubtractElement()(x, y)


def multiply(x: V, y: V) -> V:
    """Return ``x * y`` element by element, broadcast.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x, y = tg.Scalar(2.0, requires_grad=True), tg.Scalar(5.0)
    >>> (x * y).backward()
    >>> x.grad
    Scalar(5.0)
    """
    return MultiplyElement()(x, y)


def divide(x: V, y: V) -> V:
    """Return ``x / y`` element by element, broadcast."""
    return DivideElement()(x, y)


def power(x: V, y: V) -> V:
    """Return ``x ** y`` element by element, broadcast."""
    return PowerElement()(x, y)


def negative(x: V) -> V:
    """Return ``-x``."""
    return NegativeElement()(x)


def exp(x: V) -> V:
    """Return ``e ** x``."""
    return ExpElement()(x)


def log(x: V) -> V:
    """Return the natural logarithm; NaN where x < 0, -inf where x = 0."""
    return LogElement()(x)


def sqrt(x: V) -> V:
    """Return the square root; NaN where x < 0."""
    return SquareRootElement()(x)
