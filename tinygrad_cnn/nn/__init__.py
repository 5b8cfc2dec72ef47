"""Layers: parameters and options; the arithmetic is in :mod:`tinygrad_cnn.functional`."""

from tinygrad_cnn.nn import init
from tinygrad_cnn.nn.activation import ReLU, ScaledTanh, Sigmoid, Tanh
from tinygrad_cnn.nn.container import Flatten, Identity, ModuleList, Sequential
from tinygrad_cnn.nn.conv import Conv2d, TableConv2d
from tinygrad_cnn.nn.linear import Linear
from tinygrad_cnn.nn.loss import CrossEntropyLoss, MSELoss
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.pool import AvgPool2d, MaxPool2d, Subsampling2d

__all__ = [
    "AvgPool2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Flatten",
    "Identity",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleList",
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
