"""Pooling, also with coefficients."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import IMAGES, Case


def scaled_sums(layer: Any, x: tg.Tensor) -> Any:
    """Return coefficient · (sum of each 2x2 window) + bias."""
    sums = x.numpy().reshape(2, 3, 3, 2, 3, 2).sum((3, 5))
    return tg.Tensor(layer.weight.numpy() * sums + layer.bias.numpy())


def mean_of_squares(values: Any) -> Any:
    return F.mean(values * values, -1)


@dataclass(frozen=True)
class WithIndices(Case):
    """A row whose second input says where the values of the first belong, in 6x6 pixels."""

    def draw(self) -> list[Any]:
        (x,) = super().draw()
        pooled = np.random.default_rng(3).normal(size=(*x.shape[:2], 6, 6))
        return [x, F.max_pool2d(tg.Tensor(pooled), 2, return_indices=True)[1].numpy()]


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
    Case(
        lambda: nn.MaxPool2d((2, 3), None, 1, (2, 1), False, True, ties="split"),
        (IMAGES,),
        lambda _, x: F.max_pool2d(x, (2, 3), None, 1, (2, 1), True, ties="split"),
        "MaxPool2d((2, 3), stride (2, 3), padding 1, dilation (2, 1), ceil_mode True, ties split)",
    ),
    Case(
        lambda: nn.AvgPool2d(3, 2, 1, True, False),
        (IMAGES,),
        lambda _, x: F.avg_pool2d(x, 3, 2, 1, True, False),
        "AvgPool2d(3, stride 2, padding 1, ceil_mode True, count_include_pad False)",
    ),
    Case(
        lambda: nn.AvgPool2d(2, divisor_override=3),
        (IMAGES,),
        lambda _, x: F.avg_pool2d(x, 2, divisor_override=3),
        "AvgPool2d(2, stride 2, divisor_override 3)",
    ),
    Case(
        lambda: nn.SumPool2d(4, 3, 1, True),
        (IMAGES,),
        lambda _, x: F.sum_pool2d(x, 4, 3, 1, True),
        "SumPool2d(4, stride 3, padding 1, ceil_mode True)",
    ),
    Case(
        lambda: nn.LPPool2d(3, 4, 3, ceil_mode=True),
        (IMAGES,),
        lambda _, x: F.lp_pool2d(x, 3, 4, 3, True),
        "LPPool2d(4, stride 3, p 3, ceil_mode True)",
    ),
    Case(
        lambda: nn.AdaptiveAvgPool2d(1),
        (IMAGES,),
        lambda _, x: F.adaptive_avg_pool2d(x, 1),
        "AdaptiveAvgPool2d(1)",
    ),
    Case(
        lambda: nn.AdaptiveAvgPool2d((None, 4)),
        (IMAGES,),
        lambda _, x: F.adaptive_avg_pool2d(x, (6, 4)),
        "AdaptiveAvgPool2d((None, 4))",
    ),
    Case(
        lambda: nn.Pool2d(mean_of_squares, 2, 1, 1, 2, True),
        (IMAGES,),
        lambda _, x: F.pool2d(x, mean_of_squares, 2, 1, 1, 2, True),
        "Pool2d(mean_of_squares, 2, stride 1, padding 1, dilation 2, ceil_mode True)",
    ),
    WithIndices(
        lambda: nn.MaxUnpool2d(2),
        ((2, 3, 3, 3),),
        lambda _, x, indices: F.max_unpool2d(x, indices, 2, output_size=(6, 6)),
        "MaxUnpool2d(2, stride 2)",
    ),
    Case(lambda: nn.Subsampling2d(3, 2), (IMAGES,), scaled_sums, "Subsampling2d(3, 2)"),
)
