"""Losses of numbers: mean squared error, half squared distance, mean absolute error."""

import math
from typing import Any

from tinygrad_cnn.elements.absolute import AbsoluteGradElement
from tinygrad_cnn.elements.arithmetic import multiply, negative, subtract
from tinygrad_cnn.elements.loss import PairLossElement
from tinygrad_cnn.elements.requirements import lifted
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class _DifferenceElement(PairLossElement):
    """Common part of the losses of ``prediction - target``."""

    saves = {"a": ("a", "y"), "y": ("a", "y")}

    def squares(self, a: Any, y: Any) -> Any:
        """Return (y - a)² of each element."""
        difference = self.device.elementwise("subtract", y, a)
        return self.device.elementwise("multiply", difference, difference)

    def to_prediction(self, signal: Variable) -> Variable:
        """Return the error signal of the prediction; the target's is its opposite."""
        raise NotImplementedError  # abstract

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_a, want_y = self.wanted
        to_a = self.to_prediction(signal)
        return to_a if want_a else None, negative(to_a) if want_y else None


def _difference_rule(
    forward: str, latex: str, factor: str, latex_factor: str, sign: bool = False
) -> Rule:
    """Return the rule of a loss with error signals a factor times δ(J) ∘ (y - a), or its sign."""
    around, latex_around = ("sign", r"\operatorname{sign}") if sign else ("", "")
    signal = f"{{δJ}} ∘ {around}({{y}} - {{a}})"
    latex_signal = rf"\delta(J) \circ {latex_around}(y - a)"
    return Rule(
        ("a", "y"),
        ("J",),
        forward,
        {"a": f"-{factor}{signal}", "y": f"{factor}{signal}"},
        latex,
        {
            "a": rf"\delta(a) = -{latex_factor} {latex_signal}",
            "y": rf"\delta(y) = {latex_factor} {latex_signal}",
        },
    )


class MeanSquaredErrorElement(_DifferenceElement, name="mse_loss"):
    """Mean, over all m elements, of the squared difference."""

    rules = {
        "mean": _difference_rule(
            "Σ ({y} - {a})² / m",
            r"J = \frac{1}{m} \sum (y - a)^2",
            "2 / m ∘ ",
            r"\tfrac{2}{m}",
        ),
        "sum": _difference_rule("Σ ({y} - {a})²", r"J = \sum (y - a)^2", "2 ∘ ", "2"),
        "none": _difference_rule("({y} - {a})²", "J = (y - a)^2", "2 ∘ ", "2"),
    }
    rule = rules["mean"]

    def forward(self, a: Any, y: Any) -> Any:
        squares = self.squares(a, y)
        return self.reduced(squares)

    def to_prediction(self, signal: Any) -> Variable:
        a, y = self.saved("a"), self.saved("y")
        count = max(math.prod(a.shape), 1) if self.reduction == "mean" else 1
        return multiply(subtract(a, y), signal * (2.0 / count))


class SquaredErrorElement(_DifferenceElement, name="squared_error"):
    """Half the squared distance ½‖y − a‖², added up over the N examples of the batch."""

    rules = {
        "sum": _difference_rule("½ ‖{y} - {a}‖²", r"J = \tfrac{1}{2} \| y - a \|^2", "", ""),
        "mean": _difference_rule(
            "½ ‖{y} - {a}‖² / N",
            r"J = \frac{1}{2N} \| y - a \|^2",
            "1 / N ∘ ",
            r"\tfrac{1}{N}",
        ),
    }
    rule = rules["sum"]
    usual_reduction = "sum"

    def forward(self, a: Any, y: Any) -> Any:
        total = self.device.total(self.squares(a, y))
        half = self._scale(getattr(a, "shape", ())) / 2.0
        return total * half if isinstance(total, float) else total * total.dtype.type(half)

    def to_prediction(self, signal: Any) -> Variable:
        a, y = self.saved("a"), self.saved("y")
        return multiply(subtract(a, y), signal * self._scale(a.shape))

    def _scale(self, shape: tuple[int, ...]) -> float:
        examples = shape[0] if shape else 1
        return 1.0 / max(examples, 1) if self.reduction == "mean" else 1.0


