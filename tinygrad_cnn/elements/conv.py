"""Two-dimensional convolution and its two adjoints.

As in the deep-learning literature the word means *cross-correlation*, written ⋆: the filter
is not flipped. A convolution in the sense of mathematics, written *, flips it. With these
signs backpropagation reads

* z = w ⋆ x + b,
* δ(x) = δ(z) * w (:class:`Conv2dGradInputElement`),
* ∇w = Σ x ⋆ δ(z), summed over the images (:class:`Conv2dGradWeightElement`),

and the derivatives of the last two are again members of this trio. With stride 1 and no
padding, ⋆ keeps to positions where the filter lies inside the image ("valid") and * takes
every position where they overlap ("full"). A stride spreads δ(z) apart before, padding is
cut off after.
"""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from tinygrad_cnn.element import ArrayElement, Rule
from tinygrad_cnn.elements.reduce import ChannelSumElement
from tinygrad_cnn.elements.requirements import one_float_type
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import Node, Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Pair, Window
from tinygrad_cnn.variable import Variable


def pair(operation: str, option: str, value: int | Sequence[int], least: int) -> Pair:
    """Return an option as (down, across), both at least `least`."""
    both = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(both) != 2 or not all(isinstance(v, Integral) and v >= least for v in both):
        raise OptionError(
            f"{operation}: {option} is an integer of at least {least}, or two of them "
            f"(down, across); got {value}"
        )
    return int(both[0]), int(both[1])


def check_window(operation: str, window: Window, shape: Shape) -> None:
    """Refuse a window that does not fit into the padded image."""
    oh, ow = window.output_size(shape[2], shape[3])
    if oh < 1 or ow < 1:
        raise ShapeError(
            f"{operation}: the window fits into the padded image, "
            "floor((size + 2 padding - kernel) / stride) + 1 >= 1; got image "
            f"{shape[2]}x{shape[3]}, kernel {window.kh}x{window.kw}, padding "
            f"({window.ph}, {window.pw}), which gives {oh}x{ow}"
        )


def window_options(window: Window, usual_stride: Pair) -> dict[str, Any]:
    """Return what is worth printing of a window: the kernel, and what is not as usual."""
    options = {"kernel": f"{window.kh}x{window.kw}"}
    if (window.sh, window.sw) != usual_stride:
        options["stride"] = f"{window.sh}x{window.sw}"
    if (window.ph, window.pw) != (0, 0):
        options["padding"] = f"{window.ph}x{window.pw}"
    return options


