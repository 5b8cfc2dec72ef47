"""Maximum pooling and its adjoints: the error signal of a window goes to the winner.

:class:`MaxPool2dGradElement` puts values where an image had its maxima, which is also what
unpooling is; :class:`MaxPool2dGatherElement` reads an image there. Each is the other's
derivative.
"""

from typing import Any

import numpy as np

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.extremes import is_shared
from tinygrad_cnn.elements.pool import PoolElement, Size, pool_window
from tinygrad_cnn.elements.pool_ties import MaxPool2dSharedElement
from tinygrad_cnn.elements.requirements import integers, lifted, one_float_type
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Pair, Window
from tinygrad_cnn.kernels.stand_in import is_stand_in
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

_INDEX, _BYTE = np.dtype(np.intp), np.dtype(np.uint8)


class MaxPool2dElement(PoolElement, name="max_pool2d"):
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
    convention = (
        "of equal values the first, in row order, wins, with ties='last' the last; "
        "padding never wins"
    )

    def __init__(
        self, window: Window, ceil_mode: bool = False, ties: str = "first", indices: bool = True
    ) -> None:
        super().__init__(window, ceil_mode)
        self.ties = ties
        # For the error signal alone a byte is enough: the winner's place under its window.
        self.places = not indices and window.kh * window.kw <= 256

    def options(self) -> dict[str, Any]:
        return super().options() | ({} if self.ties == "first" else {"ties": self.ties})

    def forward(self, x: Any) -> Any:
        shape = self.pooled(x.shape)
        out = self.device.empty_activation(shape, x.dtype)
        winners = self.device.empty_activation(shape, _BYTE if self.places else _INDEX)
        name = "max_pool2d_places" if self.places else "max_pool2d_forward"
        self.device.kernel(name, x.dtype, self.window).function(
            layout.channels_last(x),
            self.window,
            self.ties == "last",
            layout.channels_last(out),
            layout.channels_last(winners),
        )
        return out, winners

    def backward(self, signal: Variable, _: Any) -> Variable:
        window = self.window if self.places else None
        return MaxPool2dGradElement(self.inputs[0].shape, window)(signal, self.saved("winners"))


class _ScatterElement(ArrayElement):
    """Common part of what puts values at the winners: the shape of the images.

    Winners are indices row·W + column, or, with a window, places under it.
    """

    def __init__(self, shape: Shape, window: Window | None = None) -> None:
        self.shape, self.window = shape, window

    def forward(self, values: Any, winners: Any) -> Any:
        out = self.device.empty_activation(self.shape, values.dtype)
        name = "max_pool2d_scatter" if self.window is None else "max_pool2d_places_grad"
        self.device.kernel(name, values.dtype, self.window).function(
            layout.channels_last(values),
            layout.channels_last(winners),
            *(() if self.window is None else (self.window,)),
            layout.channels_last(out),
        )
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        return MaxPool2dGatherElement(self.window)(signal, self.saved("winners")), None


class MaxPool2dGradElement(_ScatterElement, name="max_pool2d_grad"):
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


class MaxUnpool2dElement(_ScatterElement, name="max_unpool2d"):
    """Put values where the largest ones of another image were."""

    rule = Rule(
        ("x", "winners"),
        ("y",),
        "{x} at the winner of each window, 0 elsewhere",
        {"x": "{δy} read at the winners"},
        r"y_k = \sum_{\text{windows}} x \, [k = \text{winner}]",
        {"x": r"\delta(x) = \delta(y)_{\text{winner}}"},
    )
    saves = {"x": ("winners",)}
    convention = "values with the same winner add up"

    def check(self, x: Variable, winners: Variable) -> None:
        one_float_type(self.name, x)
        if winners.dtype != np.intp:
            raise DTypeError(
                f"{self.name}: indices are int64, as max_pool2d(return_indices=True) returns "
                f"them; got {winners.dtype}"
            )
        if x.shape != winners.shape:
            raise ShapeError(
                f"{self.name}: there is one index for each value; got x {x.shape} and indices "
                f"{winners.shape}"
            )
        height, width = self.shape[2:]
        indices = winners._value
        looked_at = indices.size and not is_stand_in(indices)
        if looked_at and not 0 <= indices.min() <= indices.max() < height * width:
            raise ShapeError(
                f"{self.name}: indices row·W + column lie in the image, 0 to {height * width - 1} "
                f"for {height}x{width}; got {indices.min()} to {indices.max()}. Give the "
                "output_size, the height and width before pooling"
            )


class MaxPool2dGatherElement(ArrayElement, name="max_pool2d_gather"):
    """Read images at the winners of others: the adjoint of the adjoint."""

    rule = Rule(
        ("x", "winners"),
        ("y",),
        "{x} read at the winners",
        {"x": "{δy} at the winner of each window, 0 elsewhere"},
        r"y = x_{\text{winner}}",
        {"x": r"\delta(x)_k = \sum_{\text{windows}} \delta(y) \, [k = \text{winner}]"},
    )
    saves = {"x": ("winners",)}

    def __init__(self, window: Window | None = None) -> None:
        self.window = window

    def forward(self, x: Any, winners: Any) -> Any:
        out = self.device.empty_activation(winners.shape, x.dtype)
        name = "max_pool2d_gather" if self.window is None else "max_pool2d_places_gather"
        self.device.kernel(name, x.dtype, self.window).function(
            layout.channels_last(x),
            layout.channels_last(winners),
            *(() if self.window is None else (self.window,)),
            layout.channels_last(out),
        )
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        element = MaxPool2dGradElement(self.inputs[0].shape, self.window)
        return element(signal, self.saved("winners")), None


