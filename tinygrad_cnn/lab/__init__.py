"""Experiments with kernels: what runs here, and how fast."""

from tinygrad_cnn.lab.conv_benchmark import (
    SHAPES,
    ConvShape,
    Measurement,
    benchmark_conv,
)
from tinygrad_cnn.lab.warm_up import WarmedUp, kernels_of, warm_up

__all__ = [
    "SHAPES",
    "ConvShape",
    "Measurement",
    "WarmedUp",
    "benchmark_conv",
    "kernels_of",
    "warm_up",
]
