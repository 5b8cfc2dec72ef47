"""Layers: parameters and options; the arithmetic is in :mod:`tinygrad_cnn.functional`."""

from tinygrad_cnn.nn import init
from tinygrad_cnn.nn.layers import (
    AvgPool2d,
    Conv2d,
    CrossEntropyLoss,
    Flatten,
    Linear,
    MaxPool2d,
    MSELoss,
    ReLU,
    ScaledTanh,
    Sigmoid,
    Subsampling2d,
    TableConv2d,
    Tanh,
)
from tinygrad_cnn.nn.module import Module, Parameter, Sequential

__all__ = [
    "AvgPool2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Flatten",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "ScaledTanh",
    "Sequential",
    "Sigmoid",
    "Subsampling2d",
    "TableConv2d",
    "Tanh",
    "init",
]
