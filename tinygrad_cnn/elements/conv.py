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

With ``flip=True`` the element is the true convolution, and the two signs change places: z =
w * x + b at the positions where the filter lies inside, δ(x) = δ(z) ⋆ w at all where they
overlap; ∇w is flipped as the filter is.
"""

from typing import Any

from tinygrad_cnn.elements.activated import (
    RectifiedElement,
    SquashedElement,
    activated,
    require_activation,
)
from tinygrad_cnn.elements.activation import ActivationElement, SigmoidElement, TanhElement
from tinygrad_cnn.elements.activation_rectifiers import ReluElement
from tinygrad_cnn.elements.conv_trio import GradInputElement, GradWeightElement, SlidingElement
from tinygrad_cnn.elements.window import Padding, margins, pair
from tinygrad_cnn.kernels.geometry import Pair
from tinygrad_cnn.rule import Rule


class Conv2dElement(SlidingElement, name="conv2d"):
    """Slide filters over images: cross-correlation ⋆ or, flipped, true convolution *."""

    family = "conv2d"
    rank = 4
    shapes = ("(N, C, H, W)", "(O, C, KH, KW)")
    rules = {
        False: Rule(
            ("x", "weight", "bias"),
            ("z",),
            "{weight} ⋆ {x} + {bias}",
            {"x": "{δz} * {weight}", "weight": "Σ {x} ⋆ {δz}", "bias": "Σ {δz}"},
            r"z_{oij} = b_o + \sum_{cuv} w_{ocuv} \, x_{c,\,is+ud-p,\,js+vd-p}",
            {
                "x": r"\delta(x)_{crq} = \sum_{ouv} \delta(z)_{oij} w_{ocuv}"
                r"\ [is + ud - p = r,\ js + vd - p = q]",
                "weight": r"\nabla w_{ocuv} = \sum_{nij} \delta(z)_{noij}"
                r" x_{nc,\,is+ud-p,\,js+vd-p}",
                "bias": r"\nabla b_o = \sum_{nij} \delta(z)_{noij}",
            },
        ),
        True: Rule(
            ("x", "weight", "bias"),
            ("z",),
            "{weight} * {x} + {bias}",
            {"x": "{δz} ⋆ {weight}", "weight": "Σ flip({x} ⋆ {δz})", "bias": "Σ {δz}"},
            r"z_{oij} = b_o + \sum_{cuv} w_{oc,\,K-1-u,\,K-1-v} \, x_{c,\,is+ud-p,\,js+vd-p}",
            {
                "x": r"\delta(x)_{crq} = \sum_{ouv} \delta(z)_{oij} w_{oc,\,K-1-u,\,K-1-v}"
                r"\ [is + ud - p = r,\ js + vd - p = q]",
                "weight": r"\nabla w_{oc,\,K-1-u,\,K-1-v} = \sum_{nij} \delta(z)_{noij}"
                r" x_{nc,\,is+ud-p,\,js+vd-p}",
                "bias": r"\nabla b_o = \sum_{nij} \delta(z)_{noij}",
            },
        ),
    }
    rule = rules[False]


def _activated(activation: type[ActivationElement]) -> dict[bool, Rule]:
    return {flip: activated(rule, activation.rule) for flip, rule in Conv2dElement.rules.items()}


_SAVED = {"x": ("weight", "a"), "weight": ("x", "a"), "bias": ("a",)}  # with an activation


class Conv2dReluElement(RectifiedElement, Conv2dElement, name="conv2d_relu"):
    """Slide filters over images and rectify the result."""

    rules = _activated(ReluElement)
    rule = rules[False]
    saves = _SAVED
    operation = "conv2d_relu_forward"


class Conv2dSigmoidElement(SquashedElement, Conv2dElement, name="conv2d_sigmoid"):
    """Slide filters over images and squash the result to (0, 1)."""

    activation = SigmoidElement
    rules = _activated(SigmoidElement)
    rule = rules[False]
    saves = _SAVED


class Conv2dTanhElement(SquashedElement, Conv2dElement, name="conv2d_tanh"):
    """Slide filters over images and squash the result to (-1, 1)."""

    activation = TanhElement
    rules = _activated(TanhElement)
    rule = rules[False]
    saves = _SAVED


class Conv2dGradInputElement(GradInputElement, name="conv2d_grad_input"):
    """Send an error signal back through the filters: a convolution."""

    family = "conv2d"
    rules = {
        False: Rule(
            ("δ", "weight"),
            ("y",),
            "{δ} * {weight}",
            {"δ": "{weight} ⋆ {δy}", "weight": "Σ {δy} ⋆ {δ}"},
            r"y = \delta \ast w",
            {
                "δ": r"\delta(\delta) = w \star \delta(y)",
                "weight": r"\nabla w = \delta(y) \star \delta",
            },
        ),
        True: Rule(
            ("δ", "weight"),
            ("y",),
            "{δ} ⋆ {weight}",
            {"δ": "{weight} * {δy}", "weight": "Σ flip({δy} ⋆ {δ})"},
            r"y = \delta \star w",
            {
                "δ": r"\delta(\delta) = w \ast \delta(y)",
                "weight": r"\nabla w = \operatorname{flip}(\delta(y) \star \delta)",
            },
        ),
    }
    rule = rules[False]


class Conv2dGradWeightElement(GradWeightElement, name="conv2d_grad_weight"):
    """Correlate the images with the error signals: the gradient of the filters."""

    family = "conv2d"
    rules = {
        False: Rule(
            ("δ", "x"),
            ("y",),
            "Σ {x} ⋆ {δ}",
            {"δ": "{δy} ⋆ {x}", "x": "{δ} * {δy}"},
            r"y = x \star \delta",
            {"δ": r"\delta(\delta) = \delta(y) \star x", "x": r"\delta(x) = \delta \ast \delta(y)"},
        ),
        True: Rule(
            ("δ", "x"),
            ("y",),
            "Σ flip({x} ⋆ {δ})",
            {"δ": "{δy} * {x}", "x": "{δ} ⋆ {δy}"},
            r"y = \operatorname{flip}(x \star \delta)",
            {"δ": r"\delta(\delta) = \delta(y) \ast x", "x": r"\delta(x) = \delta \star \delta(y)"},
        ),
    }
    rule = rules[False]


_KINDS: dict[str, type[Conv2dElement]] = {
    "relu": Conv2dReluElement,
    "sigmoid": Conv2dSigmoidElement,
    "tanh": Conv2dTanhElement,
}


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    *,
    flip: bool = False,
    activation: str | None = None,
) -> Any:
    """Cross-correlate a batch of images with a bank of filters, or convolve them.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    weight : Tensor, shape (O, C / groups, KH, KW)
        Filters.
    bias : Tensor, shape (O,), optional
        Added to each output channel.
    stride : int or (int, int), in pixels
        Step of the window, (down, across).
    padding : int, (int, int), ((int, int), (int, int)), "same" or "valid", in pixels
        Zeros added on each side; (down, across) or ((top, bottom), (left, right)). "same"
        keeps the size of the image, with stride 1 only: d (K - 1) pixels in all, an odd one
        at the bottom and at the right. "valid" is 0.
    dilation : int or (int, int), in pixels
        From one tap of the filter to the next, (down, across).
    groups : int
        Input and output channels are divided into as many groups, each with filters of its
        own. With ``groups = C`` the convolution is *depthwise*.
    flip : bool
        Whether the filter is flipped, as the word convolution means in mathematics.
    activation : {None, "relu", "sigmoid", "tanh"}
        What is applied to the result in the same element, which has the rule of both.

    Returns
    -------
    Tensor, shape (N, O, OH, OW)
        With ``OH = floor((H + top + bottom - dilation (KH - 1) - 1) / stride) + 1``, OW
        likewise.

    Raises
    ------
    ShapeError
        If the ranks or channel counts differ, groups does not divide them, or the window
        does not fit.
    DTypeError
        If the types differ or are not float32 or float64.
    OptionError
        If stride, dilation or groups is below 1, padding below 0, or "same" with a stride; if
        the activation is another.

    Notes
    -----
    ``z[n,o,i,j] = b[o] + Σ_c,u,v w[o,c,u,v] x[n, c, i·s + u·d - p, j·s + v·d - p]``, where c
    runs over the channels of o's group; with `flip`, w[o, c, KH-1-u, KW-1-v] stands there.
    With stride 1 and no padding δ(x) is the full convolution of δ(z) with the filters, ∇w
    the valid correlation of x with δ(z); ∇b is the sum of δ(z) over images and pixels.

    References
    ----------
    .. [1] Y. LeCun et al., "Gradient-based learning applied to document recognition",
       Proc. IEEE 86(11), 1998, section II-A.
    .. [2] V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning",
       arXiv:1603.07285, sections 2 and 4.
    .. [3] A. Krizhevsky et al., "ImageNet classification with deep convolutional neural
       networks", NIPS 2012, section 3.5: groups.
    .. [4] F. Yu, V. Koltun, "Multi-scale context aggregation by dilated convolutions",
       arXiv:1511.07122, section 2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> image = tg.Tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    >>> weight = tg.Tensor([[[[1.0, 0.0], [0.0, 2.0]]]])
    >>> tg.functional.conv2d(image, weight).tolist()
    [[[[11.0, 14.0], [20.0, 23.0]]]]
    >>> tg.functional.conv2d(image, weight, flip=True).tolist()
    [[[[7.0, 10.0], [16.0, 19.0]]]]
    """
    kind: type[Conv2dElement] = Conv2dElement
    if activation is not None:
        require_activation("conv2d", activation, _KINDS)
        kind = _KINDS[activation]
    element = kind(
        pair("conv2d", "stride", stride, 1),
        margins("conv2d", padding),
        pair("conv2d", "dilation", dilation, 1),
        groups,
        flip,
    )
    return element(x, weight) if bias is None else element(x, weight, bias)