class _ConvElement(ArrayElement):
    """Common part of the trio: the window, and how it is printed."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def options(self) -> dict[str, Any]:
        return window_options(self.window, usual_stride=(1, 1))

    def run(self, operation: str, *operands: Any) -> None:
        """Run one of the three kernels; the last operand is filled."""
        self.device.kernel(operation, operands[-1].dtype, self.window).function(
            *operands[:-1], self.window, operands[-1]
        )


class Conv2dElement(_ConvElement, name="conv2d"):
    """Slide a bank of filters over a batch of images."""

    rule = Rule(
        ("x", "weight", "bias"),
        ("z",),
        "{weight} ⋆ {x} + {bias}",
        {
            "x": "{δz} * {weight}",
            "weight": "Σ {x} ⋆ {δz}",
            "bias": "Σ {δz}",
        },
        r"z_{oij} = b_o + \sum_{cuv} w_{ocuv} \, x_{c,\,is+u-p,\,js+v-p}",
        {
            "x": r"\delta(x)_{crq} = \sum_{ouv} \delta(z)_{oij} w_{ocuv}"
            r"\ [is + u - p = r,\ js + v - p = q]",
            "weight": r"\nabla w_{ocuv} = \sum_{nij} \delta(z)_{noij} x_{nc,\,is+u-p,\,js+v-p}",
            "bias": r"\nabla b_o = \sum_{nij} \delta(z)_{noij}",
        },
    )
    saves = {"x": ("weight",), "weight": ("x",)}

    def __init__(self, stride: Pair, padding: Pair) -> None:
        self.stride, self.padding = stride, padding

    def check(self, x: Variable, weight: Variable, bias: Variable | None = None) -> None:
        if len(x.shape) != 4 or len(weight.shape) != 4:
            raise ShapeError(
                "conv2d: x is (N, C, H, W) and weight (O, C, KH, KW); got x "
                f"{x.shape} and weight {weight.shape}"
            )
        if x.shape[1] != weight.shape[1]:
            raise ShapeError(
                f"conv2d: x has {x.shape[1]} channels but weight expects {weight.shape[1]}; "
                f"got x {x.shape} and weight {weight.shape}"
            )
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ShapeError(
                "conv2d: bias has one value for each output channel; got bias "
                f"{bias.shape} and weight {weight.shape}"
            )
        if 0 in weight.shape:
            raise ShapeError(f"conv2d: no size of the weight is zero; got {weight.shape}")
        one_float_type("conv2d", *((x, weight) if bias is None else (x, weight, bias)))
        self.window = Window(*weight.shape[2:], *self.stride, *self.padding)
        check_window("conv2d", self.window, x.shape)

    def forward(self, x: Any, weight: Any, bias: Any = None) -> Any:
        height, width = self.window.output_size(*x.shape[2:])
        out = self.device.empty_activation((x.shape[0], weight.shape[0], height, width), x.dtype)
        if bias is None:
            bias = self.device.zeros_like_type(weight.shape[:1], x)
        self.run(
            "conv2d_forward",
            layout.channels_last(x),
            layout.contiguous(weight),
            layout.contiguous(bias),
            layout.channels_last(out),
        )
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_weight, *want_bias = self.wanted
        x, weight = self.inputs[:2]
        to_x = to_weight = None
        if want_x:
            to_x = Conv2dGradInputElement(self.window, x.shape)(signal, self.saved("weight"))
        if want_weight:
            to_weight = Conv2dGradWeightElement(self.window, weight.shape)(signal, self.saved("x"))
        return to_x, to_weight, *(ChannelSumElement(1)(signal) if w else None for w in want_bias)

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        n, _, height, width = outputs[0].shape
        work = n * height * width * math.prod(inputs[1].shape)
        return work, {"x": work, "weight": work}


class Conv2dGradInputElement(_ConvElement, name="conv2d_grad_input"):
    """Send an error signal back through the filters: a convolution."""

    rule = Rule(
        ("δ", "weight"),
        ("y",),
        "{δ} * {weight}",
        {"δ": "{weight} ⋆ {δy}", "weight": "Σ {δy} ⋆ {δ}"},
        r"y = \delta \ast w",
        {
            "δ": r"\delta(\delta) = w \star \delta(y)",
            "weight": r"\nabla w = \delta(y) \star \delta",
        },
    )
    saves = {"δ": ("weight",), "weight": ("δ",)}

    def __init__(self, window: Window, shape: Shape) -> None:
        super().__init__(window)
        self.shape = shape

    def forward(self, signal: Any, weight: Any) -> Any:
        out = self.device.empty_activation(self.shape, signal.dtype)
        operands = (layout.channels_last(signal), layout.contiguous(weight))
        self.run("conv2d_grad_input", *operands, layout.channels_last(out))
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_weight = self.wanted
        w = self.window
        to_signal = to_weight = None
        if want_signal:
            to_signal = Conv2dElement((w.sh, w.sw), (w.ph, w.pw))(signal, self.saved("weight"))
        if want_weight:
            to_weight = Conv2dGradWeightElement(w, self.inputs[1].shape)(self.saved("δ"), signal)
        return to_signal, to_weight

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        return _trio_work(inputs[0].shape, inputs[1].shape, ("δ", "weight"))


class Conv2dGradWeightElement(_ConvElement, name="conv2d_grad_weight"):
    """Correlate the images with the error signals: the gradient of the filters."""

    rule = Rule(
        ("δ", "x"),
        ("y",),
        "Σ {x} ⋆ {δ}",
        {"δ": "{δy} ⋆ {x}", "x": "{δ} * {δy}"},
        r"y = x \star \delta",
        {"δ": r"\delta(\delta) = \delta(y) \star x", "x": r"\delta(x) = \delta \ast \delta(y)"},
    )
    saves = {"δ": ("x",), "x": ("δ",)}

    def __init__(self, window: Window, shape: Shape) -> None:
        super().__init__(window)
        self.shape = shape

    def forward(self, signal: Any, x: Any) -> Any:
        out = self.device.empty(self.shape, x.dtype)
        self.run("conv2d_grad_weight", layout.channels_last(signal), layout.channels_last(x), out)
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_x = self.wanted
        w = self.window
        to_signal = to_x = None
        if want_signal:
            to_signal = Conv2dElement((w.sh, w.sw), (w.ph, w.pw))(self.saved("x"), signal)
        if want_x:
            to_x = Conv2dGradInputElement(w, self.inputs[1].shape)(self.saved("δ"), signal)
        return to_signal, to_x

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        return _trio_work(inputs[0].shape, outputs[0].shape, ("δ", "x"))


def _trio_work(
    signal: Shape, weight: Shape, symbols: tuple[str, str]
) -> tuple[int, dict[str, int]]:
    work = signal[0] * signal[2] * signal[3] * math.prod(weight)
    return work, dict.fromkeys(symbols, work)


# -- function ------------------------------------------------------------------------


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
) -> Any:
    """Cross-correlate a batch of images with a bank of filters.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    weight : Tensor, shape (O, C, KH, KW)
        Filters.
    bias : Tensor, shape (O,), optional
        Added to each output channel.
    stride, padding : int or (int, int), in pixels
        Step of the window, and zeros added on each side; (down, across).

    Returns
    -------
    Tensor, shape (N, O, OH, OW)
        With ``OH = floor((H + 2 padding - KH) / stride) + 1``, OW likewise.

    Raises
    ------
    ShapeError
        If the ranks or channel counts differ, or the window does not fit.
    DTypeError
        If the types differ or are not float32 or float64.
    OptionError
        If stride is below 1 or padding below 0.

    Notes
    -----
    ``z[n,o,i,j] = b[o] + Σ_c,u,v w[o,c,u,v] x[n, c, i·s + u - p, j·s + v - p]``.
    With stride 1 and no padding δ(x) is the full convolution of δ(z) with the filters, ∇w
    the valid correlation of x with δ(z); ∇b is the sum of δ(z) over images and pixels.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition",
       Proc. IEEE 86(11), 1998, section II-A.
    .. [2] V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning",
       arXiv:1603.07285, sections 2 and 4.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> image = tg.Tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    >>> tg.functional.conv2d(image, tg.Tensor([[[[1.0, 0.0], [0.0, 1.0]]]])).tolist()
    [[[[6.0, 8.0], [12.0, 14.0]]]]
    """
    element = Conv2dElement(
        pair("conv2d", "stride", stride, 1), pair("conv2d", "padding", padding, 0)
    )
    return element(x, weight) if bias is None else element(x, weight, bias)
