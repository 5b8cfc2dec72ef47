"""Binary cross entropy: a sigmoid and the negative log-likelihood of two classes in one."""

import math
from functools import lru_cache
from typing import Any

from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.elements.activation import sigmoid
from tinygrad_cnn.elements.activation_smooth import softplus
from tinygrad_cnn.elements.arithmetic import add, multiply, negative, subtract
from tinygrad_cnn.elements.loss import OVER_ELEMENTS, PairLossElement
from tinygrad_cnn.elements.requirements import broadcast_shape, constants, lifted
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

_NAME = "binary_cross_entropy_with_logits"


@lru_cache(maxsize=256)
def _rule(reduction: str, weighted: bool = False, pos_weighted: bool = False) -> Rule:
    forward, latex, share, latex_share = OVER_ELEMENTS[reduction]
    weight, positive = "{weight} ∘ " * weighted, "{pos_weight} ∘ " * pos_weighted
    latex_weight, latex_positive = r"w \circ " * weighted, r"w_+ \circ " * pos_weighted
    hit, miss = f"{positive}{{y}} ∘ log(1 + exp(-{{x}}))", "(1 - {y}) ∘ log(1 + exp({x}))"
    latex_each = rf"{latex_positive}y \circ \ln(1 + e^{{-x}}) + (1 - y) \circ \ln(1 + e^x)"
    to_x, latex_to_x = "(1 / (1 + exp(-{x})) - {y})", r"(\sigma(x) - y)"
    to_y, latex_to_y = "(-{x})", "(-x)"
    if pos_weighted:
        to_x = f"((1 - {{y}}) / (1 + exp(-{{x}})) - {positive}{{y}} / (1 + exp({{x}})))"
        latex_to_x = rf"((1 - y) \circ \sigma(x) - {latex_positive} y \circ \sigma(-x))"
        to_y = f"({positive}log(1 + exp(-{{x}})) - log(1 + exp({{x}})))"
        latex_to_y = rf"({latex_positive} \ln(1 + e^{{-x}}) - \ln(1 + e^x))"
    signal = f"{{δL}} ∘ {weight}"
    latex_signal = rf"{latex_share}\delta(L) \circ {latex_weight}"
    each = f"{weight}({hit} + {miss})"
    return Rule(
        ("x", "y", *["weight"] * weighted, *["pos_weight"] * pos_weighted),
        ("L",),
        forward.format(each),
        {"x": f"{signal}{to_x}{share}", "y": f"{signal}{to_y}{share}"},
        latex.format(f"{latex_weight}({latex_each})"),
        {
            "x": rf"\delta(x) = {latex_signal}{latex_to_x}",
            "y": rf"\delta(y) = {latex_signal}{latex_to_y}",
        },
    )


class BinaryCrossEntropyElement(PairLossElement, name=_NAME):
    """Sigmoid and negative log-likelihood of two classes in one, so that nothing overflows."""

    rules = {reduction: _rule(reduction) for reduction in ("mean", "sum", "none")}
    rule = rules["mean"]
    saves = {"x": ("x", "y"), "y": ("x", "y")}

    def __init__(self, reduction: str, weighted: bool = False, pos_weighted: bool = False) -> None:
        super().__init__(reduction)
        self.weights = ("weight",) * weighted + ("pos_weight",) * pos_weighted
        self.rule = _rule(reduction, weighted, pos_weighted)
        needed = ("x", "y", *self.weights)
        self.saves = {"x": needed, "y": needed}

    def check(self, x: Variable, y: Variable, *weights: Variable) -> None:
        super().check(x, y, *weights)
        for symbol, weight in zip(self.weights, weights, strict=True):
            if weight.shape != x.shape and broadcast_shape(_NAME, x.shape, weight.shape) != x.shape:
                raise ShapeError(
                    f"{_NAME}: {symbol} broadcasts to the shape of x; got {weight.shape} "
                    f"for {x.shape}"
                )
            if weight.requires_grad:
                raise OptionError(
                    f"{_NAME}: {symbol} is a constant; got one that requires a gradient. "
                    f"Hand over {symbol}.detach()"
                )

    def rule_of(self, reduction: str) -> Rule:
        return _rule(reduction, "weight" in self.weights, "pos_weight" in self.weights)

    def forward(self, x: Any, y: Any, *weights: Any) -> Any:
        run, given = self.device.elementwise, dict(zip(self.weights, weights, strict=True))
        (one, *sharpness) = constants(x, (1.0, 1.0, math.inf))
        hit = run("multiply", y, run("softplus", run("negative", x), *sharpness))
        if "pos_weight" in given:
            hit = run("multiply", given["pos_weight"], hit)
        miss = run("multiply", run("subtract", one, y), run("softplus", x, *sharpness))
        losses = run("add", hit, miss)
        if "weight" in given:
            losses = run("multiply", given["weight"], losses)
        return self.reduced(losses)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_y, *_ = self.wanted
        x, y = self.saved("x"), self.saved("y")
        share = self.each(signal, x.shape)
        if "weight" in self.weights:
            share = multiply(share, self.saved("weight"))
        positive = [self.saved("pos_weight")] if "pos_weight" in self.weights else []
        to_x = to_y = None
        if want_x:
            to_x = BinaryCrossEntropyGradElement(bool(positive))(share, x, y, *positive)
        if want_y:
            hit = softplus(negative(x), 1.0, math.inf)
            for weight in positive:
                hit = multiply(weight, hit)
            to_y = multiply(share, subtract(hit, softplus(x, 1.0, math.inf)))
        return to_x, to_y, *(None for _ in self.weights)


