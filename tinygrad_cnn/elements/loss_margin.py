"""Hinge losses: a score has to be right by a margin."""

from functools import lru_cache
from typing import Any

from tinygrad_cnn.elements.activation import numeral
from tinygrad_cnn.elements.activation_rectifiers import ReluGradElement
from tinygrad_cnn.elements.arithmetic import CastElement, multiply, negative, subtract
from tinygrad_cnn.elements.loss import (
    OVER_ELEMENTS,
    OVER_EXAMPLES,
    ClassLossElement,
    ClassLossGradientElement,
    PairLossElement,
    label_vector,
    score_rows,
)
from tinygrad_cnn.elements.reduce import sum
from tinygrad_cnn.elements.requirements import constants, finite_number, lifted
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

# -- two classes ---------------------------------------------------------------------


@lru_cache(maxsize=256)
def _hinge_rule(reduction: str, margin: float = 1.0) -> Rule:
    forward, latex, share, latex_share = OVER_ELEMENTS[reduction]
    number = numeral(margin)
    return Rule(
        ("s", "t"),
        ("L",),
        forward.format(f"max(0, {number} - {{t}} ∘ {{s}})"),
        {"s": f"-{{δL}} ∘ {{t}} ∘ [{{t}} ∘ {{s}} < {number}]{share}"},
        latex.format(rf"\max(0, {number} - t s)"),
        {"s": rf"\delta(s) = -{latex_share}\delta(L) \circ t \circ [t s < {number}]"},
    )


class HingeLossElement(PairLossElement, name="hinge_loss"):
    """How much a score with the sign of its class falls short of a margin."""

    rules = {reduction: _hinge_rule(reduction) for reduction in ("mean", "sum", "none")}
    rule = rules["mean"]
    saves = {"s": ("s", "t")}
    convention = "the derivative at t s = margin is 0"

    def __init__(self, reduction: str, margin: float = 1.0) -> None:
        super().__init__(reduction)
        self.margin = finite_number("hinge_loss", "margin", margin)
        self.rule = _hinge_rule(reduction, self.margin)

    def options(self) -> dict[str, Any]:
        return super().options() | ({} if self.margin == 1.0 else {"margin": self.margin})

    def rule_of(self, reduction: str) -> Rule:
        return _hinge_rule(reduction, self.margin)

    def check(self, s: Variable, t: Variable, *_: Variable) -> None:
        super().check(s, t)
        if t.requires_grad:
            raise OptionError(
                "hinge_loss: targets are constants; got some that require a gradient. "
                "Hand over targets.detach()"
            )
        values = t._value
        wrong = (values != 1) & (values != -1)
        if wrong if isinstance(wrong, bool) else wrong.any():
            raise OptionError("hinge_loss: targets are 1 or -1; got others. Use 2 * y - 1")

    def forward(self, s: Any, t: Any) -> Any:
        product = self.device.elementwise("multiply", t, s)
        (margin,) = constants(s, (self.margin,))
        excess = self.device.elementwise("subtract", margin, product)
        losses = self.device.elementwise("relu", excess)
        return self.reduced(losses)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        s, t = self.saved("s"), self.saved("t")
        excess = subtract(s.constant(self.margin), multiply(t, s))
        short = ReluGradElement()(self.each(signal, s.shape), excess)
        return negative(multiply(short, t)), None


# -- many classes --------------------------------------------------------------------


@lru_cache(maxsize=256)
def _multi_margin_rule(reduction: str, margin: float = 1.0) -> Rule:
    forward, latex, share, latex_share = OVER_EXAMPLES[reduction]
    number = numeral(margin)
    wins = f"[{{x}}[k] > {{x}}[{{labels}}] - {number}]"
    latex_wins = f"[x_k > x_l - {number}]"
    return Rule(
        ("x", "labels"),
        ("L",),
        forward.format(f"Σ_(k≠{{labels}}) max(0, {number} - {{x}}[{{labels}}] + {{x}}[k]) / K"),
        {"x": f"{{δL}} ∘ {wins} / K{share}; at {{labels}} less the sum of the others"},
        latex.format(rf"\frac{{1}}{{K}} \sum_{{k \ne l}} \max(0, {number} - x_l + x_k)"),
        {
            "x": rf"\delta(x_k) = {latex_share}\tfrac{{1}}{{K}} \delta(L) {latex_wins},"
            r" \; \delta(x_l) = -\sum_{k \ne l} \delta(x_k)"
        },
    )


class MultiMarginLossElement(ClassLossElement, name="multi_margin_loss"):
    """How much the scores of the other classes come within a margin of the true one's."""

    rules = {reduction: _multi_margin_rule(reduction) for reduction in ("mean", "sum", "none")}
    rule = rules["mean"]
    saves = {"x": ("x", "labels")}
    convention = "the derivative of a score at the margin is 0"

    def __init__(self, reduction: str, margin: float = 1.0) -> None:
        super().__init__(reduction)
        self.margin = finite_number("multi_margin_loss", "margin", margin)
        self.rule = _multi_margin_rule(reduction, self.margin)

    def options(self) -> dict[str, Any]:
        return super().options() | ({} if self.margin == 1.0 else {"margin": self.margin})

    def forward(self, x: Any, labels: Any) -> Any:
        losses = self.device.empty(labels.shape, x.dtype)
        self.device.kernel("multi_margin_loss_forward", x.dtype).function(
            score_rows(self.device, x), label_vector(labels), self.margin, losses
        )
        return self.reduced(losses)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        x, labels = self.saved("x"), self.saved("labels")
        element = MultiMarginLossGradElement(self.reduction == "none", self.margin)
        return element(self.share(signal, labels.shape), x, labels), None


