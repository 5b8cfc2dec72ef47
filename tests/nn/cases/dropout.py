"""Dropout of values and of channels."""

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import IMAGES, ROWS, Case

CASES = (
    Case(
        nn.Dropout,
        (ROWS,),
        lambda layer, x: F.dropout(x, 0.5, layer.training),
        "Dropout(p 0.5)",
        modes_differ=True,
        random=True,
    ),
    Case(
        lambda: nn.Dropout2d(0.25),
        (IMAGES,),
        lambda layer, x: F.dropout2d(x, 0.25, layer.training),
        "Dropout2d(p 0.25)",
        modes_differ=True,
        random=True,
    ),
    Case(lambda: nn.Dropout(0.0), (ROWS,), lambda _, x: x, "Dropout(p 0.0)"),
)
