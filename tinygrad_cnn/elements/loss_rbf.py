"""LeCun's loss: cross entropy with one more class, for rubbish."""

from functools import lru_cache
from typing import Any

from tinygrad_cnn.elements.activation import numeral
from tinygrad_cnn.elements.index import IndexElement
from tinygrad_cnn.elements.join import concatenate
from tinygrad_cnn.elements.loss import OVER_EXAMPLES, ClassLossElement, class_weights, label_vector
from tinygrad_cnn.elements.loss_cross_entropy import CrossEntropyGradElement
from tinygrad_cnn.elements.reduce import broadcast_to
from tinygrad_cnn.elements.requirements import constants, finite_number, lifted
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


@lru_cache(maxsize=256)
def _rbf_rule(reduction: str, j: float = 0.1) -> Rule:
    forward, latex, share, latex_share = OVER_EXAMPLES[reduction]
    number = numeral(-j)
    return Rule(
        ("s", "labels"),
        ("L",),
        forward.format(f"(log(exp({number}) + Σ_k exp({{s}})) - {{s}}[{{labels}}])"),
        {
            "s": f"{{δL}} ∘ (q - onehot({{labels}})){share},"
            f" q = exp({{s}}) / (exp({number}) + Σ_k exp({{s}}))"
        },
        latex.format(rf"\left( \ln \left( e^{{{number}}} + \sum_k e^{{s_k}} \right) - s_l \right)"),
        {
            "s": rf"\delta(s) = {latex_share}\delta(L) \, (q - \operatorname{{onehot}}(l)), \;"
            rf" q_k = e^{{s_k}} / (e^{{{number}}} + \sum_i e^{{s_i}})"
        },
    )


class RBFLossElement(ClassLossElement, name="rbf_loss"):
    """Cross entropy with one more class, for rubbish, whose score is constant."""

    rules = {reduction: _rbf_rule(reduction) for reduction in ("mean", "sum", "none")}
    rule = rules["mean"]
    saves = {"s": ("s", "labels")}

    def __init__(self, reduction: str, j: float = 0.1) -> None:
        super().__init__(reduction)
        self.j = finite_number("rbf_loss", "j", j)
        self.rule = _rbf_rule(reduction, self.j)

    def options(self) -> dict[str, Any]:
        return super().options() | ({} if self.j == 0.1 else {"j": self.j})

    def forward(self, s: Any, labels: Any) -> Any:
        (rubbish,) = constants(s, (-self.j,))
        xp = self.device.xp
        column = xp.broadcast_to(rubbish, (len(s), 1))
        losses, shares = (self.device.empty(labels.shape, s.dtype) for _ in range(2))
        self.device.kernel("cross_entropy_forward", s.dtype).function(
            layout.contiguous(xp.concatenate((s, column), axis=1)),
            label_vector(labels),
            class_weights(self.device, None, s.dtype),
            -1,
            0.0,
            losses,
            shares,
        )
        return self.reduced(losses)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        s, labels = self.saved("s"), self.saved("labels")
        column = broadcast_to(s.constant(-self.j), (s.shape[0], 1))
        element = CrossEntropyGradElement(self.reduction == "none")
        share = self.share(signal, labels.shape)
        to_all = element(share, concatenate((s, column), 1), labels)
        return IndexElement((slice(None), slice(0, s.shape[1])))(to_all), None


# -- functions -----------------------------------------------------------------------


def rbf_loss(s: Any, labels: Any, j: float = 0.1, *, reduction: str = "mean") -> Any:
    """Pull the true class's penalty down, and push those of the others up to a limit.

    Parameters
    ----------
    s : Tensor, shape (N, K)
        Scores: the penalties of the classes with their signs changed, ``s = -y``, so that the
        largest is the answer.
    labels : Tensor or ndarray of integers, shape (N,)
        True classes, 0 to K - 1.
    j : float
        Constant penalty of a class for rubbish; what is penalised more is pushed no further.
    reduction : {"mean", "sum", "none"}
        Over the N examples.

    Returns
    -------
    Tensor, shape () or (N,)
        ``L = -s_D + log(exp(-j) + Σ_i exp(s_i))`` for the true class D.

    Raises
    ------
    ShapeError, DTypeError, OptionError
        If shapes, types or options do not fit, or a label lies outside the classes.

    Notes
    -----
    ``δ(s) = q - onehot(D)`` with ``q_i = exp(s_i) / (exp(-j) + Σ_k exp(s_k))``, divided by N for
    the mean. It is the cross entropy of K + 1 classes, the last of which scores -j. Nothing
    overflows.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proc. IEEE 86(11), 1998, section II-C, equation 9.

    Examples
    --------
    >>> import numpy as np, tinygrad_cnn as tg
    >>> s = tg.Tensor([[0.0, 0.0]], requires_grad=True)
    >>> tg.functional.rbf_loss(s, np.array([1]), j=0.0).backward()
    >>> [round(value, 4) for value in s.grad.tolist()[0]]
    [0.3333, -0.6667]
    """
    return RBFLossElement(reduction, j)(s, lifted("rbf_loss", s, labels))
