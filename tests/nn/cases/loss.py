"""Losses."""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import ROWS, Case

WEIGHTS = np.array([1.0, 2.0, 0.5], np.float32)
SIGNS = np.where(np.arange(12).reshape(ROWS) % 2, 1, -1)


class WithSigns(Case):
    """A row whose targets are 1 and -1."""

    def draw(self) -> list[Any]:
        return [*super().draw(), SIGNS]


CASES = (
    Case(
        nn.CrossEntropyLoss,
        (ROWS, ()),
        lambda _, x, labels: F.cross_entropy(x, labels),
        "CrossEntropyLoss()",
    ),
    Case(
        lambda: nn.CrossEntropyLoss([1.0, 2.0, 0.5]),
        (ROWS, ()),
        lambda _, x, labels: F.cross_entropy(x, labels, WEIGHTS),
        "CrossEntropyLoss()",
    ),
    Case(
        lambda: nn.CrossEntropyLoss(reduction="sum"),
        (ROWS, ()),
        lambda _, x, labels: F.cross_entropy(x, labels, reduction="sum"),
        "CrossEntropyLoss(reduction=sum)",
    ),
    Case(
        lambda: nn.CrossEntropyLoss(WEIGHTS, ignore_index=1, label_smoothing=0.1),
        (ROWS, ()),
        lambda layer, x, labels: F.cross_entropy(
            x, labels, layer.weight, ignore_index=1, label_smoothing=0.1
        ),
        "CrossEntropyLoss(ignore_index=1, label_smoothing=0.1)",
    ),
    Case(nn.NLLLoss, (ROWS, ()), lambda _, x, labels: F.nll_loss(x, labels), "NLLLoss()"),
    Case(
        lambda: nn.NLLLoss(tg.Tensor(WEIGHTS), reduction="none"),
        (ROWS, ()),
        lambda layer, x, labels: F.nll_loss(x, labels, layer.weight, reduction="none"),
        "NLLLoss(reduction=none)",
    ),
    Case(
        nn.BCEWithLogitsLoss,
        (ROWS, ROWS),
        lambda _, x, y: F.binary_cross_entropy_with_logits(x, y),
        "BCEWithLogitsLoss()",
    ),
    Case(
        lambda: nn.BCEWithLogitsLoss(WEIGHTS, pos_weight=WEIGHTS[::-1], reduction="sum"),
        (ROWS, ROWS),
        lambda layer, x, y: F.binary_cross_entropy_with_logits(
            x, y, layer.weight, pos_weight=layer.pos_weight, reduction="sum"
        ),
        "BCEWithLogitsLoss(reduction=sum)",
    ),
    WithSigns(
        lambda: nn.HingeLoss(2.0),
        (ROWS,),
        lambda _, s, t: F.hinge_loss(s, t, 2.0),
        "HingeLoss(margin=2.0)",
    ),
    Case(
        lambda: nn.MultiMarginLoss(margin=0.5),
        (ROWS, ()),
        lambda _, x, labels: F.multi_margin_loss(x, labels, margin=0.5),
        "MultiMarginLoss(margin=0.5)",
    ),
    Case(nn.RBFLoss, (ROWS, ()), lambda _, s, labels: F.rbf_loss(s, labels), "RBFLoss()"),
    Case(
        lambda: nn.RBFLoss(1.0, reduction="none"),
        (ROWS, ()),
        lambda _, s, labels: F.rbf_loss(s, labels, 1.0, reduction="none"),
        "RBFLoss(j=1.0, reduction=none)",
    ),
    Case(nn.MSELoss, (ROWS, ROWS), lambda _, a, y: F.mse_loss(a, y), "MSELoss()"),
    Case(
        lambda: nn.MSELoss(reduction="none"),
        (ROWS, ROWS),
        lambda _, a, y: F.mse_loss(a, y, "none"),
        "MSELoss(reduction=none)",
    ),
    Case(nn.L1Loss, (ROWS, ROWS), lambda _, a, y: F.l1_loss(a, y), "L1Loss()"),
    Case(
        lambda: nn.L1Loss(reduction="sum"),
        (ROWS, ROWS),
        lambda _, a, y: F.l1_loss(a, y, "sum"),
        "L1Loss(reduction=sum)",
    ),
)
