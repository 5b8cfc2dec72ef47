"""All functions of elements by name: ``from tinygrad_cnn import functional as F``."""

from tinygrad_cnn.elements.absolute import abs
from tinygrad_cnn.elements.activated import add_relu
from tinygrad_cnn.elements.activation import hardsigmoid, scaled_tanh, sigmoid, tanh
from tinygrad_cnn.elements.activation_rectifiers import leaky_relu, relu
from tinygrad_cnn.elements.activation_smooth import elu, softplus
from tinygrad_cnn.elements.affine import affine, linear, matmul
from tinygrad_cnn.elements.arithmetic import add, divide, multiply, negative, subtract
from tinygrad_cnn.elements.batch_norm import batch_norm
from tinygrad_cnn.elements.clamp import clamp
from tinygrad_cnn.elements.conv import conv2d
from tinygrad_cnn.elements.conv1d import conv1d
from tinygrad_cnn.elements.conv_transpose import conv_transpose2d
from tinygrad_cnn.elements.distances import squared_distances
from tinygrad_cnn.elements.dropout import dropout, dropout2d
from tinygrad_cnn.elements.extremes import max, min
from tinygrad_cnn.elements.index import place
from tinygrad_cnn.elements.join import concatenate, stack
from tinygrad_cnn.elements.local_response_norm import local_response_norm
from tinygrad_cnn.elements.loss_binary import binary_cross_entropy_with_logits
from tinygrad_cnn.elements.loss_cross_entropy import cross_entropy
from tinygrad_cnn.elements.loss_likelihood import nll_loss
from tinygrad_cnn.elements.loss_margin import hinge_loss, multi_margin_loss
from tinygrad_cnn.elements.loss_rbf import rbf_loss
from tinygrad_cnn.elements.loss_regression import l1_loss, mse_loss, squared_error
from tinygrad_cnn.elements.pad import pad
from tinygrad_cnn.elements.pool1d import avg_pool1d, max_pool1d
from tinygrad_cnn.elements.pool_adaptive import adaptive_avg_pool2d, global_avg_pool2d
from tinygrad_cnn.elements.pool_max import max_pool2d, max_unpool2d
from tinygrad_cnn.elements.pool_mean import avg_pool2d, sum_pool2d
from tinygrad_cnn.elements.pool_power import lp_pool2d
from tinygrad_cnn.elements.pool_windows import pool2d, windows
from tinygrad_cnn.elements.powers import exp, log, power, sqrt
from tinygrad_cnn.elements.reduce import broadcast_to, mean, sum
from tinygrad_cnn.elements.shape import clone, flatten, reshape, squeeze, unsqueeze
from tinygrad_cnn.elements.softmax import log_softmax, softmax
from tinygrad_cnn.elements.transpose import permute, transpose
from tinygrad_cnn.elements.variance import std, var

__all__ = [
    "abs",
    "adaptive_avg_pool2d",
    "add",
    "add_relu",
    "affine",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "clamp",
    "clone",
    "concatenate",
    "conv1d",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "divide",
    "dropout",
    "dropout2d",
    "elu",
    "exp",
    "flatten",
    "global_avg_pool2d",
    "hardsigmoid",
    "hinge_loss",
    "l1_loss",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log",
    "log_softmax",
    "lp_pool2d",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_unpool2d",
    "mean",
    "min",
    "mse_loss",
    "multi_margin_loss",
    "multiply",
    "negative",
    "nll_loss",
    "pad",
    "permute",
    "place",
    "pool2d",
    "power",
    "rbf_loss",
    "relu",
    "reshape",
    "scaled_tanh",
    "sigmoid",
    "softmax",
    "softplus",
    "sqrt",
    "squared_distances",
    "squared_error",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "sum_pool2d",
    "tanh",
    "transpose",
    "unsqueeze",
    "var",
    "windows",
]
