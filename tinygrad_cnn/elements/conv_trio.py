"""A convolution and its two adjoints, whatever the number of dimensions.

Each family has a sliding element, the gradient of its input and the gradient of its weight.
The derivatives of the three are members of the three again, so that one class for each
serves images and, lifted to images one pixel high, rows.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from tinygrad_cnn.element import ELEMENTS, ArrayElement
from tinygrad_cnn.elements.channelwise import as_images
from tinygrad_cnn.elements.reduce import ChannelSumElement
from tinygrad_cnn.elements.requirements import one_float_type
from tinygrad_cnn.elements.window import (
    Margins,
    fitted,
    group_count,
    sliding_window,
    window_options,
)
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.graph import Node, Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Convolution, Pair, Window
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class ConvElement(ArrayElement):
    """Common part of the three: the window, the direction of the filter, how they print."""

    family: ClassVar[str]  # the name of the sliding element; its adjoints' begin with it
    rules: ClassVar[Mapping[bool, Rule]]  # by whether the filter is flipped
    window: Window

    def __init__(self, flip: bool) -> None:
        self.flip = flip
        self.rule = self.rules[flip]

    def options(self) -> dict[str, Any]:
        options = self.window_options()
        return {**options, "filter": "flipped (true convolution)"} if self.flip else options

    def window_options(self) -> dict[str, Any]:
        """Return what is worth printing of the window."""
        return window_options(self.window, usual_stride=(1, 1))

    def lifted(self, value: Any) -> Any:
        """Return images, or filters, as a four-dimensional array."""
        return value

    def lowered(self, value: Any) -> Any:
        """Return a four-dimensional array in the dimensions of this family."""
        return value

    def turned(self, weight: Any) -> Any:
        """Return lifted filters as the kernels slide them, or back."""
        return layout.contiguous(weight[:, :, ::-1, ::-1] if self.flip else weight)

    def run(self, operation: str, *operands: Any) -> None:
        """Run one of the three kernels; the last operand is filled."""
        window, (*given, out) = self.window, operands
        layer = Convolution.of(operation, operands, window)
        self.device.kernel(operation, out.dtype, layer).function(*given, window, out)

    def slide(self, x: Variable, weight: Variable) -> Any:
        """Apply the sliding element of this family with the same window."""
        _, _, sh, sw, ph, pw, dh, dw, eh, ew, groups = self.window
        padding = ((ph, ph + eh), (pw, pw + ew))
        element: Any = ELEMENTS[self.family]
        return element((sh, sw), padding, (dh, dw), groups, self.flip)(x, weight)

    def grad_input(self, signal: Variable, weight: Variable, shape: Shape) -> Any:
        """Apply the gradient of the input, which has this shape."""
        element: Any = ELEMENTS[f"{self.family}_grad_input"]
        return element(self.window, shape, self.flip)(signal, weight)

    def grad_weight(self, signal: Variable, x: Variable, shape: Shape) -> Any:
        """Apply the gradient of the weight, which has this shape."""
        element: Any = ELEMENTS[f"{self.family}_grad_weight"]
        return element(self.window, shape, self.flip)(signal, x)


class SlidingElement(ConvElement):
    """Slide a bank of filters."""

    rank: ClassVar[int]
    shapes: ClassVar[tuple[str, str]]  # of x and weight, for messages
    operation: ClassVar[str] = "conv2d_forward"
    saves = {"x": ("weight",), "weight": ("x",)}
    answers_anew = True

    def __init__(
        self,
        stride: Pair,
        padding: Margins,
        dilation: Pair = (1, 1),
        groups: int = 1,
        flip: bool = False,
    ) -> None:
        super().__init__(flip)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups = group_count(self.name, groups)

    def check(self, x: Variable, weight: Variable, bias: Variable | None = None) -> None:
        self.window, self.output_size = _fitted_layer(
            self.name,
            x.shape,
            weight.shape,
            None if bias is None else bias.shape,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        one_float_type(self.name, *((x, weight) if bias is None else (x, weight, bias)))

    def forward(self, x: Any, weight: Any, bias: Any = None) -> Any:
        x, weight = self.lifted(x), self.turned(self.lifted(weight))
        out = self.device.empty((x.shape[0], *self.output_size, weight.shape[0]), x.dtype)
        if bias is None:
            bias = self.device.no_bias(weight)
        self.run(
            self.operation,
            layout.channels_last(x),
            weight,
            layout.contiguous(bias),
            out,
        )
        self.finish(out)
        return self.lowered(layout.user_view(out))

    def finish(self, out: Any) -> None:
        """Apply, in the memory of the result, what the kernel did not: an activation."""

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_weight, *want_bias = self.wanted
        x, weight = self.inputs[:2]
        to_x = to_weight = None
        if want_x:
            to_x = self.grad_input(signal, self.saved("weight"), x.shape)
        if want_weight:
            to_weight = self.grad_weight(signal, self.saved("x"), weight.shape)
        to_bias = [ChannelSumElement(1)(signal) if want else None for want in want_bias]
        return to_x, to_weight, *to_bias

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        return trio_work(outputs[0].shape, inputs[1].shape, ("x", "weight"))


@lru_cache(maxsize=4096)
def _fitted_layer(
    name: str,
    x: Shape,
    weight: Shape,
    bias: Shape | None,
    stride: Pair,
    padding: Margins,
    dilation: Pair,
    groups: int,
) -> tuple[Window, Pair]:
    """Return the window and the size of the output, or refuse shapes that do not fit.

    An element of this name asks at every step of a training; the answer is worked out once.
    """
    element: Any = ELEMENTS[name]
    if not len(x) == len(weight) == element.rank:
        images, filters = element.shapes
        raise ShapeError(
            f"{name}: x is {images} and weight {filters}; got x {x} and weight {weight}"
        )
    if 0 in weight:
        raise ShapeError(f"{name}: no size of the weight is zero; got {weight}")
    if x[1] % groups or weight[0] % groups:
        raise ShapeError(
            f"{name}: groups divides the channels of x and the filters; got groups "
            f"{groups}, x {x} and weight {weight}"
        )
    if x[1] != weight[1] * groups:
        each = f" in each of {groups} groups" if groups > 1 else ""
        raise ShapeError(
            f"{name}: x has {x[1]} channels but weight expects "
            f"{weight[1]}{each}; got x {x} and weight {weight}"
        )
    if bias is not None and bias != weight[:1]:
        raise ShapeError(
            f"{name}: bias has one value for each output channel; got bias {bias} and weight "
            f"{weight}"
        )
    kh, kw = as_images(weight)[2:]
    window = sliding_window(name, (kh, kw), stride, padding, dilation, groups)
    return window, fitted(name, window, *as_images(x)[2:])


class GradInputElement(ConvElement):
    """Send an error signal back through the filters."""

    saves = {"δ": ("weight",), "weight": ("δ",)}

    def __init__(self, window: Window, shape: Shape, flip: bool = False) -> None:
        super().__init__(flip)
        self.window, self.shape = window, shape

    def forward(self, signal: Any, weight: Any) -> Any:
        signal, weight = self.lifted(signal), self.turned(self.lifted(weight))
        n, c, height, width = as_images(self.shape)
        out = self.device.empty((n, height, width, c), signal.dtype)
        self.run("conv2d_grad_input", layout.channels_last(signal), weight, out)
        return self.lowered(layout.user_view(out))

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_weight = self.wanted
        to_signal = to_weight = None
        if want_signal:
            to_signal = self.slide(signal, self.saved("weight"))
        if want_weight:
            to_weight = self.grad_weight(self.saved("δ"), signal, self.inputs[1].shape)
        return to_signal, to_weight

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        return trio_work(inputs[0].shape, inputs[1].shape, ("δ", "weight"))


class GradWeightElement(ConvElement):
    """Correlate inputs with error signals: the gradient of the filters."""

    saves = {"δ": ("x",), "x": ("δ",)}

    def __init__(self, window: Window, shape: Shape, flip: bool = False) -> None:
        super().__init__(flip)
        self.window, self.shape = window, shape

    def forward(self, signal: Any, x: Any) -> Any:
        signal, x = self.lifted(signal), self.lifted(x)
        out = self.device.empty((*self.shape[:2], self.window.kh, self.window.kw), x.dtype)
        self.run("conv2d_grad_weight", layout.channels_last(signal), layout.channels_last(x), out)
        return self.lowered(self.turned(out))

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_x = self.wanted
        to_signal = to_x = None
        if want_signal:
            to_signal = self.slide(self.saved("x"), signal)
        if want_x:
            to_x = self.grad_input(self.saved("δ"), signal, self.inputs[1].shape)
        return to_signal, to_x

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        return trio_work(inputs[0].shape, outputs[0].shape, ("δ", "x"))


def trio_work(signal: Shape, weight: Shape, symbols: tuple[str, str]) -> tuple[int, dict[str, int]]:
    """Return the multiply-adds of a convolution with this output, and of its adjoints."""
    work = signal[0] * math.prod(signal[2:]) * math.prod(weight)
    return work, dict.fromkeys(symbols, work)
