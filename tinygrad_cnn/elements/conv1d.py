"""One-dimensional convolution and its two adjoints: the example that the lectures work out.

The kernels are those of images one pixel high. Rules are written for stride 1 and no padding,
pixels and taps counted from 1, K the last tap.
"""

from typing import Any

from tinygrad_cnn.elements.conv_trio import (
    ConvElement,
    GradInputElement,
    GradWeightElement,
    SlidingElement,
)
from tinygrad_cnn.elements.window import margins_across, row_options, single
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule


class _OnRows(ConvElement):
    """Common part: rows (N, C, L) are images (N, C, 1, L) to the kernels."""

    family = "conv1d"

    def window_options(self) -> dict[str, Any]:
        return row_options(self.window)

    def lifted(self, value: Any) -> Any:
        return value[:, :, None]

    def lowered(self, value: Any) -> Any:
        return layout.contiguous(value[:, :, 0])


class Conv1dElement(_OnRows, SlidingElement, name="conv1d"):
    """Slide filters over rows: cross-correlation or, flipped, true convolution."""

    rank = 3
    shapes = ("(N, C, L)", "(O, C, K)")
    rules = {
        False: Rule(
            ("x", "weight", "bias"),
            ("y",),
            "[Σ_i {weight}_i {x}_(n+i-1)]_n + {bias}",
            {
                "x": "[Σ_i {δy}_(n-i+1) {weight}_i]_n",
                "weight": "[Σ_n {δy}_n {x}_(n+i-1)]_i",
                "bias": "Σ {δy}",
            },
            r"y_n = b + \sum_i w_i x_{n+i-1}",
            {
                "x": r"\delta(x)_n = \sum_i \delta(y)_{n-i+1} w_i",
                "weight": r"\nabla w_i = \sum_n \delta(y)_n x_{n+i-1}",
                "bias": r"\nabla b = \sum_n \delta(y)_n",
            },
        ),
        True: Rule(
            ("x", "weight", "bias"),
            ("y",),
            "[Σ_i {weight}_i {x}_(n+K-i)]_n + {bias}",
            {
                "x": "[Σ_i {δy}_(n-K+i) {weight}_i]_n",
                "weight": "[Σ_n {δy}_n {x}_(n+K-i)]_i",
                "bias": "Σ {δy}",
            },
            r"y_n = b + \sum_i w_i x_{n+K-i}",
            {
                "x": r"\delta(x)_n = \sum_i \delta(y)_{n-K+i} w_i",
                "weight": r"\nabla w_i = \sum_n \delta(y)_n x_{n+K-i}",
                "bias": r"\nabla b = \sum_n \delta(y)_n",
            },
        ),
    }
    rule = rules[False]


class Conv1dGradInputElement(_OnRows, GradInputElement, name="conv1d_grad_input"):
    """Send an error signal back through the filters: a full convolution."""

    rules = {
        False: Rule(
            ("δ", "weight"),
            ("y",),
            "[Σ_i {δ}_(n-i+1) {weight}_i]_n",
            {"δ": "[Σ_i {weight}_i {δy}_(n+i-1)]_n", "weight": "[Σ_n {δ}_n {δy}_(n+i-1)]_i"},
            r"y_n = \sum_i \delta_{n-i+1} w_i",
            {
                "δ": r"\delta(\delta)_n = \sum_i w_i \delta(y)_{n+i-1}",
                "weight": r"\nabla w_i = \sum_n \delta_n \delta(y)_{n+i-1}",
            },
        ),
        True: Rule(
            ("δ", "weight"),
            ("y",),
            "[Σ_i {δ}_(n-K+i) {weight}_i]_n",
            {"δ": "[Σ_i {weight}_i {δy}_(n+K-i)]_n", "weight": "[Σ_n {δ}_n {δy}_(n+K-i)]_i"},
            r"y_n = \sum_i \delta_{n-K+i} w_i",
            {
                "δ": r"\delta(\delta)_n = \sum_i w_i \delta(y)_{n+K-i}",
                "weight": r"\nabla w_i = \sum_n \delta_n \delta(y)_{n+K-i}",
            },
        ),
    }
    rule = rules[False]


