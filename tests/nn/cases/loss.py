"""Losses."""

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import ROWS, Case

CASES = (
    Case(
        nn.CrossEntropyLoss,
        (ROWS, ()),
        lambda _, x, labels: F.cross_entropy(x, labels),
        "CrossEntropyLoss()",
    ),
    Case(
        lambda: nn.CrossEntropyLoss(reduction="sum"),
        (ROWS, ()),
        lambda _, x, labels: F.cross_entropy(x, labels, "sum"),
        "CrossEntropyLoss(reduction=sum)",
    ),
    Case(nn.MSELoss, (ROWS, ROWS), lambda _, a, y: F.mse_loss(a, y), "MSELoss()"),
    Case(
        lambda: nn.MSELoss(reduction="none"),
        (ROWS, ROWS),
        lambda _, a, y: F.mse_loss(a, y, "none"),
        "MSELoss(reduction=none)",
    ),
)
