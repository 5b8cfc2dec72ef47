"""Convolutions, also with a table of connections."""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import IMAGES, Case

TABLE = ((0, 1), (2,), (0, 2))


def dense_convolution(layer: Any, x: tg.Tensor) -> Any:
    """Convolve with the filters of a table at their places and zeros at the others."""
    key = (
        [o for o, row in enumerate(TABLE) for _ in row],
        [c for row in TABLE for c in row],
    )
    dense = np.zeros((3, 3, 2, 2), np.float32)
    dense[key] = layer.weight.numpy()
    return F.conv2d(x, tg.Tensor(dense), layer.bias)


CASES = (
    Case(
        lambda: nn.Conv2d(3, 2, (3, 2), 2, 1),
        (IMAGES,),
        lambda layer, x: F.conv2d(x, layer.weight, layer.bias, 2, 1),
        "Conv2d(3, 2, kernel 3x2, stride (2, 2), padding (1, 1))",
    ),
    Case(
        lambda: nn.Conv2d(3, 2, 3, bias=False),
        (IMAGES,),
        lambda layer, x: F.conv2d(x, layer.weight),
        "Conv2d(3, 2, kernel 3x3, stride (1, 1), padding (0, 0))",
    ),
    Case(
        lambda: nn.TableConv2d(TABLE, 3, 2),
        (IMAGES,),
        dense_convolution,
        "TableConv2d(3, 3, kernel 2x2, 5 connections)",
    ),
)