class MultiMarginLossGradElement(ClassLossGradientElement, name="multi_margin_loss_grad"):
    """Error signal of scores that come within a margin of the true one's."""

    rule = Rule(
        ("δ", "x", "labels"),
        ("y",),
        "{δ} [{x}[k] > {x}[{labels}] - margin] / K; at {labels} less the sum of the others",
        {"δ": "Σ_(k≠{labels}) ({δy}[k] - {δy}[{labels}]) [{x}[k] > {x}[{labels}] - margin] / K"},
        r"y_k = \tfrac{1}{K} \delta \, [x_k > x_l - m], \; y_l = -\sum_{k \ne l} y_k",
        {
            "δ": r"\delta(\delta) = \tfrac{1}{K} \sum_{k \ne l}"
            r" (\delta(y_k) - \delta(y_l)) [x_k > x_l - m]"
        },
    )
    saves = {"δ": ("x", "labels"), "x": ("x", "labels")}

    def __init__(self, per_example: bool, margin: float) -> None:
        super().__init__(per_example)
        self.margin = margin

    def forward(self, signal: Any, x: Any, labels: Any) -> Any:
        rows = score_rows(self.device, x)
        out = self.device.empty(rows.shape, x.dtype)
        self.device.kernel("multi_margin_loss_grad", x.dtype).function(
            self.each(signal, labels), rows, label_vector(labels), self.margin, out
        )
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, _, _ = self.wanted  # constant in x, away from the kinks
        if not want_signal:
            return None, None, None
        x, labels = self.saved("x"), self.saved("labels")
        slopes = MultiMarginLossGradElement(False, self.margin)(x.constant(1.0), x, labels)
        return sum(multiply(signal, slopes), 1 if self.per_example else None), None, None


# -- functions -----------------------------------------------------------------------


def hinge_loss(s: Any, t: Any, margin: float = 1.0, *, reduction: str = "mean") -> Any:
    """Ask scores for the sign of their class, and a margin: ``L = Σ max(0, margin - t s) / m``.

    Parameters
    ----------
    s : Scalar or Tensor, any shape
        Scores: positive for one class, negative for the other.
    t : Scalar or Tensor, or an array or number, the shape of s
        Classes: 1 or -1, of the type of s or integers.
    margin : float
        What t s has to reach for the loss to be 0.
    reduction : {"mean", "sum", "none"}
        Over all m elements.

    Returns
    -------
    Scalar or Tensor, shape (), or the shape of s for "none"

    Raises
    ------
    ShapeError
        If the shapes differ.
    DTypeError
        If s is no variable, or the types differ or are not float32 or float64.
    DeviceError
        If a Scalar meets a Tensor.
    OptionError
        If a target is neither 1 nor -1, or requires a gradient, the margin is no finite
        number, or the reduction has another name.

    Notes
    -----
    ``δ(s) = -δ(L) ∘ t ∘ [t s < margin] / m``: where t s is the margin, the derivative is 0.
    With margin 0 this is the perceptron's criterion.

    References
    ----------
    .. [1] C. Cortes, V. Vapnik, "Support-vector networks", Machine Learning 20, 1995,
       section 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> s = tg.Scalar(0.25, requires_grad=True)
    >>> loss = tg.functional.hinge_loss(s, -1.0)
    >>> loss.backward()
    >>> loss, s.grad
    (Scalar(1.25), Scalar(1.0))
    """
    targets = lifted("hinge_loss", s, t)
    if targets.dtype.kind in "iu":
        targets = CastElement(s.dtype)(targets)
    return HingeLossElement(reduction, margin)(s, targets)


def multi_margin_loss(
    x: Any, labels: Any, p: int = 1, margin: float = 1.0, *, reduction: str = "mean"
) -> Any:
    """Ask the true class for a score that beats each other one's by a margin.

    Parameters
    ----------
    x : Tensor, shape (N, K)
        Scores.
    labels : Tensor or ndarray of integers, shape (N,)
        True classes, 0 to K - 1.
    p : 1
        Power of each excess, of which there is only the first.
    margin : float
        By how much the true class has to be ahead for the loss to be 0.
    reduction : {"mean", "sum", "none"}
        Over the N examples.

    Returns
    -------
    Tensor, shape () or (N,)
        ``L = Σ_{k ≠ y} max(0, margin - x_y + x_k) / K``.

    Raises
    ------
    ShapeError, DTypeError, OptionError
        If shapes, types or options do not fit, or a label lies outside the classes.

    Notes
    -----
    ``δ(x_k) = [x_k > x_y - margin] / K`` for k ≠ y and ``δ(x_y) = -Σ_{k ≠ y} δ(x_k)``, divided
    by N for the mean. A score at the margin counts nothing.

    References
    ----------
    .. [1] J. Weston, C. Watkins, "Support vector machines for multi-class pattern recognition",
       ESANN 1999, section 3.

    Examples
    --------
    >>> import numpy as np, tinygrad_cnn as tg
    >>> x = tg.Tensor([[2.0, 1.5, -3.0, 0.0]], requires_grad=True)
    >>> tg.functional.multi_margin_loss(x, np.array([0])).backward()
    >>> x.grad.tolist()
    [[-0.25, 0.25, 0.0, 0.0]]
    """
    if p != 1:
        raise OptionError(f"multi_margin_loss: p is 1, other powers are not built; got {p!r}")
    return MultiMarginLossElement(reduction, margin)(x, lifted("multi_margin_loss", x, labels))
