"""Transposed convolution: the gradient of a convolution's input, as a layer of its own."""

from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.element import ArrayElement, Reach
from tinygrad_cnn.elements.conv import Conv2dElement, Conv2dGradWeightElement
from tinygrad_cnn.elements.conv_trio import trio_work
from tinygrad_cnn.elements.reduce import ChannelSumElement
from tinygrad_cnn.elements.requirements import one_float_type
from tinygrad_cnn.elements.window import extra_pixels, group_count, pair, window_options
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.graph import Node, Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Convolution, Pair, Window
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class ConvTranspose2dElement(ArrayElement, name="conv_transpose2d"):
    """Spread filters over a larger image: a convolution's gradient of the input, forward."""

    rule = Rule(
        ("x", "weight", "bias"),
        ("z",),
        "{x} * {weight} + {bias}",
        {"x": "{weight} ⋆ {δz}", "weight": "Σ {δz} ⋆ {x}", "bias": "Σ {δz}"},
        r"z_{orq} = b_o + \sum_{cuv} x_{cij} w_{couv}\ [is + ud - p = r,\ js + vd - p = q]",
        {
            "x": r"\delta(x)_{cij} = \sum_{ouv} w_{couv} \, \delta(z)_{o,\,is+ud-p,\,js+vd-p}",
            "weight": r"\nabla w_{couv} = \sum_{nij} x_{ncij} \delta(z)_{no,\,is+ud-p,\,js+vd-p}",
            "bias": r"\nabla b_o = \sum_{nrq} \delta(z)_{norq}",
        },
    )
    saves = {"x": ("weight",), "weight": ("x",)}
    window: Window

    def __init__(
        self, stride: Pair, padding: Pair, extra: Pair, dilation: Pair, groups: int
    ) -> None:
        self.stride, self.padding, self.extra = stride, padding, extra
        self.dilation, self.groups = dilation, group_count(self.name, groups)

    def options(self) -> dict[str, Any]:
        # The window's far side makes up for the extra pixels, so it would say them twice.
        options = window_options(self.window._replace(eh=0, ew=0), usual_stride=(1, 1))
        if self.extra != (0, 0):
            options["output_padding"] = "{}x{}".format(*self.extra)
        return options

    def reach(self) -> Reach:
        # It enlarges: neighbours see parts that lie a fraction of a pixel apart.
        (down, across), (_, _, sh, sw, *_) = self.window.span(), self.window
        return Reach(-(-down // sh), -(-across // sw), 1 / sh, 1 / sw)

    def check(self, x: Variable, weight: Variable, bias: Variable | None = None) -> None:
        if len(x.shape) != 4 or len(weight.shape) != 4:
            raise ShapeError(
                f"{self.name}: x is (N, C, H, W) and weight (C, O / groups, KH, KW); got x "
                f"{x.shape} and weight {weight.shape}"
            )
        if 0 in weight.shape:
            raise ShapeError(f"{self.name}: no size of the weight is zero; got {weight.shape}")
        if x.shape[1] != weight.shape[0]:
            raise ShapeError(
                f"{self.name}: x has {x.shape[1]} channels but weight expects "
                f"{weight.shape[0]}; got x {x.shape} and weight {weight.shape}"
            )
        if x.shape[1] % self.groups:
            raise ShapeError(
                f"{self.name}: groups divides the channels of x; got groups {self.groups} and "
                f"x {x.shape}"
            )
        filters = weight.shape[1] * self.groups
        if bias is not None and bias.shape != (filters,):
            raise ShapeError(
                f"{self.name}: bias has one value for each of {filters} output channels; got "
                f"bias {bias.shape} and weight {weight.shape}"
            )
        one_float_type(self.name, *((x, weight) if bias is None else (x, weight, bias)))
        eh, ew = self.extra
        self.window = Window(
            *weight.shape[2:], *self.stride, *self.padding, *self.dilation,
            eh=-eh, ew=-ew, groups=self.groups,
        )  # fmt: skip
        height, width = self._output_size(x.shape)
        if height < 1 or width < 1 or 0 in x.shape[2:]:
            raise ShapeError(
                f"{self.name}: the output has at least one pixel, (size - 1) stride - 2 padding"
                f" + dilation (kernel - 1) + output_padding + 1; got x {x.shape}, kernel "
                f"{self.window.kh}x{self.window.kw} and padding {self.padding}, which gives "
                f"{height}x{width}"
            )

    def _output_size(self, shape: Shape) -> Pair:
        (down, across), (_, _, sh, sw, ph, pw, *_) = self.window.span(), self.window
        return (
            (shape[2] - 1) * sh - 2 * ph + down + self.extra[0],
            (shape[3] - 1) * sw - 2 * pw + across + self.extra[1],
        )

    def forward(self, x: Any, weight: Any, bias: Any = None) -> Any:
        size = self._output_size(x.shape)
        result = self.device.empty((x.shape[0], *size, weight.shape[1] * self.groups), x.dtype)
        operands = (layout.channels_last(x), layout.contiguous(weight), result)
        layer = Convolution.of("conv2d_grad_input", operands, self.window)
        kernel = self.device.kernel("conv2d_grad_input", x.dtype, layer)
        kernel.function(*operands[:2], self.window, result)
        out = layout.user_view(result)
        return out if bias is None else self.device.elementwise("add", out, bias[:, None, None])

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_weight, *want_bias = self.wanted
        to_x = to_weight = None
        _, _, _, _, ph, pw, _, _, eh, ew, groups = self.window
        if want_x:
            padding = ((ph, ph + eh), (pw, pw + ew))
            slide = Conv2dElement(self.stride, padding, self.dilation, groups)
            to_x = slide(signal, self.saved("weight"))
        if want_weight:
            element = Conv2dGradWeightElement(self.window, self.inputs[1].shape)
            to_weight = element(self.saved("x"), signal)
        return to_x, to_weight, *(ChannelSumElement(1)(signal) if w else None for w in want_bias)

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        return trio_work(inputs[0].shape, inputs[1].shape, ("x", "weight"))


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
) -> Any:
    """Spread a bank of filters over larger images: the adjoint of :func:`conv2d`.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    weight : Tensor, shape (C, O / groups, KH, KW)
        Filters; those of the convolution from O to C channels that this is the adjoint of.
    bias : Tensor, shape (O,), optional
        Added to each output channel.
    stride, dilation : int or (int, int), in pixels
        Distance of two pixels of x in the output, and of two taps; (down, across).
    padding : int or (int, int), in pixels
        Cut off at each side of the output; (down, across).
    output_padding : int or (int, int), in pixels
        Added at the bottom and at the right of the output; below stride or dilation.
    groups : int
        As in :func:`conv2d`.

    Returns
    -------
    Tensor, shape (N, O, OH, OW)
        With ``OH = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1``, OW
        likewise.

    Raises
    ------
    ShapeError
        If the ranks or channel counts differ, or no pixel is left.
    DTypeError
        If the types differ or are not float32 or float64.
    OptionError
        If stride, dilation or groups is below 1, padding below 0 or output_padding too large.

    Notes
    -----
    ``z[n,o,r,q] = b[o] + Σ w[c,o,u,v] x[n,c,i,j]`` over i·s + u·d - p = r, j·s + v·d - p = q.
    δ(x) is :func:`conv2d` of δ(z) with the same filters.

    References
    ----------
    .. [1] M. D. Zeiler et al., "Deconvolutional networks", CVPR 2010, section 3.
    .. [2] V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning",
       arXiv:1603.07285, section 4.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> tg.functional.conv_transpose2d(x, tg.ones(1, 1, 2, 2), stride=2).tolist()[0][0]
    [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 4.0, 4.0], [3.0, 3.0, 4.0, 4.0]]
    """
    name = "conv_transpose2d"
    step, gaps = pair(name, "stride", stride, 1), pair(name, "dilation", dilation, 1)
    border = pair(name, "padding", padding, 0)
    extra = extra_pixels(name, output_padding, step, gaps)
    element = ConvTranspose2dElement(step, border, extra, gaps, groups)
    return element(x, weight) if bias is None else element(x, weight, bias)
