"""Maximum and average pooling of image batches, and their adjoints.

Forward, a window of m pixels becomes one value; backward, its error signal is *upsampled*:
spread evenly (average) or sent to the winner (maximum).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_cnn.element import ArrayElement, Rule
from tinygrad_cnn.elements.conv import check_window, pair, window_options
from tinygrad_cnn.elements.requirements import one_float_type
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.variable import Variable


class _PoolElement(ArrayElement):
    """Common part: the window, its checks and how it is printed."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def options(self) -> dict[str, Any]:
        return window_options(self.window, usual_stride=(self.window.kh, self.window.kw))

    def check_images(self, x: Variable) -> None:
        """Refuse what is not a batch of images that the window fits into."""
        if len(x.shape) != 4:
            raise ShapeError(f"{self.name}: x is (N, C, H, W); got {x.shape}")
        one_float_type(self.name, x)
        check_window(self.name, self.window, x.shape)

    def pooled(self, shape: Shape) -> Shape:
        """Return the shape after pooling."""
        return (*shape[:2], *self.window.output_size(*shape[2:]))


class _PoolGradient(_PoolElement):
    """Common part of the adjoints: they also know the shape of the images."""

    def __init__(self, window: Window, shape: Shape) -> None:
        super().__init__(window)
        self.shape = shape


class MaxPool2dElement(_PoolElement, name="max_pool2d"):
    """Keep the largest value under each window."""

    rule = Rule(
        ("x",),
        ("y", "winners"),
        "max of {x} over each window",
        {"x": "{δy} at the winner of each window, 0 elsewhere"},
        r"y = \max_{k \in \text{window}} x_k",
        {"x": r"\delta(x)_k = \sum_{\text{windows}} \delta(y) \, [k = \operatorname{argmax} x]"},
    )
    saves = {"x": ("winners",)}
    differentiable = ("y",)
    convention = "of equal values the first, in row order, wins; padding never wins"

    def check(self, x: Variable) -> None:
        self.check_images(x)

    def forward(self, x: Any) -> Any:
        shape = self.pooled(x.shape)
        out = self.device.empty_activation(shape, x.dtype)
        winners = self.device.empty_activation(shape, np.dtype(np.intp))
        self.device.kernel("max_pool2d_forward", x.dtype, self.window).function(
            layout.channels_last(x),
            self.window,
            layout.channels_last(out),
            layout.channels_last(winners),
        )
        return out, winners

    def backward(self, signal: Variable, _: Any) -> Variable:
        element = MaxPool2dGradElement(self.window, self.inputs[0].shape)
        return element(signal, self.saved("winners"))


class MaxPool2dGradElement(_PoolGradient, name="max_pool2d_grad"):
    """Send the error signal of each window to the pixel that won it."""

    rule = Rule(
        ("δ", "winners"),
        ("y",),
        "{δ} at the winner of each window, 0 elsewhere",
        {"δ": "{δy} read at the winners"},
        r"y_k = \sum_{\text{windows}} \delta \, [k = \text{winner}]",
        {"δ": r"\delta(\delta) = \delta(y)_{\text{winner}}"},
    )
    saves = {"δ": ("winners",)}

    def forward(self, signal: Any, winners: Any) -> Any:
        out = self.device.empty_activation(self.shape, signal.dtype)
        self.device.kernel("max_pool2d_grad_input", signal.dtype, self.window).function(
            layout.channels_last(signal),
            layout.channels_last(winners),
            self.window,
            layout.channels_last(out),
        )
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        element = MaxPool2dGatherElement(self.window, self.inputs[0].shape)
        return element(signal, self.saved("winners")), None


class MaxPool2dGatherElement(_PoolGradient, name="max_pool2d_gather"):
    """Read images at the winners of another: the adjoint of the adjoint."""

    rule = Rule(
        ("x", "winners"),
        ("y",),
        "{x} read at the winners",
        {"x": "{δy} at the winner of each window, 0 elsewhere"},
        r"y = x_{\text{winner}}",
        {"x": r"\delta(x)_k = \sum_{\text{windows}} \delta(y) \, [k = \text{winner}]"},
    )
    saves = {"x": ("winners",)}

    def forward(self, x: Any, winners: Any) -> Any:
        out = self.device.empty_activation(self.shape, x.dtype)
        self.device.kernel("max_pool2d_gather", x.dtype).function(
            layout.channels_last(x), layout.channels_last(winners), layout.channels_last(out)
        )
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        element = MaxPool2dGradElement(self.window, self.inputs[0].shape)
        return element(signal, self.saved("winners")), None


