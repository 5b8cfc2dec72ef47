"""Negative log-likelihood: the loss of classes whose log-probabilities are given."""

from functools import lru_cache
from typing import Any

from tinygrad_cnn.elements.arithmetic import divide, multiply
from tinygrad_cnn.elements.loss import (
    OVER_EXAMPLES,
    ClassLossElement,
    ClassLossGradientElement,
    class_weights,
    label_vector,
    score_rows,
)
from tinygrad_cnn.elements.reduce import sum
from tinygrad_cnn.elements.requirements import is_integer, lifted
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.kernels.stand_in import is_stand_in
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

IGNORE_INDEX = -100  # PyTorch's


class LikelihoodElement(ClassLossElement):
    """Common part: classes may have weights, and one label may stand for no class.

    The mean divides by the sum of the weights of the labels that are there.
    """

    saves = {"x": ("x", "labels")}
    spatial = True
    divisor: Variable | None = None  # of the mean; a mean of one loss is not divided

    def __init__(self, reduction: str, ignore_index: int) -> None:
        super().__init__(reduction)
        if not is_integer(ignore_index, -(2**63)) or ignore_index >= 2**63:
            raise OptionError(
                f"{self.name}: ignore_index is an integer, of 64 bits at most; got {ignore_index!r}"
            )
        self.ignore_index: int = int(ignore_index)

    def options(self) -> dict[str, Any]:
        ignored = {} if self.ignore_index == IGNORE_INDEX else {"ignore_index": self.ignore_index}
        return super().options() | ignored

    def weighed(self, x: Any, labels: Any, weight: Any, *options: Any) -> Any:
        """Run the kernel of the losses and of their weights, and reduce the losses."""
        flat = label_vector(labels)
        losses = self.device.empty(flat.shape, x.dtype)
        shares = self.device.empty(flat.shape, x.dtype)
        given = class_weights(self.device, weight, x.dtype)
        self.device.kernel(f"{self.name}_forward", x.dtype).function(
            score_rows(self.device, x), flat, given, self.ignore_index, *options, losses, shares
        )
        if self.reduction == "none":
            return losses.reshape(labels.shape)
        if self.reduction == "mean" and self._is_single(labels, weight):
            return losses.reshape(())
        total = self.device.total(losses)
        if self.reduction == "sum":
            return total
        divisor = self.device.total(shares)
        self.divisor = self.device.variable(divisor)
        return self.device.elementwise("divide", total, divisor)

    def _is_single(self, labels: Any, weight: Any) -> bool:
        """Tell whether there is one loss and it counts once, so that it is the mean."""
        return (
            labels.size == 1
            and weight is None
            and (is_stand_in(labels) or labels.item() != self.ignore_index)
        )

    def each(self, signal: Any) -> Any:
        """Return what of the error signal reaches each single loss, but for its weight."""
        return signal if self.divisor is None else divide(signal, self.divisor)

    def given(self) -> list[Variable]:
        """Return the saved inputs."""
        return [self.saved(symbol) for symbol in self.rule.inputs]


def likelihood_rule(
    reduction: str,
    each: tuple[str, str],
    signal: tuple[str, str],
    weighted: bool,
    where: str = "",
) -> Rule:
    """Return the rule of a loss, given that of one example as text and as LaTeX."""
    forward, latex, share, latex_share = OVER_EXAMPLES[reduction]
    if weighted and reduction == "mean":
        forward, share = "Σ {} / Σ {{weight}}[{{labels}}]", " / Σ {weight}[{labels}]"
        latex = r"L = \frac{{1}}{{\sum_n w_l}} \sum_n {}"
        latex_share = r"\tfrac{1}{\sum_n w_l} "
    return Rule(
        ("x", "labels", "weight") if weighted else ("x", "labels"),
        ("L",),
        forward.format(each[0]) + where,
        {"x": "{δL} ∘ " + signal[0] + share + where},
        latex.format(each[1]),
        {"x": rf"\delta(x) = {latex_share}\delta(L) \, {signal[1]}"},
    )


# -- negative log-likelihood ---------------------------------------------------------


@lru_cache(maxsize=256)
def _nll_loss_rule(reduction: str, weighted: bool = False) -> Rule:
    if not weighted:
        each = ("-{x}[{labels}]", "-x_l")
        signal = ("(-onehot({labels}))", r"(-\operatorname{onehot}(l))")
        return likelihood_rule(reduction, each, signal, weighted)
    each = ("-{weight}[{labels}] ∘ {x}[{labels}]", "-w_l x_l")
    signal = (
        "{weight}[{labels}] ∘ (-onehot({labels}))",
        r"w_l (-\operatorname{onehot}(l))",
    )
    return likelihood_rule(reduction, each, signal, weighted)


