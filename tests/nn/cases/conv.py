"""Convolutions, also with a table of connections."""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import IMAGES, Case

FOUR_MAPS = (2, 4, 5, 6)
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
        lambda: nn.Conv2d(4, 6, 3, 1, ((2, 1), (0, 1)), (1, 2), 2, flip=True),
        (FOUR_MAPS,),
        lambda layer, x: F.conv2d(
            x, layer.weight, layer.bias, 1, ((2, 1), (0, 1)), (1, 2), 2, flip=True
        ),
        "Conv2d(4, 6, kernel 3x3, stride (1, 1), padding ((2, 1), (0, 1)), dilation (1, 2), "
        "groups 2, flip True)",
    ),
    Case(
        lambda: nn.Conv2d(4, 4, 2, padding="same", groups=4, bias=False),
        (FOUR_MAPS,),
        lambda layer, x: F.conv2d(x, layer.weight, None, 1, "same", 1, 4),
        "Conv2d(4, 4, kernel 2x2, stride (1, 1), padding same, groups 4)",
    ),
    Case(
        lambda: nn.Conv1d(3, 2, 3, 2, 1),
        ((2, 3, 6),),
        lambda layer, x: F.conv1d(x, layer.weight, layer.bias, 2, 1),
        "Conv1d(3, 2, kernel 3, stride 2, padding 1)",
    ),
    Case(
        lambda: nn.Conv1d(4, 4, 2, padding="same", dilation=3, groups=2, bias=False, flip=True),
        ((2, 4, 6),),
        lambda layer, x: F.conv1d(x, layer.weight, None, 1, "same", 3, 2, flip=True),
        "Conv1d(4, 4, kernel 2, stride 1, padding same, dilation 3, groups 2, flip True)",
    ),
    Case(
        lambda: nn.ConvTranspose2d(3, 2, 3, 2, 1, 1),
        (IMAGES,),
        lambda layer, x: F.conv_transpose2d(x, layer.weight, layer.bias, 2, 1, 1),
        "ConvTranspose2d(3, 2, kernel 3x3, stride (2, 2), padding (1, 1), output_padding 1)",
    ),
    Case(
        lambda: nn.ConvTranspose2d(4, 6, (2, 3), groups=2, bias=False, dilation=2),
        (FOUR_MAPS,),
        lambda layer, x: F.conv_transpose2d(x, layer.weight, groups=2, dilation=2),
        "ConvTranspose2d(4, 6, kernel 2x3, stride (1, 1), padding (0, 0), dilation 2, groups 2)",
    ),
    Case(
        lambda: nn.TableConv2d(TABLE, 3, 2),
        (IMAGES,),
        dense_convolution,
        "TableConv2d(3, 3, kernel 2x2, 5 connections)",
    ),
)
