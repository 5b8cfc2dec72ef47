"""What each function computes, said a second time in float64 NumPy; no code of the package.

Arguments have the names and order of the functions they judge. Rows say `oracles.name`: a name
below is the function, also where its module is called the same.
"""

from .activation import (
    clamp,
    elu,
    hardsigmoid,
    leaky_relu,
    relu,
    scaled_tanh,
    sigmoid,
    softplus,
    tanh,
)
from .affine import affine
from .conv import conv1d, conv2d, conv_transpose2d
from .differences import difference_quotient
from .distances import squared_distances
from .dropout import dropout, dropout2d
from .loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    rbf_loss,
    squared_error,
)
from .norm import batch_norm, local_response_norm
from .pool import avg_pool2d, max_pool2d
from .reduce import max, mean, min, std, sum, var
from .shape import (
    broadcast_to,
    flatten,
    index,
    joined,
    pad,
    permute,
    place,
    reshape,
    squeeze,
    stacked,
    transpose,
    unsqueeze,
)
from .softmax import log_softmax, softmax

__all__ = [
    "affine",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "clamp",
    "conv1d",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "difference_quotient",
    "dropout",
    "dropout2d",
    "elu",
    "flatten",
    "hardsigmoid",
    "hinge_loss",
    "index",
    "joined",
    "l1_loss",
    "leaky_relu",
    "local_response_norm",
    "log_softmax",
    "max",
    "max_pool2d",
    "mean",
    "min",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "pad",
    "permute",
    "place",
    "rbf_loss",
    "relu",
    "reshape",
    "scaled_tanh",
    "sigmoid",
    "softmax",
    "softplus",
    "squared_distances",
    "squared_error",
    "squeeze",
    "stacked",
    "std",
    "sum",
    "tanh",
    "transpose",
    "unsqueeze",
    "var",
]
