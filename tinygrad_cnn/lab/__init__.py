"""Experiments with kernels: what runs here, and how fast."""

from tinygrad_cnn.lab.conv_benchmark import (
    SHAPES,
    ConvShape,
    Measurement,
    benchmark_conv,
)

__all__ = ["SHAPES", "ConvShape", "Measurement", "benchmark_conv"]
