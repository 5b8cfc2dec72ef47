"""What all poolings have in common: a window that slides over images, and what it may be.

Forward, a window of m pixels becomes one value; backward, its error signal is *upsampled* to
the pixels of the window. The poolings stand in modules of their own:

===============  ====================================================================
`pool_max`       maximum, and its undoing
`pool_ties`      maximum with an error signal that goes to all winners
`pool_mean`      average and sum
`pool_adaptive`  averages over a grid, and over all pixels
`pool_power`     Lp
`pool_windows`   any function of the values under a window
`pool1d`         maximum and average along one axis
===============  ====================================================================
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.requirements import one_float_type
from tinygrad_cnn.elements.window import fitted, pair, window_options
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels.geometry import Pair, Window
from tinygrad_cnn.variable import Variable

Size = int | Sequence[int]


class PoolElement(ArrayElement):
    """Common part: the window, its checks and how it is printed."""

    called: ClassVar[str] = ""  # the function that refuses, where it has another name

    def __init__(self, window: Window, ceil_mode: bool = False) -> None:
        self.window, self.ceil_mode = window, ceil_mode

    def options(self) -> dict[str, Any]:
        window = self.window._replace(eh=0, ew=0)  # what ceil_mode adds is no padding
        options = window_options(window, usual_stride=(window.kh, window.kw))
        return options | ({"ceil_mode": True} if self.ceil_mode else {})

    def check(self, x: Variable) -> None:
        """Refuse what is not a batch of images that the window fits into."""
        called, shape = self.called or self.name, x.shape
        if len(shape) != 4:
            raise ShapeError(f"{called}: x is (N, C, H, W); got {shape}")
        one_float_type(called, x)
        _, _, height, width = shape
        if self.ceil_mode:
            self.window = _rounded_up(self.window, height, width)
        self.output_size = _filled(called, self.window, height, width)

    def pooled(self, shape: Shape) -> Shape:
        """Return the shape after pooling."""
        return (*shape[:2], *self.output_size)


def _rounded_up(window: Window, height: int, width: int) -> Window:
    """Let the last windows reach beyond the far side, where they begin in the image or before."""
    down, across = window.span()
    return window._replace(
        eh=_reach(height, down, window.sh, window.ph),
        ew=_reach(width, across, window.sw, window.pw),
    )


def _reach(size: int, span: int, stride: int, padding: int) -> int:
    """Return how far the last window reaches beyond the padding when sizes are rounded up."""
    last = -(-(size + 2 * padding - span) // stride)  # counted from 0
    if last * stride >= size + padding:
        last -= 1
    return max(0, last * stride + span - size - 2 * padding) if last >= 0 else 0


@lru_cache(maxsize=4096)
def _filled(operation: str, window: Window, height: int, width: int) -> Pair:
    """Return the size after pooling, or refuse windows that do not fit or hold no pixel.

    An image falls through between the taps of a window only where there are gaps.
    """
    output_size = fitted(operation, window, height, width)
    sizes = zip((height, width), output_size, strict=True)
    steps = (
        (window.kh, window.sh, window.ph, window.dh),
        (window.kw, window.sw, window.pw, window.dw),
    )
    for (size, outputs), (kernel, stride, padding, dilation) in zip(sizes, steps, strict=True):
        if dilation > 1 and not all(
            any(0 <= i * stride - padding + u * dilation < size for u in range(kernel))
            for i in range(outputs)
        ):
            raise ShapeError(
                f"{operation}: each window holds a pixel; got an image of {height}x{width} "
                f"that falls between the taps of a kernel of {window.kh}x{window.kw} with "
                f"padding {(window.ph, window.pw)} and dilation {(window.dh, window.dw)}"
            )
    return output_size


def pool_window(
    operation: str, kernel_size: Size, stride: Size | None, padding: Size, dilation: Size = 1
) -> Window:
    """Return the window that the options of a pooling describe, or refuse them."""
    kernel = pair(operation, "kernel_size", kernel_size, 1)
    step = kernel if stride is None else pair(operation, "stride", stride, 1)
    border = pair(operation, "padding", padding, 0)
    return _padded_window(operation, kernel, step, border, pair(operation, "dilation", dilation, 1))


@lru_cache(maxsize=4096)
def _padded_window(operation: str, kernel: Pair, step: Pair, border: Pair, gaps: Pair) -> Window:
    window = Window(*kernel, *step, *border, *gaps)
    if any(2 * p > span for p, span in zip(border, window.span(), strict=True)):
        raise OptionError(
            f"{operation}: padding is at most half the kernel, so that each window holds a "
            f"pixel; got padding {border} for kernel {kernel}"
        )
    return window
