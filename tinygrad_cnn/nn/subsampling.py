"""The pooling of 1998, with two trained numbers for each channel."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.nn import init
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.requirements import require_positive
from tinygrad_cnn.tensor import Tensor


class Subsampling2d(Module):
    """LeCun's trainable subsampling: coefficient · (sum of the window) + bias, per channel.

    Parameters
    ----------
    channels : int
    kernel_size : int, in pixels
        Windows do not overlap.

    Raises
    ------
    OptionError
        If a size is not a positive integer.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition",
       Proc. IEEE 86(11), 1998, section II-B, layer S2.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.Subsampling2d(6, 2).count_parameters()
    12
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        require_positive("Subsampling2d", channels=channels, kernel_size=kernel_size)
        self.kernel_size = kernel_size
        self.weight = Parameter(np.empty((channels, 1, 1), np.float32))
        self.bias = Parameter(np.empty((channels, 1, 1), np.float32))
        self.fan_in = kernel_size * kernel_size
        init.fan_in_uniform_(self.weight, self.fan_in)
        init.fan_in_uniform_(self.bias, self.fan_in)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, H / kernel, W / kernel)."""
        mean = F.avg_pool2d(x, self.kernel_size)
        return mean * (self.weight * self.kernel_size**2) + self.bias

    def options(self) -> str:
        return f"{self.weight.shape[0]}, {self.kernel_size}"
