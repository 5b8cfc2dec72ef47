"""Convolution layers."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.conv import pair
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn import init
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.requirements import Size, refuse_unbuilt, require_positive, single
from tinygrad_cnn.tensor import Tensor


class Conv2d(Module):
    """A convolution layer; see :func:`tinygrad_cnn.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O; weight is (O, C, KH, KW).
    kernel_size, stride, padding : int or (int, int), in pixels
        (down, across).
    dilation, groups : int
        Stand where PyTorch has them; only 1 is built.
    bias : bool
        Whether each output channel has a bias.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.Conv2d(1, 6, 5).count_parameters()
    156
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        refuse_unbuilt("Conv2d", dilation=(single(dilation), 1), groups=(groups, 1))
        require_positive("Conv2d", in_channels=in_channels, out_channels=out_channels)
        window = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.padding = pair("Conv2d", "padding", padding, 0)
        self.weight = Parameter(np.empty((out_channels, in_channels, *window), np.float32))
        self.bias = Parameter(np.empty(out_channels, np.float32)) if bias else None
        self.fan_in = in_channels * math.prod(window)
        init.fan_in_uniform_(self.weight, self.fan_in)
        init.fan_in_uniform_(self.bias, self.fan_in)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, OH, OW)."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def options(self) -> str:
        out, channels, kh, kw = self.weight.shape
        return f"{channels}, {out}, kernel {kh}x{kw}, stride {self.stride}, padding {self.padding}"


class TableConv2d(Module):
    """A convolution layer whose output maps each see only some of the input maps.

    Parameters
    ----------
    table : sequence of sequence of int
        For each output map, the input maps it is connected to.
    in_channels : int
        Number of input maps.
    kernel_size : int or (int, int), in pixels

    Notes
    -----
    The weight holds one filter for each connection, (connections, KH, KW); the filters of
    absent connections are zeros that do not exist as parameters. `fan_in` (O,) is that of
    each output map, `filter_fan_in` (connections, 1, 1) the same for each filter.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition",
       Proc. IEEE 86(11), 1998, table I.
    """

    def __init__(self, table: Sequence[Sequence[int]], in_channels: int, kernel_size: Size) -> None:
        super().__init__()
        for row in table:
            if not row or len(set(row)) != len(row) or not all(0 <= c < in_channels for c in row):
                raise OptionError(
                    "TableConv2d: each output map names at least one input map, once, out of "
                    f"0..{in_channels - 1}; got {tuple(row)}"
                )
        window = pair("TableConv2d", "kernel_size", kernel_size, 1)
        outputs = np.array([o for o, row in enumerate(table) for _ in row])
        inputs = np.array([c for row in table for c in row])
        self._key = (outputs, inputs)
        self._shape = (len(table), in_channels, *window)
        self.weight = Parameter(np.empty((len(inputs), *window), np.float32))
        self.bias = Parameter(np.empty(len(table), np.float32))
        # Each output map adds up as many values as it has connections and pixels.
        self.fan_in = np.array([len(row) * math.prod(window) for row in table])
        self.filter_fan_in = self.fan_in[outputs].reshape(-1, 1, 1)
        init.fan_in_uniform_(self.weight, self.filter_fan_in)
        init.fan_in_uniform_(self.bias, self.fan_in)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, OH, OW)."""
        return F.conv2d(x, F.place(self.weight, self._key, self._shape), self.bias)

    def options(self) -> str:
        out, channels, kh, kw = self._shape
        return f"{channels}, {out}, kernel {kh}x{kw}, {self.weight.shape[0]} connections"
