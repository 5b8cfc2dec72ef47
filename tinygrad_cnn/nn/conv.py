"""Convolution layers."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.activated import require_activation
from tinygrad_cnn.elements.requirements import is_integer
from tinygrad_cnn.elements.window import (
    Margins,
    Padding,
    extra_pixels,
    margins,
    margins_across,
    pair,
    single,
    sliding_window,
)
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn import init, requirements
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.requirements import Size, refuse_unbuilt, require_positive
from tinygrad_cnn.tensor import Tensor


class _Conv(Module):
    """Common part: a weight, perhaps a bias, and how their initial values are drawn."""

    bias: Parameter | None
    groups: int

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return self.weight.shape[1] * self.groups

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.weight.shape[0]

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """Sizes of a filter, in pixels."""
        return self.weight.shape[2:]

    def _make(self, shape: tuple[int, ...], outputs: int, bias: bool) -> None:
        """Make the parameters; a filter adds up all values of the weight but the first axis."""
        self.weight = Parameter(np.empty(shape, np.float32))
        self.bias = Parameter(np.empty(outputs, np.float32)) if bias else None
        self.fan_in = math.prod(shape[1:])
        init.fan_in_uniform_(self.weight, self.fan_in)
        init.fan_in_uniform_(self.bias, self.fan_in)

    def _further_options(self) -> str:
        """Return the options that are not as usual, as they print."""
        usual: dict[str, Any] = {"dilation": 1, "groups": 1, "output_padding": 0, "flip": False}
        usual |= {"activation": None}
        text = ""
        for option, default in usual.items():
            value = requirements.single(getattr(self, option, default))
            text += f", {option} {value}" if value != default else ""
        return text


def _require_groups(layer: str, groups: int, in_channels: int, out_channels: int) -> None:
    require_positive(layer, in_channels=in_channels, out_channels=out_channels, groups=groups)
    if in_channels % groups or out_channels % groups:
        raise OptionError(
            f"{layer}: groups divides in_channels and out_channels; got groups {groups} for "
            f"{in_channels} and {out_channels}"
        )


class Conv2d(_Conv):
    """A convolution layer; see :func:`tinygrad_cnn.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O; weight is (O, C / groups, KH, KW).
    kernel_size, stride, dilation : int or (int, int), in pixels
        (down, across).
    padding : int, (int, int), ((int, int), (int, int)), "same" or "valid", in pixels
        (down, across) or ((top, bottom), (left, right)).
    groups : int
        Parts that the channels are divided into; C for a depthwise convolution.
    bias : bool
        Whether each output channel has a bias.
    padding_mode : {"zeros"}
        What padding is made of.
    flip : bool
        Whether the filters are flipped: true convolution.
    activation : {None, "relu", "sigmoid", "tanh"}
        What is applied to the result in the same element.

    Raises
    ------
    OptionError
        If an option is out of range, or groups does not divide the channels.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.Conv2d(1, 6, 5).count_parameters()
    156
    >>> nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False).weight.shape
    (64, 1, 3, 3)
    """

    activations = ("relu", "sigmoid", "tanh")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        flip: bool = False,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        require_activation("Conv2d", activation, self.activations)
        _require_groups("Conv2d", groups, in_channels, out_channels)
        refuse_unbuilt("Conv2d", padding_mode=(padding_mode, "zeros"))
        window = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.padding = margins("Conv2d", padding)
        self.dilation = pair("Conv2d", "dilation", dilation, 1)
        sliding_window("Conv2d", window, self.stride, self.padding, self.dilation)
        self.groups, self.flip, self.activation = groups, flip, activation
        self._make((out_channels, in_channels // groups, *window), out_channels, bias)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, OH, OW)."""
        return F.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups,
            flip=self.flip, activation=self.activation,
        )  # fmt: skip

    def options(self) -> str:
        out, channels, kh, kw = self.weight.shape
        return (
            f"{channels * self.groups}, {out}, kernel {kh}x{kw}, stride {self.stride}, "
            f"padding {_shorter(self.padding)}{self._further_options()}"
        )


def _shorter(padding: Margins) -> Any:
    """Return padding as (down, across) where it is equal on both sides."""
    if isinstance(padding, str) or any(near != far for near, far in padding):
        return padding
    return padding[0][0], padding[1][0]


class Conv1d(_Conv):
    """A convolution layer for rows; see :func:`tinygrad_cnn.functional.conv1d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O; weight is (O, C / groups, K).
    kernel_size, stride, dilation : int, in pixels
    padding : int, ((int, int),), "same" or "valid", in pixels
        At both ends, or ((left, right),).
    groups, bias, padding_mode, flip
        As of :class:`Conv2d`.

    Raises
    ------
    OptionError
        If an option is out of range, or groups does not divide the channels.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.Conv1d(2, 4, 3).count_parameters()
    28
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: Any = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        flip: bool = False,
    ) -> None:
        super().__init__()
        _require_groups("Conv1d", groups, in_channels, out_channels)
        refuse_unbuilt("Conv1d", padding_mode=(padding_mode, "zeros"))
        window = single("Conv1d", "kernel_size", kernel_size, 1)
        step = single("Conv1d", "stride", stride, 1)
        spread = single("Conv1d", "dilation", dilation, 1)
        sliding_window("Conv1d", window, step, margins_across("Conv1d", padding), spread)
        self.stride, self.padding, self.dilation = step[1], padding, spread[1]
        self.groups, self.flip = groups, flip
        self._make((out_channels, in_channels // groups, window[1]), out_channels, bias)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, L) to (N, O, OL)."""
        return F.conv1d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups,
            flip=self.flip,
        )  # fmt: skip

    def options(self) -> str:
        out, channels, kernel = self.weight.shape
        return (
            f"{channels * self.groups}, {out}, kernel {kernel}, stride {self.stride}, "
            f"padding {self.padding}{self._further_options()}"
        )


class ConvTranspose2d(_Conv):
    """A transposed convolution; see :func:`tinygrad_cnn.functional.conv_transpose2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O; weight is (C, O / groups, KH, KW).
    kernel_size, stride, padding, output_padding : int or (int, int), in pixels
        (down, across).
    groups : int
    bias : bool
        Whether each output channel has a bias.
    dilation : int or (int, int), in pixels
    padding_mode : {"zeros"}
        What padding is made of.

    Raises
    ------
    OptionError
        If an option is out of range, or groups does not divide the channels.

    Notes
    -----
    Initial values are drawn as PyTorch does, with O / groups · KH · KW as `fan_in`.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.ConvTranspose2d(8, 4, 2, stride=2).weight.shape
    (8, 4, 2, 2)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        name = "ConvTranspose2d"
        _require_groups(name, groups, in_channels, out_channels)
        refuse_unbuilt(name, padding_mode=(padding_mode, "zeros"))
        window = pair(name, "kernel_size", kernel_size, 1)
        self.stride = pair(name, "stride", stride, 1)
        self.padding = pair(name, "padding", padding, 0)
        self.dilation = pair(name, "dilation", dilation, 1)
        self.output_padding = extra_pixels(name, output_padding, self.stride, self.dilation)
        self.groups = groups
        self._make((in_channels, out_channels // groups, *window), out_channels, bias)

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return self.weight.shape[0]

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.weight.shape[1] * self.groups

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, OH, OW)."""
        return F.conv_transpose2d(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding,
            self.groups, self.dilation,
        )  # fmt: skip

    def options(self) -> str:
        channels, out, kh, kw = self.weight.shape
        return (
            f"{channels}, {out * self.groups}, kernel {kh}x{kw}, stride {self.stride}, "
            f"padding {self.padding}{self._further_options()}"
        )


class TableConv2d(Module):
    """A convolution layer whose output maps each see only some of the input maps.

    Parameters
    ----------
    table : sequence of sequence of int
        For each output map, the input maps it is connected to.
    in_channels : int
        Number of input maps.
    kernel_size : int or (int, int), in pixels

    Raises
    ------
    OptionError
        If an output map names no input map, one that does not exist, or one twice.

    Notes
    -----
    The weight holds one filter for each connection, (connections, KH, KW); the filters of
    absent connections are zeros that do not exist as parameters. `fan_in` (O,) is that of
    each output map, `filter_fan_in` (connections, 1, 1) the same for each filter.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition",
       Proc. IEEE 86(11), 1998, table I.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.TableConv2d([(0, 1), (1, 2), (0, 1, 2)], 3, 5).weight.shape
    (7, 5, 5)
    """

    def __init__(self, table: Sequence[Sequence[int]], in_channels: int, kernel_size: Size) -> None:
        super().__init__()
        require_positive("TableConv2d", in_channels=in_channels, output_maps=len(table))
        for row in table:
            named = isinstance(row, Sequence) and all(is_integer(c, 0) for c in row)
            if not named or not row or len(set(row)) != len(row) or max(row) >= in_channels:
                raise OptionError(
                    "TableConv2d: each output map names at least one input map, once, out of "
                    f"0..{in_channels - 1}; got {row!r}"
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