class L1LossElement(_DifferenceElement, name="l1_loss"):
    """Mean, over all m elements, of the absolute difference."""

    rules = {
        "mean": _difference_rule(
            "Σ |{y} - {a}| / m",
            r"J = \frac{1}{m} \sum |y - a|",
            "1 / m ∘ ",
            r"\tfrac{1}{m}",
            sign=True,
        ),
        "sum": _difference_rule("Σ |{y} - {a}|", r"J = \sum |y - a|", "", "", sign=True),
        "none": _difference_rule("|{y} - {a}|", "J = |y - a|", "", "", sign=True),
    }
    rule = rules["mean"]
    convention = "the derivative at y = a is 0"

    def forward(self, a: Any, y: Any) -> Any:
        distances = self.device.elementwise("abs", self.device.elementwise("subtract", y, a))
        return self.reduced(distances)

    def to_prediction(self, signal: Variable) -> Variable:
        a, y = self.saved("a"), self.saved("y")
        return AbsoluteGradElement()(self.each(signal, a.shape), subtract(a, y))


# -- functions -----------------------------------------------------------------------


def mse_loss(a: Any, y: Any, reduction: str = "mean") -> Any:
    """Average the squared differences of m elements: ``J = Σ (y - a)² / m``.

    Parameters
    ----------
    a : Scalar or Tensor, any shape
        Predictions.
    y : Scalar or Tensor, or an array or number, the shape of a
        Targets.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Returns
    -------
    Scalar or Tensor, shape (), or the shape of a for "none"

    Raises
    ------
    ShapeError
        If the shapes differ.
    DTypeError
        If a is no variable, or the types differ or are not float32 or float64.
    DeviceError
        If a Scalar meets a Tensor.
    OptionError
        If the reduction has another name.

    Notes
    -----
    ``δ(a) = -2 / m ∘ δ(J) ∘ (y - a)`` and ``δ(y) = -δ(a)``; without the 1 / m for "sum" and
    "none".

    References
    ----------
    .. [1] C. M. Bishop, "Pattern recognition and machine learning", Springer 2006, equation
       1.2, where it is half the sum.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.mse_loss(tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 4.0])).item()
    2.0
    """
    return MeanSquaredErrorElement(reduction)(a, lifted("mse_loss", a, y))


def squared_error(a: Any, y: Any, reduction: str = "sum") -> Any:
    """Add up half the squared distances over the batch: ``J = ½‖y - a‖²``.

    Parameters
    ----------
    a : Scalar or Tensor, any shape
        Predictions.
    y : Scalar or Tensor, or an array or number, the shape of a
        Targets.
    reduction : {"sum", "mean"}
        Over the N examples, the first axis.

    Returns
    -------
    Scalar or Tensor, shape ()

    Raises
    ------
    ShapeError
        If the shapes differ.
    DTypeError
        If a is no variable, or the types differ or are not float32 or float64.
    DeviceError
        If a Scalar meets a Tensor.
    OptionError
        If the reduction has another name.

    Notes
    -----
    ``δ(a) = -δ(J) ∘ (y - a)`` and ``δ(y) = -δ(a)``, divided by N for the mean.

    References
    ----------
    .. [1] D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by
       back-propagating errors", Nature 323, 1986, equation 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> a = tg.Scalar(0.25, requires_grad=True)
    >>> tg.functional.squared_error(a, tg.Scalar(1.0)).backward()
    >>> a.grad  # -(y - a)
    Scalar(-0.75)
    """
    return SquaredErrorElement(reduction)(a, lifted("squared_error", a, y))


def l1_loss(a: Any, y: Any, reduction: str = "mean") -> Any:
    """Average the absolute differences of m elements: ``J = Σ |y - a| / m``.

    Parameters
    ----------
    a : Scalar or Tensor, any shape
        Predictions.
    y : Scalar or Tensor, or an array or number, the shape of a
        Targets.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Returns
    -------
    Scalar or Tensor, shape (), or the shape of a for "none"

    Raises
    ------
    ShapeError
        If the shapes differ.
    DTypeError
        If a is no variable, or the types differ or are not float32 or float64.
    DeviceError
        If a Scalar meets a Tensor.
    OptionError
        If the reduction has another name.

    Notes
    -----
    ``δ(a) = -1 / m ∘ δ(J) ∘ sign(y - a)`` and ``δ(y) = -δ(a)``, 0 where y = a; without the
    1 / m for "sum" and "none".

    References
    ----------
    .. [1] C. M. Bishop, "Pattern recognition and machine learning", Springer 2006, equation 1.91
       with q = 1.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.l1_loss(tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 4.0])).item()
    1.0
    """
    return L1LossElement(reduction)(a, lifted("l1_loss", a, y))
