"""The example network of DeepLearnToolbox, 6c5-2s-12c5-2s.

R. B. Palm, "Prediction as a candidate for learning deep hierarchical models of data", master's
thesis, Technical University of Denmark, 2012, and its MATLAB toolbox (folder CNN).

=======  ==================================  ==========  ==========
layer    what                                output      parameters
=======  ==================================  ==========  ==========
C1       6 filters 5x5, sigmoid              24x24x6     156
S2       mean over 2x2                       12x12x6     0
C3       12 filters 5x5, all maps, sigmoid   8x8x12      1,812
S4       mean over 2x2                       4x4x12      0
output   fully connected, sigmoid            10          1,930
total                                                    3,898
=======  ==================================  ==========  ==========

A convolution here is the true one, with the filter turned by 180 degrees; the outputs are
squashed, and what is minimised is ½‖y − a‖² / batch against one-hot targets. Weights start as
Xavier's, biases at zero. The toolbox tells of about 11 % error on MNIST after one epoch, and of
1.2 % after a hundred.
"""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.models.building import Chain
from tinygrad_cnn.models.initial_weights import draw_xavier
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor


class TrueConv2d(nn.Conv2d):
    """Convolution in the mathematical sense: the filter is turned by 180 degrees."""

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, OH, OW)."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, flip=True)


def dlt_cnn(num_classes: int = 10) -> Module:
    """Build the example network of DeepLearnToolbox.

    Parameters
    ----------
    num_classes : int
        Number of outputs.

    Returns
    -------
    Module
        Maps images (N, 1, 28, 28) to values between 0 and 1, (N, num_classes).

    Examples
    --------
    >>> dlt_cnn().count_parameters()
    3898
    """
    model = Chain(
        {
            "C1": TrueConv2d(1, 6, 5),
            "squash1": nn.Sigmoid(),
            "S2": nn.AvgPool2d(2),
            "C3": TrueConv2d(6, 12, 5),
            "squash3": nn.Sigmoid(),
            "S4": nn.AvgPool2d(2),
            "flatten": nn.Flatten(),
            "output": nn.Linear(12 * 4 * 4, num_classes),
            "squash5": nn.Sigmoid(),
        }
    )
    draw_xavier(model)
    return model


def squared_error_of_classes(outputs: Tensor, labels: Any) -> Any:
    """Return ½‖y − a‖² / N against one-hot targets y.

    Parameters
    ----------
    outputs : Tensor, shape (N, K)
    labels : ndarray of integers, shape (N,)

    Returns
    -------
    Tensor, shape ()

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> squared_error_of_classes(tg.Tensor([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])).item()
    0.5
    """
    targets = np.eye(outputs.shape[1], dtype=outputs.dtype)[np.asarray(labels)]
    return F.squared_error(outputs, targets, "mean")


register(
    Network(
        "dlt_cnn",
        dlt_cnn,
        "Palm, DeepLearnToolbox, 2012",
        input_shape=(1, 28, 28),
        num_classes=10,
        twin_input=(1, 28, 28),
        loss=squared_error_of_classes,
    )
)
