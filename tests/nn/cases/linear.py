"""Linear layers."""

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import ROWS, Case

CASES = (
    Case(
        lambda: nn.Linear(3, 2),
        (ROWS,),
        lambda layer, x: F.linear(x, layer.weight, layer.bias),
        "Linear(3, 2)",
    ),
    Case(
        lambda: nn.Linear(3, 2, bias=False),
        (ROWS,),
        lambda layer, x: F.linear(x, layer.weight),
        "Linear(3, 2)",
    ),
)
