"""The values under each window side by side, and pooling with any function of them."""

from collections.abc import Callable
from typing import Any

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.pool import PoolElement, Size, pool_window
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.hooks import require_callable
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class WindowsElement(PoolElement, name="windows"):
    """Lay out the values under each window along a new last axis; padding reads as 0."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} under each window",
        {"x": "Σ {δy} over the windows that hold a pixel"},
        r"y_{ij,k} = x_{k \in \text{window } ij}",
        {"x": r"\delta(x)_k = \sum_{ij \ni k} \delta(y)_{ij,k}"},
    )

    def forward(self, x: Any) -> Any:
        shape = (*self.pooled(x.shape), self.window.kh * self.window.kw)
        out = self.device.empty(shape, x.dtype)
        self.device.kernel("windows_forward", x.dtype, self.window).function(
            layout.channels_last(x), self.window, out
        )
        return out

    def backward(self, signal: Variable) -> Variable:
        return WindowsGradElement(self.window, self.inputs[0].shape)(signal)


class WindowsGradElement(ArrayElement, name="windows_grad"):
    """Add up what belongs to a pixel over the windows that hold it."""

    rule = Rule(
        ("δ",),
        ("y",),
        "Σ {δ} over the windows that hold a pixel",
        {"δ": "{δy} under each window"},
        r"y_k = \sum_{ij \ni k} \delta_{ij,k}",
        {"δ": r"\delta(\delta)_{ij,k} = \delta(y)_{k \in \text{window } ij}"},
    )

    def __init__(self, window: Window, shape: Shape) -> None:
        self.window, self.shape = window, shape

    def forward(self, signal: Any) -> Any:
        out = self.device.empty_activation(self.shape, signal.dtype)
        self.device.kernel("windows_grad_input", signal.dtype, self.window).function(
            layout.contiguous(signal), self.window, layout.channels_last(out)
        )
        return out

    def backward(self, signal: Variable) -> Variable:
        return WindowsElement(self.window)(signal)


# -- functions -----------------------------------------------------------------------


def windows(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Any:
    """Lay out the m values under each window along a new last axis.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    kernel_size, stride, padding, dilation, ceil_mode
        As in :func:`max_pool2d`; what lies outside of the image is 0.

    Returns
    -------
    Tensor, shape (N, C, OH, OW, m)
        With m = KH · KW, row by row.

    Raises
    ------
    ShapeError, DTypeError, OptionError
        As in :func:`max_pool2d`.

    Notes
    -----
    ``δ(x)`` is the sum of ``δ(y)`` over the windows that hold a pixel. PyTorch's ``unfold``
    joins the channels and the values of a window to one axis, before that of the windows.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    >>> tg.functional.windows(x, 2, stride=1).tolist()
    [[[[[1.0, 2.0, 4.0, 5.0], [2.0, 3.0, 5.0, 6.0]]]]]
    """
    window = pool_window("windows", kernel_size, stride, padding, dilation)
    return WindowsElement(window, ceil_mode)(x)


def pool2d(
    x: Any,
    function: Callable[[Any], Any],
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Any:
    """Pool with any function of the m values under a window, g: R^m → R.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    function : callable
        Given the values under all windows, shape (N, C, OH, OW, m), it returns a Tensor of
        shape (N, C, OH, OW), computed with functions of this package so that it has a
        gradient.
    kernel_size, stride, padding, dilation, ceil_mode
        As in :func:`max_pool2d`; what lies outside of the image is 0.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)

    Raises
    ------
    ShapeError
        If the function returns something else, or as in :func:`max_pool2d`.
    DTypeError
        If the function cannot be called, or as in :func:`max_pool2d`.
    OptionError
        As in :func:`max_pool2d`.

    Notes
    -----
    ``y = g(window)``; ``δ(x) = Σ δ(y) g'(window)`` over the windows that hold a pixel.

    Examples
    --------
    A smooth maximum, the mean of the exponentials brought back to scale:

    >>> import tinygrad_cnn as tg
    >>> F, x = tg.functional, tg.Tensor([[[[1.0, 1.0], [1.0, 9.0]]]], requires_grad=True)
    >>> y = F.pool2d(x, lambda w: F.log(F.mean(F.exp(w), -1)), 2)
    >>> round(y.item(), 3)
    7.615
    >>> y.backward(tg.Tensor([[[[1.0]]]]))
    >>> round(x.grad[0, 0, 1, 1].item(), 3)
    0.999
    """
    require_callable("pool2d", function)
    window = pool_window("pool2d", kernel_size, stride, padding, dilation)
    given = WindowsElement(window, ceil_mode)(x)
    result = function(given)
    if not isinstance(result, Variable) or result.shape != given.shape[:-1]:
        got = result.shape if isinstance(result, Variable) else type(result).__name__
        raise ShapeError(
            "pool2d: function maps the windows (N, C, OH, OW, m) to a Tensor (N, C, OH, OW); got "
            f"{got} for {given.shape}. Reduce the last axis, dim=-1"
        )
    return result
