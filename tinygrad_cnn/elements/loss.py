"""What all losses share; a loss is the last element, where the error signal starts.

The losses themselves stand in `loss_regression`, `loss_binary`, `loss_likelihood`,
`loss_cross_entropy`, `loss_margin` and `loss_rbf`.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import numpy as np

from tinygrad_cnn.device import ArrayDevice
from tinygrad_cnn.element import ArrayElement, FunctionElement
from tinygrad_cnn.elements.reduce import broadcast_to
from tinygrad_cnn.elements.requirements import constants, one_float_type
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

# What a reduction makes of the rule of one example, which goes into the braces: the loss and
# its LaTeX, and what is appended to the error signal and put before its LaTeX. Losses of classes
# count N examples, losses of single values m of these.
OVER_EXAMPLES = {
    "mean": ("Σ {} / N", r"L = \frac{{1}}{{N}} \sum_n {}", " / N", r"\tfrac{1}{N} "),
    "sum": ("Σ {}", r"L = \sum_n {}", "", ""),
    "none": ("{}", "L = {}", "", ""),
}
OVER_ELEMENTS = {
    "mean": ("Σ {} / m", r"L = \frac{{1}}{{m}} \sum {}", " / m", r"\tfrac{1}{m} "),
    "sum": ("Σ {}", r"L = \sum {}", "", ""),
    "none": ("{}", "L = {}", "", ""),
}


def require_reduction(
    operation: str, reduction: Any, known: Collection[str] = OVER_ELEMENTS
) -> None:
    """Refuse what is no way to make one number of many losses."""
    if not isinstance(reduction, str) or reduction not in known:
        raise OptionError(f"{operation}: reduction is one of {', '.join(known)}; got {reduction!r}")


class LossElement(FunctionElement):
    """Common part: the reduction decides the rule."""

    rules: ClassVar[Mapping[str, Rule]]  # by reduction
    usual_reduction: ClassVar[str] = "mean"

    def __init__(self, reduction: str) -> None:
        require_reduction(self.name, reduction, self.rules)
        self.reduction = reduction
        self.rule = self.rules[reduction]

    def options(self) -> dict[str, Any]:
        return {} if self.reduction == self.usual_reduction else {"reduction": self.reduction}

    def reduced(self, losses: Any) -> Any:
        """Return single losses, their sum, or their mean, which is NaN where there are none."""
        if self.reduction == "none":
            return losses
        total = self.device.total(losses)
        if self.reduction == "sum":
            return total
        count = getattr(losses, "size", 1)
        return self.device.elementwise("divide", total, *constants(total, (count,)))

    def share(self, signal: Any, shape: Shape) -> Any:
        """Return what of an error signal reaches each single loss, of which there is a shape."""
        return signal / max(math.prod(shape), 1) if self.reduction == "mean" else signal


class PairLossElement(LossElement):
    """Common part of the losses that compare a prediction with a target, value by value."""

    def check(self, a: Variable, y: Variable, *others: Variable) -> None:
        one_float_type(self.name, a, y, *others)
        if a.shape != y.shape:
            raise ShapeError(
                f"{self.name}: prediction and target have one shape; got {a.shape} and {y.shape}"
            )
        if not a.shape and self.reduction == "mean":  # the mean of one number is the number
            self.rule = self.rule_of("sum")

    def rule_of(self, reduction: str) -> Rule:
        """Return the rule with another reduction and the same options."""
        return self.rules[reduction]

    def each(self, signal: Variable, shape: Shape) -> Any:
        """Return what of an error signal reaches each single loss, one by one."""
        share = self.share(signal, shape)
        return share if share.shape == shape else broadcast_to(share, shape)


class ClassLossElement(LossElement, ArrayElement):
    """Common part of the losses that compare scores (N, K, ...) with labels (N, ...)."""

    ignore_index: int | None = None  # a label that stands for no class
    spatial: ClassVar[bool] = False  # whether each example may be a map of labels

    def check(self, x: Variable, labels: Variable, weight: Variable | None = None) -> None:
        one_float_type(self.name, x)
        dims = len(x.shape)
        fits = dims == 2 or (self.spatial and dims > 2)
        if not fits or labels.shape != (x.shape[0], *x.shape[2:]) or x.shape[1] == 0:
            forms = "(N, K) and labels (N,)"
            if self.spatial:
                forms += ", or (N, K, H, W) and (N, H, W)"
            raise ShapeError(
                f"{self.name}: scores are {forms}; got scores {x.shape} and labels {labels.shape}"
            )
        if labels.dtype.kind not in "iu":
            raise DTypeError(
                f"{self.name}: labels are integers; got {labels.dtype}. Convert with .long()"
            )
        self._check_labels(labels._value, x.shape[1])
        if weight is not None:
            self._check_weight(x, weight)

    def _check_labels(self, labels: Any, classes: int) -> None:
        wrong = (labels < 0) | (labels >= classes)
        if not np.count_nonzero(wrong):
            return
        if self.ignore_index is not None:
            wrong &= labels != self.ignore_index
        if np.count_nonzero(wrong):
            place = wrong.nonzero()
            first = tuple(int(axis[0]) for axis in place)
            raise OptionError(
                f"{self.name}: labels lie in 0..{classes - 1} for {classes} classes; "
                f"got {int(labels[first])} at position {first[0] if len(first) == 1 else first}"
            )

    def _check_weight(self, x: Variable, weight: Variable) -> None:
        one_float_type(self.name, x, weight)
        if weight.shape != x.shape[1:2]:
            raise ShapeError(
                f"{self.name}: there is one weight for each of {x.shape[1]} classes; "
                f"got shape {weight.shape}"
            )
        if weight.requires_grad:
            raise OptionError(
                f"{self.name}: class weights are constants; got one that requires a gradient. "
                "Hand over weight.detach()"
            )


class ClassLossGradientElement(ArrayElement):
    """Common part of the error signals of scores."""

    def __init__(self, per_example: bool) -> None:
        self.per_example = per_example  # whether each single loss has a signal of its own

    def each(self, signal: Any, labels: Any) -> Any:
        """Return the signal of each label, as a vector."""
        if signal.size == labels.size:
            return label_vector(signal)
        vector = self.device.empty((labels.size,), signal.dtype)
        vector[...] = signal
        return vector

    def from_rows(self, rows: Any, labels: Any) -> Any:
        """Return a matrix with a row for each label in the shape (N, K, ...) of the scores."""
        if labels.ndim == 1:
            return rows
        last = rows.reshape(*labels.shape, rows.shape[-1])
        return self.device.xp.moveaxis(last, -1, 1)


def score_rows(device: ArrayDevice, x: Any) -> Any:
    """Return scores (N, K, ...) as a matrix with a row of K scores for each label."""
    return layout.contiguous(device.rows(layout.axis_last(x, 1)))


def class_weights(device: ArrayDevice, weight: Any, dtype: Any) -> Any:
    """Return weights of classes as kernels take them: no weights are an empty array."""
    return device.empty((0,), dtype) if weight is None else weight


def label_vector(labels: Any) -> Any:
    """Return labels (N, ...) as a vector, in the order of :func:`score_rows`."""
    return layout.contiguous(labels if labels.ndim == 1 else labels.reshape(-1))
