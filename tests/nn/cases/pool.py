"""Pooling, also with coefficients."""

from typing import Any

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import IMAGES, Case


def scaled_sums(layer: Any, x: tg.Tensor) -> Any:
    """Return coefficient · (sum of each 2x2 window) + bias."""
    sums = x.numpy().reshape(2, 3, 3, 2, 3, 2).sum((3, 5))
    return tg.Tensor(layer.weight.numpy() * sums + layer.bias.numpy())


CASES = (
    Case(
        lambda: nn.MaxPool2d(2),
        (IMAGES,),
        lambda _, x: F.max_pool2d(x, 2),
        "MaxPool2d(2, stride 2)",
    ),
    Case(
        lambda: nn.MaxPool2d(3, 2, 1),
        (IMAGES,),
        lambda _, x: F.max_pool2d(x, 3, 2, 1),
        "MaxPool2d(3, stride 2, padding 1)",
    ),
    Case(
        lambda: nn.AvgPool2d((3, 2), 1),
        (IMAGES,),
        lambda _, x: F.avg_pool2d(x, (3, 2), 1),
        "AvgPool2d((3, 2), stride 1)",
    ),
    Case(lambda: nn.Subsampling2d(3, 2), (IMAGES,), scaled_sums, "Subsampling2d(3, 2)"),
)
