"""The absolute value, and its error signal."""

from typing import Any, TypeVar

from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.elements.arithmetic import UnaryElement
from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

V = TypeVar("V", bound=Variable)


class AbsoluteGradElement(FunctionElement, name="abs_grad"):
    """Error signal through an absolute value."""

    rule = Rule(
        ("δ", "x"),
        ("y",),
        "{δ} ∘ sign({x})",
        {"δ": "{δy} ∘ sign({x})"},
        r"y = \delta \circ \operatorname{sign} x",
        {"δ": r"\delta(\delta) = \delta(y) \circ \operatorname{sign} x"},
    )
    saves = {"δ": ("x",), "x": ("x",)}

    def forward(self, signal: Any, x: Any) -> Any:
        return self.device.elementwise("abs_grad", signal, x)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, _ = self.wanted  # the sign is constant in x, away from 0
        return AbsoluteGradElement()(signal, self.saved("x")) if want_signal else None, None


class AbsoluteElement(UnaryElement, name="abs"):
    """Drop the sign."""

    rule = Rule(
        ("x",),
        ("y",),
        "|{x}|",
        {"x": "{δy} ∘ sign({x})"},
        "y = |x|",
        {"x": r"\delta(x) = \delta(y) \circ \operatorname{sign} x"},
    )
    saves = {"x": ("x",)}
    convention = "the derivative at x = 0 is 0"

    def check(self, x: Variable) -> None:
        if x.dtype.kind == "b":
            raise DTypeError(f"abs: truth values have no sign; got {x.dtype}. Convert with .long()")

    def backward(self, signal: Variable) -> Variable:
        return AbsoluteGradElement()(signal, self.saved("x"))


def abs(x: V) -> V:
    """Drop the sign, element by element: ``y = |x|``; ``δ(x) = δ(y) ∘ sign(x)``.

    Parameters
    ----------
    x : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of x

    Raises
    ------
    DTypeError
        If x is no variable, or holds truth values.

    Notes
    -----
    The derivative at x = 0 is 0.

    Examples
    --------
    A penalty on the sum of absolute weights, the L1 norm:

    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([-2.0, 0.0, 3.0], requires_grad=True)
    >>> tg.functional.abs(w).sum().backward()
    >>> w.grad.tolist()
    [-1.0, 0.0, 1.0]
    """
    return AbsoluteElement()(x)
