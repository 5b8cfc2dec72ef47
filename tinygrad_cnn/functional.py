"""All functions of elements by name: ``from tinygrad_cnn import functional as F``."""

from tinygrad_cnn.elements.activation import (
    log_softmax,
    relu,
    scaled_tanh,
    sigmoid,
    softmax,
    tanh,
)
from tinygrad_cnn.elements.affine import affine, linear, matmul
from tinygrad_cnn.elements.arithmetic import (
    add,
    divide,
    exp,
    log,
    multiply,
    negative,
    power,
    sqrt,
    subtract,
)
from tinygrad_cnn.elements.conv import conv2d
from tinygrad_cnn.elements.join import concatenate, stack
from tinygrad_cnn.elements.loss import cross_entropy, mse_loss, squared_error
from tinygrad_cnn.elements.pool import avg_pool2d, max_pool2d
from tinygrad_cnn.elements.reduce import broadcast_to, max, mean, min, sum
from tinygrad_cnn.elements.shape import (
    clone,
    flatten,
    pad,
    permute,
    place,
    reshape,
    squeeze,
    transpose,
    unsqueeze,
)

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
