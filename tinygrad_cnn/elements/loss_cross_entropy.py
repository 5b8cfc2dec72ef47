"""Cross entropy: softmax and negative log-likelihood in one."""

from functools import lru_cache
from typing import Any

from tinygrad_cnn.elements.activation import numeral
from tinygrad_cnn.elements.arithmetic import add, multiply, subtract
from tinygrad_cnn.elements.loss import (
    ClassLossGradientElement,
    class_weights,
    label_vector,
    score_rows,
)
from tinygrad_cnn.elements.loss_likelihood import (
    IGNORE_INDEX,
    LikelihoodElement,
    NLLLossGradElement,
    likelihood_rule,
)
from tinygrad_cnn.elements.reduce import mean, sum
from tinygrad_cnn.elements.requirements import finite_number, lifted
from tinygrad_cnn.elements.shape import unsqueeze
from tinygrad_cnn.elements.softmax import softmax
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


@lru_cache(maxsize=256)
def _cross_entropy_rule(reduction: str, weighted: bool = False, smoothing: float = 0.0) -> Rule:
    if smoothing:
        target = f"{numeral(1 - smoothing)} onehot({{labels}}) + {numeral(smoothing)} / K"
        return likelihood_rule(
            reduction,
            ("-Σ_k t ∘ log softmax({x})", r"- \sum_k t_k \ln \operatorname{softmax}(x)_k"),
            ("(softmax({x}) Σ_k t - t)", r"(\operatorname{softmax}(x) \sum_k t_k - t)"),
            weighted,
            f", t = {{weight}} ∘ ({target})" if weighted else f", t = {target}",
        )
    signal = "(softmax({x}) - onehot({labels}))"
    latex_signal = r"(\operatorname{softmax}(x) - \operatorname{onehot}(l))"
    if not weighted:
        each = ("-log softmax({x})[{labels}]", r"-\ln \operatorname{softmax}(x)_{l}")
        return likelihood_rule(reduction, each, (signal, latex_signal), weighted)
    return likelihood_rule(
        reduction,
        (
            "-{weight}[{labels}] ∘ log softmax({x})[{labels}]",
            r"- w_l \ln \operatorname{softmax}(x)_l",
        ),
        (f"{{weight}}[{{labels}}] ∘ {signal}", f"w_l {latex_signal}"),
        weighted,
    )


class CrossEntropyElement(LikelihoodElement, name="cross_entropy"):
    """Softmax and negative log-likelihood in one, so that nothing overflows."""

    rules = {reduction: _cross_entropy_rule(reduction) for reduction in ("mean", "sum", "none")}
    rule = rules["mean"]

    def __init__(
        self,
        reduction: str,
        ignore_index: int = IGNORE_INDEX,
        label_smoothing: float = 0.0,
        weighted: bool = False,
    ) -> None:
        super().__init__(reduction, ignore_index)
        self.smoothing = finite_number(self.name, "label_smoothing", label_smoothing, 0.0, 1.0)
        self.rule = _cross_entropy_rule(reduction, weighted, self.smoothing)
        self.saves = {"x": self.rule.inputs}

    def options(self) -> dict[str, Any]:
        return super().options() | ({"label_smoothing": self.smoothing} if self.smoothing else {})

    def forward(self, x: Any, labels: Any, weight: Any = None) -> Any:
        return self.weighed(x, labels, weight, self.smoothing)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        given = self.given()
        element = CrossEntropyGradElement(
            self.reduction == "none", self.ignore_index, self.smoothing
        )
        return element(self.each(signal), *given), *(None for _ in given[1:])