class NLLLossElement(LikelihoodElement, name="nll_loss"):
    """Pick the logarithm of the probability of the true class, and change its sign."""

    rules = {reduction: _nll_loss_rule(reduction) for reduction in ("mean", "sum", "none")}
    rule = rules["mean"]
    saves = {"x": ("labels",)}

    def __init__(
        self, reduction: str, ignore_index: int = IGNORE_INDEX, weighted: bool = False
    ) -> None:
        super().__init__(reduction, ignore_index)
        self.rule = _nll_loss_rule(reduction, weighted)
        self.saves = {"x": self.rule.inputs[1:]}

    def forward(self, x: Any, labels: Any, weight: Any = None) -> Any:
        return self.weighed(x, labels, weight)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        given = [self.saved(symbol) for symbol in self.rule.inputs[1:]]
        element = NLLLossGradElement(
            self.reduction == "none", self.inputs[0].shape[1], self.ignore_index
        )
        return element(self.each(signal), *given), *(None for _ in given)


class NLLLossGradElement(ClassLossGradientElement, name="nll_loss_grad"):
    """Error signal of log-probabilities: minus one at the true class."""

    rule = Rule(
        ("δ", "labels", "weight"),
        ("y",),
        "-{δ} onehot({labels})",
        {"δ": "-Σ {δy} ∘ onehot({labels})"},
        r"y = -\delta \, \operatorname{onehot}(l)",
        {"δ": r"\delta(\delta) = -\delta(y_l)"},
    )
    saves = {"δ": ("labels", "weight")}

    def __init__(self, per_example: bool, classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__(per_example)
        self.classes, self.ignore_index = classes, ignore_index

    def forward(self, signal: Any, labels: Any, weight: Any = None) -> Any:
        flat = label_vector(labels)
        out = self.device.empty((*flat.shape, self.classes), signal.dtype)
        given = class_weights(self.device, weight, signal.dtype)
        self.device.kernel("nll_loss_grad", signal.dtype).function(
            self.each(signal, labels), flat, given, self.ignore_index, out
        )
        return self.from_rows(out, labels)

    def backward(self, signal: Any) -> tuple[Variable | None, ...]:
        want_signal, *constants = self.wanted
        to_signal = None
        if want_signal:
            given = [self.saved(symbol) for symbol in self.rule.inputs[1 : len(self.inputs)]]
            picked = NLLLossGradElement(False, self.classes, self.ignore_index)(
                signal.constant(1.0), *given
            )
            to_signal = sum(multiply(signal, picked), 1 if self.per_example else None)
        return to_signal, *(None for _ in constants)


# -- functions -----------------------------------------------------------------------


def nll_loss(
    x: Any,
    labels: Any,
    weight: Any = None,
    *,
    ignore_index: int = IGNORE_INDEX,
    reduction: str = "mean",
) -> Any:
    """Compare log-probabilities with the true classes: ``L = -x_y``.

    Parameters
    ----------
    x : Tensor, shape (N, K) or (N, K, H, W)
        Logarithms of probabilities, as `log_softmax` gives them.
    labels : Tensor or ndarray of integers, shape (N,) or (N, H, W)
        True classes, 0 to K - 1, or `ignore_index`.
    weight : Tensor or ndarray, shape (K,), optional
        How much each class counts; all the same by default. A constant, of the type of x.
    ignore_index : int
        A label that stands for no class: such examples count nothing, and receive no signal.
    reduction : {"mean", "sum", "none"}
        Over the labels. The mean divides by the sum of their weights: by N without weights.

    Returns
    -------
    Tensor, shape () or the shape of labels

    Raises
    ------
    ShapeError, DTypeError, OptionError
        If shapes or types do not fit, or a label lies outside the classes.

    Notes
    -----
    ``δ(x) = -onehot(y)``, divided by N for the mean; times the weight of the class.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern recognition and machine learning", Springer 2006, equation 4.108.

    Examples
    --------
    >>> import numpy as np, tinygrad_cnn as tg
    >>> x = tg.Tensor([[-0.5, -1.0], [-2.0, -0.25]])
    >>> tg.functional.nll_loss(x, np.array([0, 1]), reduction="sum").item()
    0.75
    """
    inputs = [lifted("nll_loss", x, labels)]
    if weight is not None:
        inputs.append(lifted("nll_loss", x, weight))
    return NLLLossElement(reduction, ignore_index, weight is not None)(x, *inputs)