# -- functions -----------------------------------------------------------------------


def max_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    ties: str = "first",
) -> Any:
    """Keep the largest value under each window.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    kernel_size, stride, padding, dilation : int or (int, int), in pixels
        The window, its step (by default the window, so that windows do not overlap), the
        border, which never wins, and the distance from one tap of the window to the next.
    ceil_mode : bool
        Round the output size up: the last windows may reach beyond the border, as long as
        they begin in the image or in the border before it.
    return_indices : bool
        Return the places of the winners too, for :func:`max_unpool2d`.
    ties : {"first", "last", "split", "all"}
        Who receives the error signal among equal values, a choice of sub-gradient: the first
        in row order, the last, each an equal share, or each the whole signal.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)
        With ``OH = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1``, OW likewise.
    indices : Tensor of int64, shape (N, C, OH, OW)
        ``row · W + column`` of each winner; only with `return_indices`.

    Raises
    ------
    ShapeError
        If x is not a batch of images, or a window does not fit or holds no pixel.
    DTypeError
        If x is not float32 or float64.
    OptionError
        If kernel, stride or dilation are below 1, padding is above half the kernel, `ties` is
        unknown, or indices are asked for where several winners share the signal.

    Notes
    -----
    The error signal of a window goes to its winner. A NaN wins over every number. "all" is
    no sub-gradient: it counts a tie several times. PyTorch's choice is "first".

    References
    ----------
    .. [1] A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep
       convolutional neural networks", NIPS 2012, section 3.4: windows that overlap.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> F = tg.functional
    >>> top, bottom = [[1.0, 1.0, 2.0, 4.0], [5.0, 6.0, 7.0, 8.0]], [[3.0, 2.0, 1.0, 0.0]] * 2
    >>> F.max_pool2d(tg.Tensor([[[*top, *bottom]]]), 2).tolist()
    [[[[6.0, 8.0], [3.0, 1.0]]]]
    >>> x = tg.Tensor([[[[5.0, 2.0], [5.0, 1.0]]]], requires_grad=True)
    >>> F.max_pool2d(x, 2, ties="split").backward(tg.Tensor([[[[1.0]]]]))
    >>> x.grad.tolist()
    [[[[0.5, 0.0], [0.5, 0.0]]]]
    """
    window = pool_window("max_pool2d", kernel_size, stride, padding, dilation)
    if not is_shared("max_pool2d", ties):
        y, winners = MaxPool2dElement(window, ceil_mode, ties, return_indices)(x)
        return (y, winners) if return_indices else y
    if return_indices:
        raise OptionError(
            "max_pool2d: indices name one winner of each window; got return_indices=True with "
            f"ties={ties!r}. Choose ties='first' or 'last'"
        )
    return MaxPool2dSharedElement(window, ceil_mode, ties)(x)


def max_unpool2d(
    x: Any,
    indices: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Shape | None = None,
) -> Any:
    """Put values back where maximum pooling found them, and zeros elsewhere.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Values.
    indices : Tensor or array of int64, shape (N, C, H, W)
        Where each belongs, ``row · OW + column``: what :func:`max_pool2d` returns.
    kernel_size, stride, padding : int or (int, int), in pixels
        Those of the pooling.
    output_size : tuple of int, optional
        (OH, OW), or the whole shape before the pooling; several sizes are pooled to one. By
        default the smallest image that the windows cover.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)
        By default ``OH = (H - 1) stride - 2 padding + KH``, OW likewise.

    Raises
    ------
    ShapeError
        If an index lies outside of the image, the shapes differ, or `output_size` is further
        than one stride from the default.
    DTypeError
        If x is not float32 or float64, or the indices are not int64.
    OptionError
        If an option of the window is out of range.

    Notes
    -----
    ``δ(x)`` is ``δ(y)`` read at the indices. Values with the same index add up, as they do in
    the error signal of overlapping windows; PyTorch keeps one of them.

    References
    ----------
    .. [1] M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks",
       ECCV 2014, section 2.1.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[[1.0, 5.0], [3.0, 2.0]]]])
    >>> y, indices = tg.functional.max_pool2d(x, 2, return_indices=True)
    >>> tg.functional.max_unpool2d(y, indices, 2).tolist()
    [[[[0.0, 5.0], [0.0, 0.0]]]]
    """
    indices = lifted("max_unpool2d", x, indices)
    window = pool_window("max_unpool2d", kernel_size, stride, padding)
    if len(x.shape) != 4:
        raise ShapeError(f"max_unpool2d: x is (N, C, H, W); got {x.shape}")
    size = _size_before(window, x.shape, output_size)
    return MaxUnpool2dElement((*x.shape[:2], *size))(x, indices)


def _size_before(window: Window, shape: Shape, asked: Shape | None) -> Pair:
    """Return the size of the images before a pooling."""
    w = window
    usual = ((shape[2] - 1) * w.sh - 2 * w.ph + w.kh, (shape[3] - 1) * w.sw - 2 * w.pw + w.kw)
    sizes = usual if asked is None else integers("max_unpool2d", "sizes of the output", asked)
    steps = zip(sizes[-2:], usual, (w.sh, w.sw), strict=False)
    near = all(size > 0 and abs(size - known) < step for size, known, step in steps)
    if len(sizes) not in (2, 4) or (len(sizes) == 4 and sizes[:2] != shape[:2]) or not near:
        raise ShapeError(
            "max_unpool2d: output_size is (OH, OW) or (N, C, OH, OW), at least one pixel and less "
            f"than one stride from {usual[0]}x{usual[1]}; got {sizes} for x {shape}"
        )
    return sizes[-2], sizes[-1]
