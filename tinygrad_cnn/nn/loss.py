"""Losses as layers."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.loss import require_reduction
from tinygrad_cnn.elements.requirements import finite_number
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.nn.requirements import refuse_unbuilt
from tinygrad_cnn.tensor import Tensor


class _Loss(Module):
    """Common part: options that are printed where they are not the usual ones."""

    _usual: tuple[tuple[str, Any], ...] = (("reduction", "mean"),)

    def __init__(self, **options: Any) -> None:
        super().__init__()
        require_reduction(type(self).__name__, options["reduction"])
        for name, _ in self._usual:
            setattr(self, name, options[name])

    def options(self) -> str:
        given = ((name, getattr(self, name)) for name, _ in self._usual)
        usual = dict(self._usual)
        return ", ".join(f"{name}={value}" for name, value in given if value != usual[name])


def _array(weight: Any) -> Any:
    """Return weights as an array of its own, which a state dictionary may fill.

    Plain numbers become float32, as in a Tensor.
    """
    if weight is None:
        return None
    if not isinstance(weight, Tensor | np.ndarray):
        weight = Tensor(weight).float()
    return np.array(weight)


class CrossEntropyLoss(_Loss):
    """Softmax and negative log-likelihood; see :func:`tinygrad_cnn.functional.cross_entropy`.

    Parameters
    ----------
    weight : Tensor or ndarray, shape (K,), optional
        How much each class counts; kept as a buffer.
    ignore_index : int
        A label that stands for no class.
    reduction : {"mean", "sum", "none"}
        Over the labels.
    label_smoothing : float, from 0 to 1
        The part of the truth that is spread over all classes.

    Examples
    --------
    >>> CrossEntropyLoss(label_smoothing=0.1)
    CrossEntropyLoss(label_smoothing=0.1)
    """

    _usual = (("ignore_index", -100), ("reduction", "mean"), ("label_smoothing", 0.0))
    ignore_index: int
    reduction: str
    label_smoothing: float
    weight: Any

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        smoothing = finite_number("CrossEntropyLoss", "label_smoothing", label_smoothing, 0.0, 1.0)
        super().__init__(ignore_index=ignore_index, reduction=reduction, label_smoothing=smoothing)
        self.register_buffer("weight", _array(weight))

    def forward(self, x: Tensor, labels: Any) -> Any:
        """Compare scores (N, K) or (N, K, H, W) with labels (N,) or (N, H, W)."""
        return F.cross_entropy(
            x,
            labels,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """Negative log-likelihood; see :func:`tinygrad_cnn.functional.nll_loss`.

    Parameters
    ----------
    weight : Tensor or ndarray, shape (K,), optional
        How much each class counts; kept as a buffer.
    ignore_index : int
        A label that stands for no class.
    reduction : {"mean", "sum", "none"}
        Over the labels.

    Examples
    --------
    >>> NLLLoss()
    NLLLoss()
    """

    _usual = (("ignore_index", -100), ("reduction", "mean"))
    ignore_index: int
    reduction: str
    weight: Any

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(ignore_index=ignore_index, reduction=reduction)
        self.register_buffer("weight", _array(weight))

    def forward(self, x: Tensor, labels: Any) -> Any:
        """Compare log-probabilities (N, K) or (N, K, H, W) with labels (N,) or (N, H, W)."""
        return F.nll_loss(
            x, labels, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class BCEWithLogitsLoss(_Loss):
    """Sigmoid and log-likelihood of yes-or-no questions.

    See :func:`tinygrad_cnn.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight : Tensor, ndarray or number, optional
        How much each question counts; kept as a buffer.
    reduction : {"mean", "sum", "none"}
        Over all elements.
    pos_weight : as `weight`, optional
        How much "yes" counts against "no"; kept as a buffer.

    Examples
    --------
    >>> BCEWithLogitsLoss(reduction="sum")
    BCEWithLogitsLoss(reduction=sum)
    """

    reduction: str
    weight: Any
    pos_weight: Any

    def __init__(
        self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", _array(weight))
        self.register_buffer("pos_weight", _array(pos_weight))

    def forward(self, x: Tensor, y: Any) -> Any:
        """Compare logits with the truth of the same shape."""
        return F.binary_cross_entropy_with_logits(
            x, y, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class HingeLoss(_Loss):
    """Hinge of two classes; see :func:`tinygrad_cnn.functional.hinge_loss`.

    Parameters
    ----------
    margin : float
        What t s has to reach for the loss to be 0.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Examples
    --------
    >>> HingeLoss(margin=0.5)
    HingeLoss(margin=0.5)
    """

    _usual = (("margin", 1.0), ("reduction", "mean"))
    margin: float
    reduction: str

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(margin=finite_number("HingeLoss", "margin", margin), reduction=reduction)

    def forward(self, s: Tensor, t: Any) -> Any:
        """Compare scores with classes 1 and -1 of the same shape."""
        return F.hinge_loss(s, t, self.margin, reduction=self.reduction)


class MultiMarginLoss(_Loss):
    """Hinge of many classes; see :func:`tinygrad_cnn.functional.multi_margin_loss`.

    Parameters
    ----------
    p : 1
        Power of each excess, of which there is only the first.
    margin : float
        By how much the true class has to be ahead.
    reduction : {"mean", "sum", "none"}
        Over the examples.

    Examples
    --------
    >>> MultiMarginLoss()
    MultiMarginLoss()
    """

    _usual = (("p", 1), ("margin", 1.0), ("reduction", "mean"))
    p: int
    margin: float
    reduction: str

    def __init__(self, p: int = 1, margin: float = 1.0, *, reduction: str = "mean") -> None:
        refuse_unbuilt("MultiMarginLoss", p=(p, 1))
        margin = finite_number("MultiMarginLoss", "margin", margin)
        super().__init__(p=p, margin=margin, reduction=reduction)

    def forward(self, x: Tensor, labels: Any) -> Any:
        """Compare scores (N, K) with labels (N,)."""
        return F.multi_margin_loss(x, labels, self.p, self.margin, reduction=self.reduction)


class RBFLoss(_Loss):
    """LeCun's loss of the scores of radial units; see :func:`tinygrad_cnn.functional.rbf_loss`.

    Parameters
    ----------
    j : float
        Constant penalty of a class for rubbish.
    reduction : {"mean", "sum", "none"}
        Over the examples.

    Examples
    --------
    >>> RBFLoss()
    RBFLoss()
    """

    _usual = (("j", 0.1), ("reduction", "mean"))
    j: float
    reduction: str

    def __init__(self, j: float = 0.1, *, reduction: str = "mean") -> None:
        super().__init__(j=finite_number("RBFLoss", "j", j), reduction=reduction)

    def forward(self, s: Tensor, labels: Any) -> Any:
        """Compare scores (N, K), penalties with their signs changed, with labels (N,)."""
        return F.rbf_loss(s, labels, self.j, reduction=self.reduction)


class MSELoss(_Loss):
    """Mean squared error; see :func:`tinygrad_cnn.functional.mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Examples
    --------
    >>> MSELoss()
    MSELoss()
    """

    reduction: str

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, a: Tensor, y: Tensor) -> Any:
        """Compare predictions with targets of the same shape."""
        return F.mse_loss(a, y, self.reduction)


class L1Loss(_Loss):
    """Mean absolute error; see :func:`tinygrad_cnn.functional.l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Examples
    --------
    >>> L1Loss()
    L1Loss()
    """

    reduction: str

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, a: Tensor, y: Tensor) -> Any:
        """Compare predictions with targets of the same shape."""
        return F.l1_loss(a, y, self.reduction)
