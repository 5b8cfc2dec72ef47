"""Pooling layers."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.nn import init
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.requirements import Size, refuse_unbuilt, require_positive, single
from tinygrad_cnn.tensor import Tensor


class MaxPool2d(Module):
    """Maximum pooling; see :func:`tinygrad_cnn.functional.max_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int), in pixels
        The window, its step (by default the window) and the border, which never wins.
    dilation, return_indices, ceil_mode
        Stand where PyTorch has them; only 1, False and False are built.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        refuse_unbuilt(
            "MaxPool2d",
            dilation=(single(dilation), 1),
            return_indices=(return_indices, False),
            ceil_mode=(ceil_mode, False),
        )
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, OH, OW)."""
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)

    def options(self) -> str:
        return _pooling(self.kernel_size, self.stride, self.padding)


class AvgPool2d(Module):
    """Average pooling; see :func:`tinygrad_cnn.functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int), in pixels
        The window, its step (by default the window) and the border of zeros.
    ceil_mode, count_include_pad
        Stand where PyTorch has them; only False and True are built.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        refuse_unbuilt(
            "AvgPool2d",
            ceil_mode=(ceil_mode, False),
            count_include_pad=(count_include_pad, True),
        )
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, OH, OW)."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)

    def options(self) -> str:
        return _pooling(self.kernel_size, self.stride, self.padding)


def _pooling(kernel_size: Size, stride: Size | None, padding: Size) -> str:
    border = f", padding {padding}" if padding else ""
    return f"{kernel_size}, stride {stride or kernel_size}{border}"


class Subsampling2d(Module):
    """LeCun's trainable subsampling: coefficient · (sum of the window) + bias, per channel.

    Parameters
    ----------
    channels : int
    kernel_size : int, in pixels
        Windows do not overlap.

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