class CrossEntropyGradElement(ClassLossGradientElement, name="cross_entropy_grad"):
    """Error signal of the scores: what softmax says less what is true."""

    rule = Rule(
        ("δ", "x", "labels", "weight"),
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
    saves = {"δ": ("x", "labels", "weight"), "x": ("δ", "x", "labels", "weight")}

    def __init__(
        self, per_example: bool, ignore_index: int = IGNORE_INDEX, smoothing: float = 0.0
    ) -> None:
        super().__init__(per_example)
        self.ignore_index, self.smoothing = ignore_index, smoothing

    def forward(self, signal: Any, x: Any, labels: Any, weight: Any = None) -> Any:
        rows = score_rows(self.device, x)
        out = self.device.empty(rows.shape, x.dtype)
        self.device.kernel("cross_entropy_grad", x.dtype).function(
            self.each(signal, labels),
            rows,
            label_vector(labels),
            class_weights(self.device, weight, x.dtype),
            self.ignore_index,
            self.smoothing,
            out,
        )
        return self.from_rows(out, labels)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_x, *constants = self.wanted
        x, labels = self.saved("x"), self.saved("labels")
        weight = [self.saved("weight")] if len(self.inputs) == 4 else []
        to_signal = to_x = None
        if want_signal:
            one = CrossEntropyGradElement(False, self.ignore_index, self.smoothing)
            difference = one(x.constant(1.0), x, labels, *weight)
            to_signal = sum(multiply(signal, difference), 1 if self.per_example else None)
        if want_x:
            delta, p = self.saved("δ"), softmax(x, 1)
            weighted = multiply(p, signal)
            inner = subtract(weighted, multiply(p, sum(weighted, 1, keepdim=True)))
            each = unsqueeze(delta, 1) if self.per_example else delta
            to_x = multiply(multiply(inner, self._mass(x, labels, weight)), each)
        return to_signal, to_x, *(None for _ in constants)

    def _mass(self, x: Any, labels: Variable, weight: list[Any]) -> Variable:
        """Return what the targets of each label add up to, with an axis of size one for K."""
        total = [add(each * (1.0 - self.smoothing), mean(each) * self.smoothing) for each in weight]
        minus = x.constant(-1.0)
        at_label = NLLLossGradElement(False, x.shape[1], self.ignore_index)
        return sum(at_label(minus, labels, *total), 1, keepdim=True)


# -- functions -----------------------------------------------------------------------


def cross_entropy(
    x: Any,
    labels: Any,
    weight: Any = None,
    *,
    ignore_index: int = IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Compare scores with the true classes: softmax, then negative log-likelihood.

    Parameters
    ----------
    x : Tensor, shape (N, K) or (N, K, H, W)
        Scores (logits).
    labels : Tensor or ndarray of integers, shape (N,) or (N, H, W)
        True classes, 0 to K - 1, or `ignore_index`.
    weight : Tensor or ndarray, shape (K,), optional
        How much each class counts; all the same by default. A constant, of the type of x.
    ignore_index : int
        A label that stands for no class: such examples count nothing, and receive no signal.
    reduction : {"mean", "sum", "none"}
        Over the labels. The mean divides by the sum of their weights: by N without weights.
    label_smoothing : float, from 0 to 1
        The part ε of the truth that is spread evenly over all K classes.

    Returns
    -------
    Tensor, shape () or the shape of labels
        ``L = -log(exp(x_y) / Σ_k exp(x_k))``.

    Raises
    ------
    ShapeError, DTypeError, OptionError
        If shapes or types do not fit, or a label lies outside the classes.

    Notes
    -----
    ``δ(x) = softmax(x) - onehot(y)``, divided by N for the mean. With weights w and smoothing
    ε the truth is ``t_k = w_k ((1 - ε) [k = y] + ε / K)``, the loss
    ``-Σ_k t_k log softmax(x)_k``, and ``δ(x) = softmax(x) Σ_k t_k - t``.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern recognition and machine learning", Springer 2006, equations 4.108
       and 4.109.
    .. [2] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception
       architecture for computer vision", CVPR 2016, section 7, for the smoothing.

    Examples
    --------
    >>> import numpy as np, tinygrad_cnn as tg
    >>> scores = tg.Tensor([[0.0, 0.0]], requires_grad=True)
    >>> loss = tg.functional.cross_entropy(scores, np.array([1]))
    >>> loss.backward()
    >>> scores.grad.tolist()
    [[0.5, -0.5]]
    """
    inputs = [lifted("cross_entropy", x, labels)]
    if weight is not None:
        inputs.append(lifted("cross_entropy", x, weight))
    element = CrossEntropyElement(reduction, ignore_index, label_smoothing, weight is not None)
    return element(x, *inputs)
