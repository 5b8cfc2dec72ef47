"""Losses: the last element, where the error signal starts."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from tinygrad_cnn.element import ArrayElement, FunctionElement, Rule
from tinygrad_cnn.elements.arithmetic import multiply, negative, subtract
from tinygrad_cnn.elements.reduce import sum
from tinygrad_cnn.elements.requirements import lifted, one_float_type
from tinygrad_cnn.elements.shape import reshape
from tinygrad_cnn.elements.softmax import softmax
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.variable import Variable


class _Loss(FunctionElement):
    """Common part: the reduction decides the rule."""

    rules: ClassVar[Mapping[str, Rule]]  # by reduction
    usual_reduction: ClassVar[str] = "mean"

    def __init__(self, reduction: str) -> None:
        if reduction not in self.rules:
            raise OptionError(
                f"{self.name}: reduction is one of {', '.join(self.rules)}; got {reduction!r}"
            )
        self.reduction = reduction
        self.rule = self.rules[reduction]

    def options(self) -> dict[str, Any]:
        return {} if self.reduction == self.usual_reduction else {"reduction": self.reduction}


def _cross_entropy_rule(forward: str, latex: str, share: str, latex_share: str) -> Rule:
    difference = "softmax({x}) - onehot({labels})"
    return Rule(
        ("x", "labels"),
        ("L",),
        forward.format("-log softmax({x})[{labels}]"),
        {"x": "{δL} ∘ (" + difference + ")" + share},
        latex.format(r"-\ln \operatorname{softmax}(x)_{l}"),
        {
            "x": rf"\delta(x) = {latex_share}\delta(L) \,"
            r" (\operatorname{softmax}(x) - \operatorname{onehot}(l))"
        },
    )


class CrossEntropyElement(_Loss, ArrayElement, name="cross_entropy"):
    """Softmax and negative log-likelihood in one, so that nothing overflows."""

    rules = {
        "mean": _cross_entropy_rule(
            "Σ {} / N", r"L = \frac{{1}}{{N}} \sum_n {}", " / N", r"\tfrac{1}{N} "
        ),
        "sum": _cross_entropy_rule("Σ {}", r"L = \sum_n {}", "", ""),
        "none": _cross_entropy_rule("{}", "L = {}", "", ""),
    }
    rule = rules["mean"]
    saves = {"x": ("x", "labels")}

    def check(self, x: Variable, labels: Variable) -> None:
        one_float_type("cross_entropy", x)
        if len(x.shape) != 2 or labels.shape != x.shape[:1] or x.shape[1] == 0:
            raise ShapeError(
                "cross_entropy: scores are (N, K) and labels (N,); got scores "
                f"{x.shape} and labels {labels.shape}"
            )
        if labels.dtype.kind not in "iu":
            raise DTypeError(
                f"cross_entropy: labels are integers; got {labels.dtype}. Convert with .long()"
            )
        values = labels._value
        wrong = (values < 0) | (values >= x.shape[1])
        if wrong.any():
            place = int(wrong.argmax())
            raise OptionError(
                f"cross_entropy: labels lie in 0..{x.shape[1] - 1} for {x.shape[1]} classes; "
                f"got {int(values[place])} at position {place}"
            )

    def forward(self, x: Any, labels: Any) -> Any:
        losses = self.device.dense("cross_entropy_forward", x, labels, shape=labels.shape)
        if self.reduction == "none":
            return losses
        total = self.device.total(losses)
        if self.reduction == "sum":
            return total
        return total / total.dtype.type(len(losses)) if len(losses) else total * np.nan

    def backward(self, signal: Any) -> tuple[Variable | None, ...]:
        x, labels = self.saved("x"), self.saved("labels")
        count = x.shape[0]
        if self.reduction == "mean":
            signal = signal / max(count, 1)
        element = CrossEntropyGradElement(per_example=self.reduction == "none")
        return element(signal, x, labels), None


class CrossEntropyGradElement(ArrayElement, name="cross_entropy_grad"):
    """Error signal of the scores: what softmax says less what is true."""

    rule = Rule(
        ("δ", "x", "labels"),
        ("y",),
        "{δ} (softmax({x}) - onehot({labels}))",
        {
            "δ": "Σ {δy} ∘ (softmax({x}) - onehot({labels}))",
            "x": "{δ} p ∘ ({δy} - Σ p ∘ {δy}), p = softmax({x})",
        },
        r"y = \delta \, (\operatorname{softmax}(x) - \operatorname{onehot}(l))",
        {
            "δ": r"\delta(\delta) = \sum_k \delta(y_k) (p_k - [k = l])",
            "x": r"\delta(x) = \delta \, p \circ (\delta(y) - \sum_k p_k \delta(y_k))",
        },
    )
    saves = {"δ": ("x", "labels"), "x": ("δ", "x")}

    def __init__(self, per_example: bool) -> None:
        self.per_example = per_example

    def forward(self, signal: Any, x: Any, labels: Any) -> Any:
        xp = self.device.xp
        each = xp.ascontiguousarray(xp.broadcast_to(signal, labels.shape))
        return self.device.dense("cross_entropy_grad", each, x, labels, shape=x.shape)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_x, _ = self.wanted
        to_signal = to_x = None
        if want_signal:
            one = CrossEntropyGradElement(per_example=False)
            x, labels = self.saved("x"), self.saved("labels")
            difference = one(x.constant(1.0), x, labels)
            to_signal = sum(multiply(signal, difference), 1 if self.per_example else None)
        if want_x:
            delta, p = self.saved("δ"), softmax(self.saved("x"), 1)
            weighted = multiply(p, signal)
            inner = subtract(weighted, multiply(p, sum(weighted, 1, keepdim=True)))
            each = reshape(delta, (-1, 1)) if self.per_example else delta
            to_x = multiply(inner, each)
        return to_signal, to_x, None


class _Difference(_Loss):
    """Common part of the losses that square ``prediction - target``."""

    saves = {"a": ("a", "y"), "y": ("a", "y")}

    def check(self, a: Variable, y: Variable) -> None:
        one_float_type(self.name, a, y)
        if a.shape != y.shape:
            raise ShapeError(
                f"{self.name}: prediction and target have one shape; got {a.shape} and {y.shape}"
            )
        if not a.shape:  # the mean of one number is the number
            self.rule = self.rules["sum"]

    def squares(self, a: Any, y: Any) -> Any:
        """Return (y - a)² of each element."""
        difference = self.device.elementwise("subtract", y, a)
        return self.device.elementwise("multiply", difference, difference)

    def scale(self, shape: tuple[int, ...]) -> float:
        """Return the factor of δ(J) · (a - y) in the error signal."""
        raise NotImplementedError  # abstract

    def backward(self, signal: Any) -> tuple[Variable | None, ...]:
        want_a, want_y = self.wanted
        a, y = self.saved("a"), self.saved("y")
        share = signal * self.scale(a.shape)
        to_a = multiply(subtract(a, y), share)
        return to_a if want_a else None, negative(to_a) if want_y else None


def _difference_rule(forward: str, latex: str, factor: str, latex_factor: str) -> Rule:
    """Return the rule of a loss whose error signals are a factor times δ(J) ∘ (y - a)."""
    signal, latex_signal = "{δJ} ∘ ({y} - {a})", r"\delta(J) \circ (y - a)"
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


class MeanSquaredErrorElement(_Difference, name="mse_loss"):
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
        if self.reduction == "none":
            return squares
        total = self.device.total(squares)
        if self.reduction == "sum" or isinstance(total, float):
            return total
        return total / total.dtype.type(squares.size) if squares.size else total * np.nan

    def scale(self, shape: tuple[int, ...]) -> float:
        return 2.0 / max(int(np.prod(shape)), 1) if self.reduction == "mean" else 2.0


class SquaredErrorElement(_Difference, name="squared_error"):
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
        half = self.scale(np.shape(a)) / 2.0
        return total * half if isinstance(total, float) else total * total.dtype.type(half)

    def scale(self, shape: tuple[int, ...]) -> float:
        examples = shape[0] if shape else 1
        return 1.0 / max(examples, 1) if self.reduction == "mean" else 1.0


# -- functions -----------------------------------------------------------------------


def cross_entropy(x: Any, labels: Any, reduction: str = "mean") -> Any:
    """Compare scores with the true classes: softmax, then negative log-likelihood.

    Parameters
    ----------
    x : Tensor, shape (N, K)
        Scores (logits).
    labels : Tensor or ndarray of integers, shape (N,)
        True classes, 0 to K - 1.
    reduction : {"mean", "sum", "none"}
        Over the N examples.

    Returns
    -------
    Tensor, shape () or (N,)
        ``L = -log(exp(x_y) / Σ_k exp(x_k))``.

    Raises
    ------
    ShapeError, DTypeError, OptionError
        If shapes or types do not fit, or a label lies outside the classes.

    Notes
    -----
    ``δ(x) = softmax(x) - onehot(y)``, divided by N for the mean.

    Examples
    --------
    >>> import numpy as np, tinygrad_cnn as tg
    >>> scores = tg.Tensor([[0.0, 0.0]], requires_grad=True)
    >>> loss = tg.functional.cross_entropy(scores, np.array([1]))
    >>> loss.backward()
    >>> scores.grad.tolist()
    [[0.5, -0.5]]
    """
    return CrossEntropyElement(reduction)(x, lifted("cross_entropy", x, labels))


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

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> a = tg.Scalar(0.25, requires_grad=True)
    >>> tg.functional.squared_error(a, tg.Scalar(1.0)).backward()
    >>> a.grad  # -(y - a)
    Scalar(-0.75)
    """
    return SquaredErrorElement(reduction)(a, lifted("squared_error", a, y))
