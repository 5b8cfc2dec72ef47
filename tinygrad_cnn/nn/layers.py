"""The layers: parameters and options around one function each."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.conv import pair
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn import init
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.tensor import Tensor

Size = int | tuple[int, int]


def _positive(layer: str, **sizes: int) -> None:
    for option, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise OptionError(f"{layer}: {option} is a positive integer; got {size!r}")


def _not_built(layer: str, **options: tuple[Any, Any]) -> None:
    """Refuse what stands in PyTorch's signature and is not built; (given, built) each."""
    for option, (given, built) in options.items():
        if given != built:
            raise OptionError(
                f"{layer}: {option} is {built}, another one is not built yet; got {given!r}. "
                "Leave it out, and give the options behind it by name"
            )


def _single(size: Any) -> Any:
    """Return a pair of equal sizes as one, and anything else as it is."""
    return size[0] if isinstance(size, tuple | list) and len(set(size)) == 1 else size


def _start_(parameter: Parameter | None, fan_in: Any) -> None:
    """Draw from U(-1/√fan-in, 1/√fan-in), as PyTorch's layers do."""
    if parameter is not None:
        bound = 1.0 / np.sqrt(fan_in)
        init.uniform_(parameter, -bound, bound)


class Linear(Module):
    """The affine layer z = W x + b.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of x and z; weight is (out_features, in_features).
    bias : bool
        Whether there is a b.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.Linear(400, 120).count_parameters()
    48120
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        _positive("Linear", in_features=in_features, out_features=out_features)
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.bias = Parameter(np.empty(out_features, np.float32)) if bias else None
        self.fan_in = in_features
        _start_(self.weight, self.fan_in)
        _start_(self.bias, self.fan_in)

    def forward(self, x: Tensor) -> Any:
        """Map (..., in_features) to (..., out_features)."""
        return F.linear(x, self.weight, self.bias)

    def options(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}"


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
        _not_built("Conv2d", dilation=(_single(dilation), 1), groups=(groups, 1))
        _positive("Conv2d", in_channels=in_channels, out_channels=out_channels)
        window = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.padding = pair("Conv2d", "padding", padding, 0)
        self.weight = Parameter(np.empty((out_channels, in_channels, *window), np.float32))
        self.bias = Parameter(np.empty(out_channels, np.float32)) if bias else None
        self.fan_in = in_channels * math.prod(window)
        _start_(self.weight, self.fan_in)
        _start_(self.bias, self.fan_in)

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
        _start_(self.weight, self.filter_fan_in)
        _start_(self.bias, self.fan_in)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, OH, OW)."""
        return F.conv2d(x, F.place(self.weight, self._key, self._shape), self.bias)

    def options(self) -> str:
        out, channels, kh, kw = self._shape
        return f"{channels}, {out}, kernel {kh}x{kw}, {self.weight.shape[0]} connections"


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
        _not_built(
            "MaxPool2d",
            dilation=(_single(dilation), 1),
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
        _not_built(
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
        _positive("Subsampling2d", channels=channels, kernel_size=kernel_size)
        self.kernel_size = kernel_size
        self.weight = Parameter(np.empty((channels, 1, 1), np.float32))
        self.bias = Parameter(np.empty((channels, 1, 1), np.float32))
        self.fan_in = kernel_size * kernel_size
        _start_(self.weight, self.fan_in)
        _start_(self.bias, self.fan_in)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, H / kernel, W / kernel)."""
        mean = F.avg_pool2d(x, self.kernel_size)
        return mean * (self.weight * self.kernel_size**2) + self.bias

    def options(self) -> str:
        return f"{self.weight.shape[0]}, {self.kernel_size}"


class Flatten(Module):
    """Join all axes but the first: (N, C, H, W) to (N, C·H·W)."""

    def forward(self, x: Tensor) -> Any:
        """Join the axes."""
        return F.flatten(x, 1)


class Sigmoid(Module):
    """a = 1 / (1 + exp(-z))."""

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.sigmoid(z)


class Tanh(Module):
    """a = tanh(z)."""

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.tanh(z)


class ScaledTanh(Module):
    """a = 1.7159 tanh(2/3 z)."""

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.scaled_tanh(z)


class ReLU(Module):
    """a = max(0, z)."""

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.relu(z)


class CrossEntropyLoss(Module):
    """Softmax and negative log-likelihood; see :func:`tinygrad_cnn.functional.cross_entropy`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Tensor, labels: Any) -> Any:
        """Compare scores (N, K) with labels (N,)."""
        return F.cross_entropy(x, labels, self.reduction)

    def options(self) -> str:
        return f"reduction={self.reduction}" if self.reduction != "mean" else ""


class MSELoss(Module):
    """Mean squared error; see :func:`tinygrad_cnn.functional.mse_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, a: Tensor, y: Tensor) -> Any:
        """Compare predictions with targets of the same shape."""
        return F.mse_loss(a, y, self.reduction)

    def options(self) -> str:
        return f"reduction={self.reduction}" if self.reduction != "mean" else ""