class Conv1dGradWeightElement(_OnRows, GradWeightElement, name="conv1d_grad_weight"):
    """Correlate the rows with the error signals: the gradient of the filters."""

    rules = {
        False: Rule(
            ("δ", "x"),
            ("y",),
            "[Σ_n {δ}_n {x}_(n+i-1)]_i",
            {"δ": "[Σ_i {δy}_i {x}_(n+i-1)]_n", "x": "[Σ_i {δ}_(n-i+1) {δy}_i]_n"},
            r"y_i = \sum_n \delta_n x_{n+i-1}",
            {
                "δ": r"\delta(\delta)_n = \sum_i \delta(y)_i x_{n+i-1}",
                "x": r"\delta(x)_n = \sum_i \delta_{n-i+1} \delta(y)_i",
            },
        ),
        True: Rule(
            ("δ", "x"),
            ("y",),
            "[Σ_n {δ}_n {x}_(n+K-i)]_i",
            {"δ": "[Σ_i {δy}_i {x}_(n+K-i)]_n", "x": "[Σ_i {δ}_(n-K+i) {δy}_i]_n"},
            r"y_i = \sum_n \delta_n x_{n+K-i}",
            {
                "δ": r"\delta(\delta)_n = \sum_i \delta(y)_i x_{n+K-i}",
                "x": r"\delta(x)_n = \sum_i \delta_{n-K+i} \delta(y)_i",
            },
        ),
    }
    rule = rules[False]


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | tuple[int] = 1,
    padding: int | tuple[int] | tuple[tuple[int, int]] | str = 0,
    dilation: int | tuple[int] = 1,
    groups: int = 1,
    *,
    flip: bool = False,
) -> Any:
    """Cross-correlate a batch of rows with a bank of filters, or convolve them.

    Parameters
    ----------
    x : Tensor, shape (N, C, L)
        Rows.
    weight : Tensor, shape (O, C / groups, K)
        Filters.
    bias : Tensor, shape (O,), optional
        Added to each output channel.
    stride, dilation : int, in pixels
        Step of the window, and from one tap of the filter to the next.
    padding : int, ((int, int),), "same" or "valid", in pixels
        Zeros added at both ends, ((left, right),) where they differ. "same" keeps the
        length, with stride 1 only; an odd pixel goes to the right. "valid" is 0.
    groups : int
        Input and output channels are divided into as many groups, each with filters of its
        own.
    flip : bool
        Whether the filter is flipped, as the word convolution means in mathematics.

    Returns
    -------
    Tensor, shape (N, O, OL)
        With ``OL = floor((L + left + right - dilation (K - 1) - 1) / stride) + 1``.

    Raises
    ------
    ShapeError, DTypeError, OptionError
        As in :func:`conv2d`.

    Notes
    -----
    With one channel, stride 1 and no padding, counted from 1 as in a lecture:
    ``y_n = Σ_i w_i x_(n+i-1)``; ``δ(x)_n = Σ_i δ(y)_(n-i+1) w_i``, a *full* convolution;
    ``∇w_i = Σ_n δ(y)_n x_(n+i-1)``, a *valid* correlation.

    References
    ----------
    .. [1] A. Waibel et al., "Phoneme recognition using time-delay neural networks", IEEE
       Trans. ASSP 37(3), 1989, section II.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x, w = tg.Tensor([[[1.0, 2.0, 4.0, 8.0]]]), tg.Tensor([[[1.0, 10.0]]])
    >>> tg.functional.conv1d(x, w).tolist()
    [[[21.0, 42.0, 84.0]]]
    >>> tg.functional.conv1d(x, w, flip=True).tolist()
    [[[12.0, 24.0, 48.0]]]
    """
    element = Conv1dElement(
        single("conv1d", "stride", stride, 1),
        margins_across("conv1d", padding),
        single("conv1d", "dilation", dilation, 1),
        groups,
        flip,
    )
    return element(x, weight) if bias is None else element(x, weight, bias)
