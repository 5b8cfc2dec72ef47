"""Layers: parameters and options; the arithmetic is in :mod:`tinygrad_cnn.functional`."""

from tinygrad_cnn.device import without_memory
from tinygrad_cnn.nn import init
from tinygrad_cnn.nn.activation import (
    ELU,
    Hardsigmoid,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    ScaledTanh,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from tinygrad_cnn.nn.container import Flatten, Identity, ModuleList, Sequential
from tinygrad_cnn.nn.conv import Conv1d, Conv2d, ConvTranspose2d, TableConv2d
from tinygrad_cnn.nn.conversion import to_convolution
from tinygrad_cnn.nn.dropout import Dropout, Dropout2d
from tinygrad_cnn.nn.fusion import fuse
from tinygrad_cnn.nn.linear import Linear
from tinygrad_cnn.nn.loss import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    RBFLoss,
)
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.norm import BatchNorm1d, BatchNorm2d, LocalResponseNorm
from tinygrad_cnn.nn.pool import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    LPPool2d,
    MaxPool2d,
    MaxUnpool2d,
    Pool2d,
    SumPool2d,
)
from tinygrad_cnn.nn.rbf import RBFOutput
from tinygrad_cnn.nn.residual import Add
from tinygrad_cnn.nn.squeeze_excitation import SqueezeExcitation
from tinygrad_cnn.nn.subsampling import Subsampling2d
from tinygrad_cnn.nn.summary import Summary, summary

__all__ = [
    "ELU",
    "AdaptiveAvgPool2d",
    "Add",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "Hardsigmoid",
    "HingeLoss",
    "Identity",
    "L1Loss",
    "LPPool2d",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "MaxUnpool2d",
    "Module",
    "ModuleList",
    "MultiMarginLoss",
    "NLLLoss",
    "Parameter",
    "Pool2d",
    "RBFLoss",
    "RBFOutput",
    "ReLU",
    "ScaledTanh",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "SqueezeExcitation",
    "Subsampling2d",
    "SumPool2d",
    "Summary",
    "TableConv2d",
    "Tanh",
    "fuse",
    "init",
    "summary",
    "to_convolution",
    "without_memory",
]
