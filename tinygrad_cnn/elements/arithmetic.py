"""Arithmetic on scalars and tensors: + − × ÷ and the change of sign.

Tensors of different shapes broadcast as in NumPy; the error signal of an operand that was
repeated is the sum over its repeats.
"""

from typing import Any, TypeVar

import numpy as np

from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.elements.reduce import sum_to
from tinygrad_cnn.elements.requirements import any_float_type, broadcast_shape
from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.graph import Node
from tinygrad_cnn.rule import Rule
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


class BinaryElement(FunctionElement):
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


class AddElement(BinaryElement, name="add"):
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


class SubtractElement(BinaryElement, name="subtract"):
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


class MultiplyElement(BinaryElement, name="multiply"):
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


class DivideElement(BinaryElement, name="divide"):
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
        one, other = x.dtype, y.dtype
        any_float_type("divide", one if one is other else np.result_type(one, other))

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_y = self.wanted
        share = divide(signal, self.saved("y"))
        back = None
        if want_y:
            quotient = divide(self.saved("x"), self.saved("y"))
            back = self.to_input(negative(multiply(share, quotient)), 1)
        return self.to_input(share, 0) if want_x else None, back


def _refuse_truth_values(operation: str, *inputs: Variable) -> None:
    if all(variable.dtype.kind == "b" for variable in inputs):
        raise DTypeError(
            f"{operation}: truth values have no differences and signs; got bool. Convert with "
            ".long() or .float()"
        )


class UnaryElement(FunctionElement):
    """Common part of functions of one variable: one kernel of the element's name."""

    def check(self, x: Variable) -> None:
        any_float_type(self.name, x.dtype)

    def forward(self, x: Any) -> Any:
        return self.device.elementwise(self.name, x)


class NegativeElement(UnaryElement, name="negative"):
    """Change the sign."""

    rule = Rule(("x",), ("y",), "-{x}", {"x": "-{δy}"}, "y = -x", {"x": r"\delta(x) = -\delta(y)"})

    def check(self, x: Variable) -> None:
        _refuse_truth_values("negative", x)

    def backward(self, signal: Variable) -> Variable:
        return negative(signal)


# -- functions -----------------------------------------------------------------------


def add(x: V, y: V) -> V:
    """Add element by element: ``s = x + y``, broadcast.

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
        If an operand is no variable.
    DeviceError
        If a Scalar meets a Tensor.

    Notes
    -----
    ``δ(x) = δ(s)``, ``δ(y) = δ(s)``.
    An operand that was repeated by broadcasting receives the sum over its repeats.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.add(tg.Tensor([1.0, 2.0]), tg.Tensor([1.0])).tolist()
    [2.0, 3.0]
    """
    return AddElement()(x, y)


def subtract(x: V, y: V) -> V:
    """Subtract element by element: ``d = x - y``, broadcast.

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
        If an operand is no variable or both are truth values.
    DeviceError
        If a Scalar meets a Tensor.

    Notes
    -----
    ``δ(x) = δ(d)``, ``δ(y) = -δ(d)``.
    An operand that was repeated by broadcasting receives the sum over its repeats.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.subtract(tg.Tensor([3.0, 2.0]), tg.Tensor([1.0])).tolist()
    [2.0, 1.0]
    """
    return SubtractElement()(x, y)


def multiply(x: V, y: V) -> V:
    """Multiply element by element: ``p = x ∘ y``, broadcast.

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
        If an operand is no variable.
    DeviceError
        If a Scalar meets a Tensor.

    Notes
    -----
    ``δ(x) = δ(p) ∘ y``, ``δ(y) = δ(p) ∘ x``.
    An operand that was repeated by broadcasting receives the sum over its repeats.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x, y = tg.Scalar(2.0, requires_grad=True), tg.Scalar(5.0)
    >>> tg.functional.multiply(x, y).backward()
    >>> x.grad
    Scalar(5.0)
    """
    return MultiplyElement()(x, y)


def divide(x: V, y: V) -> V:
    """Divide element by element: ``q = x / y``, broadcast.

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
        If an operand is no variable, or both are integers or truth values.
    DeviceError
        If a Scalar meets a Tensor.

    Notes
    -----
    ``δ(x) = δ(q) / y``, ``δ(y) = -δ(q) ∘ x / y²``.
    An operand that was repeated by broadcasting receives the sum over its repeats.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.divide(tg.Tensor([3.0, 2.0]), tg.Tensor([2.0])).tolist()
    [1.5, 1.0]
    """
    return DivideElement()(x, y)


def negative(x: V) -> V:
    """Change the sign: ``y = -x``; ``δ(x) = -δ(y)``.

    Parameters
    ----------
    x : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of x

    Raises
    ------
    DTypeError
        If x is no variable, or truth values.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.negative(tg.Tensor([1.0, -2.0])).tolist()
    [-1.0, 2.0]
    """
    return NegativeElement()(x)
