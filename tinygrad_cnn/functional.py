"""All functions of elements by name: ``from tinygrad_cnn import functional as F``."""

from tinygrad_cnn.elements.activation import relu, scaled_tanh, sigmoid, tanh
from tinygrad_cnn.elements.affine import affine, linear, matmul
from tinygrad_cnn.elements.arithmetic import add, divide, multiply, negative, subtract
from tinygrad_cnn.elements.conv import conv2d
from tinygrad_cnn.elements.extremes import max, min
from tinygrad_cnn.elements.join import concatenate, stack
from tinygrad_cnn.elements.loss import cross_entropy, mse_loss, squared_error
from tinygrad_cnn.elements.pad import pad
from tinygrad_cnn.elements.pool import avg_pool2d, max_pool2d
from tinygrad_cnn.elements.powers import exp, log, power, sqrt
from tinygrad_cnn.elements.reduce import broadcast_to, mean, sum
from tinygrad_cnn.elements.shape import clone, flatten, place, reshape, squeeze, unsqueeze
from tinygrad_cnn.elements.softmax import log_softmax, softmax
from tinygrad_cnn.elements.transpose import permute, transpose

__all__ = [
    "add",
    "affine",
    "avg_pool2d",
    "broadcast_to",
    "clone",
    "concatenate",
    "conv2d",
    "cross_entropy",
    "divide",
    "exp",
    "flatten",
    "linear",
    "log",
    "log_softmax",
    "matmul",
    "max",
    "max_pool2d",
    "mean",
    "min",
    "mse_loss",
    "multiply",
    "negative",
    "pad",
    "permute",
    "place",
    "power",
    "relu",
    "reshape",
    "scaled_tanh",
    "sigmoid",
    "softmax",
    "sqrt",
    "squared_error",
    "squeeze",
    "stack",
    "subtract",
    "sum",
    "tanh",
    "transpose",
    "unsqueeze",
]