class AvgPool2dElement(_PoolElement, name="avg_pool2d"):
    """Average the values under each window; padding counts as zeros."""

    rule = Rule(
        ("x",),
        ("y",),
        "Σ {x} / m over each window",
        {"x": "{δy} / m spread over each window"},
        r"y = \frac{1}{m} \sum_{k \in \text{window}} x_k",
        {"x": r"\delta(x)_k = \frac{1}{m} \sum_{\text{windows} \ni k} \delta(y)"},
    )

    def check(self, x: Variable) -> None:
        self.check_images(x)

    def forward(self, x: Any) -> Any:
        out = self.device.empty_activation(self.pooled(x.shape), x.dtype)
        self.device.kernel("avg_pool2d_forward", x.dtype, self.window).function(
            layout.channels_last(x), self.window, layout.channels_last(out)
        )
        return out

    def backward(self, signal: Variable) -> Variable:
        element = AvgPool2dGradElement(self.window, self.inputs[0].shape)
        return element(signal)


class AvgPool2dGradElement(_PoolGradient, name="avg_pool2d_grad"):
    """Spread the error signal of each window evenly over its pixels."""

    rule = Rule(
        ("δ",),
        ("y",),
        "{δ} / m spread over each window",
        {"δ": "Σ {δy} / m over each window"},
        r"y_k = \frac{1}{m} \sum_{\text{windows} \ni k} \delta",
        {"δ": r"\delta(\delta) = \frac{1}{m} \sum_{k \in \text{window}} \delta(y)_k"},
    )

    def forward(self, signal: Any) -> Any:
        out = self.device.empty_activation(self.shape, signal.dtype)
        self.device.kernel("avg_pool2d_grad_input", signal.dtype, self.window).function(
            layout.channels_last(signal), self.window, layout.channels_last(out)
        )
        return out

    def backward(self, signal: Variable) -> Variable:
        return AvgPool2dElement(self.window)(signal)


# -- functions -----------------------------------------------------------------------


def _window(
    operation: str,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: int | Sequence[int],
) -> Window:
    kernel = pair(operation, "kernel_size", kernel_size, 1)
    step = kernel if stride is None else pair(operation, "stride", stride, 1)
    border = pair(operation, "padding", padding, 0)
    if 2 * border[0] > kernel[0] or 2 * border[1] > kernel[1]:
        raise OptionError(
            f"{operation}: padding is at most half the kernel, so that each window holds a "
            f"pixel; got padding {border} for kernel {kernel}"
        )
    return Window(*kernel, *step, *border)


def max_pool2d(
    x: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
) -> Any:
    """Keep the largest value under each window.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    kernel_size, stride, padding : int or (int, int), in pixels
        The window, its step (by default the window, so that windows do not overlap) and
        the border, which never wins.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)
        With ``OH = floor((H + 2 padding - KH) / stride) + 1``, OW likewise.

    Raises
    ------
    ShapeError
        If x is not a batch of images or the window does not fit.
    OptionError
        If kernel or stride are below 1, or padding above half the kernel.

    Notes
    -----
    The error signal of a window goes to its winner, of equal values the first in row order.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> top, bottom = [[1.0, 1.0, 2.0, 4.0], [5.0, 6.0, 7.0, 8.0]], [[3.0, 2.0, 1.0, 0.0]] * 2
    >>> tg.functional.max_pool2d(tg.Tensor([[[*top, *bottom]]]), 2).tolist()
    [[[[6.0, 8.0], [3.0, 1.0]]]]
    """
    window = _window("max_pool2d", kernel_size, stride, padding)
    return MaxPool2dElement(window)(x)[0]


def avg_pool2d(
    x: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
) -> Any:
    """Average the values under each window; padding counts as zeros.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    kernel_size, stride, padding : int or (int, int), in pixels
        As in :func:`max_pool2d`.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)

    Raises
    ------
    ShapeError, OptionError
        As in :func:`max_pool2d`.

    Notes
    -----
    ``y = Σ x / m`` with m = KH · KW, so that ``δ(x) = δ(y) / m`` for each pixel of a window.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.avg_pool2d(tg.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]]), 2).tolist()
    [[[[3.0]]]]
    """
    return AvgPool2dElement(_window("avg_pool2d", kernel_size, stride, padding))(x)
