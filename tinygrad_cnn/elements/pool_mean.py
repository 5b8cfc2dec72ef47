"""Averages and sums of images over rectangles: the error signal is spread evenly.

Each output belongs to a span of rows and a span of columns. A span is (first, end, size): its
pixels are first … end - 1, and the sum is divided by the product of the two sizes, m.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.pool import PoolElement, Size, pool_window
from tinygrad_cnn.elements.requirements import is_integer
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

Spans = tuple[layout.Array, layout.Array]  # (OH, 3) and (OW, 3)


def span_table(first: Any, end: Any, size: Any) -> layout.Array:
    """Return spans as a read-only table, one line each."""
    table = np.stack(np.broadcast_arrays(first, end, size), axis=1).astype(np.intp)
    table.flags.writeable = False
    return table


def _window_spans(
    pixels: int, outputs: int, kernel: int, stride: int, padding: int, divisor: str
) -> layout.Array:
    """Return the spans of windows, with padding counted in their sizes, or not, or sizes of 1."""
    first = np.arange(outputs) * stride - padding
    end = np.minimum(first + kernel, pixels + padding)
    inside = np.maximum(first, 0), np.minimum(end, pixels)
    sizes = {"padded": end - first, "image": inside[1] - inside[0], "one": 1}
    return span_table(*inside, sizes[divisor])


@lru_cache(maxsize=256)
def _both_spans(window: Window, pixels: Shape, outputs: Shape, divisor: str) -> Spans:
    return (
        _window_spans(pixels[0], outputs[0], window.kh, window.sh, window.ph, divisor),
        _window_spans(pixels[1], outputs[1], window.kw, window.sw, window.pw, divisor),
    )


def over_spans(element: ArrayElement, operation: str, x: Any, spans: Spans, shape: Shape) -> Any:
    """Run a kernel that works on spans; return what it fills."""
    n, c, height, width = shape
    out = element.device.empty((n, height, width, c), x.dtype)
    element.device.kernel(operation, x.dtype).function(layout.channels_last(x), *spans, out)
    return layout.user_view(out)


class _SpanElement(PoolElement):
    """Common part of average and sum: what the sum over a window is divided by."""

    gradient: ClassVar[type["_SpanGradElement"]]
    divisor: str

    def check(self, x: Variable) -> None:
        super().check(x)
        self.spans = _both_spans(self.window, x.shape[2:], self.output_size, self.divisor)

    def forward(self, x: Any) -> Any:
        return over_spans(self, "mean_pool2d_forward", x, self.spans, self.pooled(x.shape))

    def again(self) -> "_SpanElement":
        """Return an element that computes the same."""
        return type(self)(self.window, self.ceil_mode)

    def backward(self, signal: Variable) -> Variable:
        return self.gradient(self.spans, self.inputs[0].shape, self.again)(signal)


class AvgPool2dElement(_SpanElement, name="avg_pool2d"):
    """Average the values under each window."""

    rule = Rule(
        ("x",),
        ("y",),
        "Σ {x} / m over each window",
        {"x": "{δy} / m spread over each window"},
        r"y = \frac{1}{m} \sum_{k \in \text{window}} x_k",
        {"x": r"\delta(x)_k = \sum_{\text{windows} \ni k} \frac{1}{m} \delta(y)"},
    )

    def __init__(
        self,
        window: Window,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(window, ceil_mode)
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override
        self.divisor = "padded" if count_include_pad else "image"

    def options(self) -> dict[str, Any]:
        options = super().options()
        if self.divisor_override is not None:
            return options | {"m": self.divisor_override}
        return options if self.count_include_pad else options | {"count_include_pad": False}

    def check(self, x: Variable) -> None:
        super().check(x)
        if self.divisor_override is not None:
            rows, columns = self.spans
            one = span_table(columns[:, 0], columns[:, 1], 1)
            self.spans = span_table(rows[:, 0], rows[:, 1], self.divisor_override), one

    def again(self) -> "AvgPool2dElement":
        return AvgPool2dElement(
            self.window, self.ceil_mode, self.count_include_pad, self.divisor_override
        )


class SumPool2dElement(_SpanElement, name="sum_pool2d"):
    """Add up the values under each window."""

    rule = Rule(
        ("x",),
        ("y",),
        "Σ {x} over each window",
        {"x": "{δy} spread over each window"},
        r"y = \sum_{k \in \text{window}} x_k",
        {"x": r"\delta(x)_k = \sum_{\text{windows} \ni k} \delta(y)"},
    )
    divisor = "one"


class _SpanGradElement(ArrayElement):
    """Common part of the adjoints: spans, the shape of the images, and the way forward again."""

    def __init__(
        self, spans: Spans, shape: Shape, again: Callable[[], Callable[[Variable], Variable]]
    ) -> None:
        self.spans, self.shape, self.again = spans, shape, again

    def forward(self, signal: Any) -> Any:
        return over_spans(self, "mean_pool2d_grad_input", signal, self.spans, self.shape)

    def backward(self, signal: Variable) -> Variable:
        return self.again()(signal)


class AvgPool2dGradElement(_SpanGradElement, name="avg_pool2d_grad"):
    """Spread the error signal of each window evenly over its pixels."""

    rule = Rule(
        ("δ",),
        ("y",),
        "{δ} / m spread over each window",
        {"δ": "Σ {δy} / m over each window"},
        r"y_k = \sum_{\text{windows} \ni k} \frac{1}{m} \delta",
        {"δ": r"\delta(\delta) = \frac{1}{m} \sum_{k \in \text{window}} \delta(y)_k"},
    )


class SumPool2dGradElement(_SpanGradElement, name="sum_pool2d_grad"):
    """Send the error signal of each window to all of its pixels."""

    rule = Rule(
        ("δ",),
        ("y",),
        "{δ} spread over each window",
        {"δ": "Σ {δy} over each window"},
        r"y_k = \sum_{\text{windows} \ni k} \delta",
        {"δ": r"\delta(\delta) = \sum_{k \in \text{window}} \delta(y)_k"},
    )


AvgPool2dElement.gradient, SumPool2dElement.gradient = AvgPool2dGradElement, SumPool2dGradElement


def require_divisor(operation: str, divisor: Any) -> None:
    """Refuse what cannot divide an average; None stands for the usual divisor."""
    if divisor is not None and (divisor == 0 or not is_integer(divisor, -math.inf)):
        raise OptionError(
            f"{operation}: divisor_override is an integer other than 0; got {divisor!r}"
        )


# -- functions -----------------------------------------------------------------------


def avg_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Average the values under each window.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    kernel_size, stride, padding : int or (int, int), in pixels
        The window, its step (by default the window, so that windows do not overlap), and the
        border of zeros.
    ceil_mode : bool
        Round the output size up: the last windows may reach beyond the border, as long as
        they begin in the image or in the border before it. What lies there is not counted.
    count_include_pad : bool
        Count the border in m; without it an average is that of the pixels alone.
    divisor_override : int, optional
        Divide by this number, whatever a window holds.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)
        With ``OH = floor((H + 2 padding - KH) / stride) + 1``, OW likewise.

    Raises
    ------
    ShapeError
        If x is not a batch of images or the window does not fit.
    DTypeError
        If x is not float32 or float64.
    OptionError
        If kernel or stride are below 1, padding is above half the kernel, or the divisor is 0.

    Notes
    -----
    ``y = Σ x / m`` with m = KH · KW, less at a rim that is not counted; ``δ(x) = δ(y) / m``
    for each pixel of a window, added up where windows overlap.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition",
       Proc. IEEE 86(11), 1998, section II-A.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> F, x = tg.functional, tg.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    >>> F.avg_pool2d(x, 2).tolist()
    [[[[3.0]]]]
    >>> F.avg_pool2d(x, 2, stride=2, padding=1, count_include_pad=False).tolist()
    [[[[1.0, 2.0], [3.0, 6.0]]]]
    """
    window = pool_window("avg_pool2d", kernel_size, stride, padding)
    require_divisor("avg_pool2d", divisor_override)
    return AvgPool2dElement(window, ceil_mode, count_include_pad, divisor_override)(x)


def sum_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
) -> Any:
    """Add up the values under each window.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    kernel_size, stride, padding, ceil_mode
        As in :func:`avg_pool2d`.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)

    Raises
    ------
    ShapeError, DTypeError, OptionError
        As in :func:`avg_pool2d`.

    Notes
    -----
    ``y = Σ x``; ``δ(x) = δ(y)`` for each pixel of a window, added up where windows overlap.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition",
       Proc. IEEE 86(11), 1998, section II-B: subsampling adds, then scales and shifts.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.sum_pool2d(tg.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]]), 2).tolist()
    [[[[12.0]]]]
    """
    return SumPool2dElement(pool_window("sum_pool2d", kernel_size, stride, padding), ceil_mode)(x)