class BinaryCrossEntropyGradElement(FunctionElement, name=f"{_NAME}_grad"):
    """Error signal of logits: what the sigmoid says less what is true."""

    rule = Rule(
        ("δ", "x", "y", "pos_weight"),
        ("r",),
        "{δ} ∘ (1 / (1 + exp(-{x})) - {y})",
        {
            "δ": "{δr} ∘ (1 / (1 + exp(-{x})) - {y})",
            "x": "{δr} ∘ {δ} / (1 + exp(-{x})) / (1 + exp({x}))",
            "y": "-{δr} ∘ {δ}",
        },
        r"r = \delta \circ (\sigma(x) - y)",
        {
            "δ": r"\delta(\delta) = \delta(r) \circ (\sigma(x) - y)",
            "x": r"\delta(x) = \delta(r) \circ \delta \circ \sigma(x) \circ \sigma(-x)",
            "y": r"\delta(y) = -\delta(r) \circ \delta",
        },
    )
    saves = {
        "δ": ("x", "y", "pos_weight"),
        "x": ("δ", "x", "y", "pos_weight"),
        "y": ("δ", "x", "pos_weight"),
    }

    def __init__(self, pos_weighted: bool = False) -> None:
        self.pos_weighted = pos_weighted

    def forward(self, signal: Any, x: Any, y: Any, *positive: Any) -> Any:
        run = self.device.elementwise
        (one,) = constants(x, (1.0,))
        miss = run("multiply", run("subtract", one, y), run("sigmoid", x))
        hit = run("multiply", y, run("sigmoid", run("negative", x)))
        for weight in positive:
            hit = run("multiply", weight, hit)
        return run("multiply", signal, run("subtract", miss, hit))

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_x, want_y, *others = self.wanted
        x = self.saved("x")
        positive = [self.saved("pos_weight")] if self.pos_weighted else []
        to_signal = to_x = to_y = None
        if want_signal:
            again = BinaryCrossEntropyGradElement(self.pos_weighted)
            to_signal = again(signal, x, self.saved("y"), *positive)
        if want_x or want_y:
            both = multiply(signal, self.saved("δ"))
            yes, no = sigmoid(x), sigmoid(negative(x))
        if want_x:
            y = self.saved("y")
            hit, miss = y, subtract(y.constant(1.0), y)
            for weight in positive:
                hit = multiply(weight, hit)
            to_x = multiply(both, multiply(multiply(yes, no), add(miss, hit)))
        if want_y:
            for weight in positive:
                no = multiply(weight, no)
            to_y = negative(multiply(both, add(yes, no)))
        return to_signal, to_x, to_y, *(None for _ in others)


# -- functions -----------------------------------------------------------------------


def binary_cross_entropy_with_logits(
    x: Any, y: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """Compare logits of m yes-or-no questions with the truth: sigmoid, then log-likelihood.

    Parameters
    ----------
    x : Scalar or Tensor, any shape
        Logits: a sigmoid makes the probabilities of "yes" of them.
    y : Scalar or Tensor, or an array or number, the shape of x
        Truth: 1 for "yes", 0 for "no", or a probability between.
    weight : Scalar or Tensor, or an array or number, optional
        How much each question counts; a constant that broadcasts to x.
    reduction : {"mean", "sum", "none"}
        Over all m elements.
    pos_weight : as `weight`, optional
        How much "yes" counts against "no".

    Returns
    -------
    Scalar or Tensor, shape (), or the shape of x for "none"
        ``L = -Σ (y log σ(x) + (1 - y) log(1 - σ(x))) / m``.

    Raises
    ------
    ShapeError
        If the shapes differ, or weights do not broadcast to them.
    DTypeError
        If x is no variable, or the types differ or are not float32 or float64.
    DeviceError
        If a Scalar meets a Tensor.
    OptionError
        If the reduction has another name, or a weight requires a gradient.

    Notes
    -----
    ``δ(x) = δ(L) (σ(x) - y) / m`` and ``δ(y) = -δ(L) x / m``. With ``-log σ(x) = log(1 + e^-x)``
    and ``-log(1 - σ(x)) = log(1 + e^x)``, computed as a softplus, nothing overflows.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern recognition and machine learning", Springer 2006, equation 4.90.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.0, requires_grad=True)
    >>> tg.functional.binary_cross_entropy_with_logits(x, 1.0).backward()
    >>> x.grad
    Scalar(-0.5)
    """
    others = [lifted(_NAME, x, y)]
    others += [lifted(_NAME, x, each) for each in (weight, pos_weight) if each is not None]
    element = BinaryCrossEntropyElement(reduction, weight is not None, pos_weight is not None)
    return element(x, *others)
