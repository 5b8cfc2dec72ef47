"""Lp pooling: the p-norm of the values under a window, between the sum and the maximum."""

from typing import Any

import numpy as np

from tinygrad_cnn.elements.arithmetic import add, divide, multiply, negative
from tinygrad_cnn.elements.pool import PoolElement, Size, pool_window
from tinygrad_cnn.elements.pool_windows import WindowsElement, WindowsGradElement
from tinygrad_cnn.elements.powers import power
from tinygrad_cnn.elements.reduce import sum
from tinygrad_cnn.elements.requirements import finite_number
from tinygrad_cnn.elements.shape import unsqueeze
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class LpPool2dElement(PoolElement, name="lp_pool2d"):
    """Take the p-norm of the values under each window."""

    rule = Rule(
        ("x",),
        ("y",),
        "(Σ |{x}|^p)^(1/p) over each window",
        {"x": "Σ {δy} ∘ (Σ |{x}|^p)^(1/p - 1) ∘ |{x}|^(p - 1) ∘ sign({x})"},
        r"y = \Big(\sum_{k \in \text{window}} |x_k|^p\Big)^{1/p}",
        {
            "x": r"\delta(x)_k = \sum_{\text{windows} \ni k} \delta(y)"
            r" \Big(\sum |x|^p\Big)^{1/p - 1} |x_k|^{p-1} \operatorname{sign}(x_k)"
        },
    )
    saves = {"x": ("x", "y")}
    convention = "the derivative is 0 where all values under a window are 0, and at x = 0"

    def __init__(self, p: float, window: Window, ceil_mode: bool = False) -> None:
        super().__init__(window, ceil_mode)
        self.p = p

    def options(self) -> dict[str, Any]:
        return super().options() | {"p": self.p}

    def forward(self, x: Any) -> Any:
        out = self.device.empty_activation(self.pooled(x.shape), x.dtype)
        self.device.kernel("lp_pool2d_forward", x.dtype, self.window).function(
            layout.channels_last(x), self.p, self.window, layout.channels_last(out)
        )
        return out

    def backward(self, signal: Variable) -> Variable:
        element = LpPool2dGradElement(self.p, self.window)
        return element(signal, self.saved("x"), self.saved("y"))


class LpPool2dGradElement(PoolElement, name="lp_pool2d_grad"):
    """Send the error signal of each norm to the values that it is made of."""

    rule = Rule(
        ("δ", "x", "n"),
        ("y",),
        "Σ {δ} ∘ (|{x}| / {n})^(p - 1) ∘ sign({x}) over the windows that hold a pixel",
        {
            "δ": "Σ {δy} ∘ (|{x}| / {n})^(p - 1) ∘ sign({x}) over each window",
            "x": "(p - 1) ∘ {δy} ∘ Σ {δ} ∘ |{x}|^(p - 2) / {n}^(p - 1)",
            "n": "-(p - 1) ∘ {δ} / {n} ∘ Σ {δy} ∘ (|{x}| / {n})^(p - 1) ∘ sign({x})",
        },
        r"y_k = \sum_{\text{windows} \ni k} \delta \, (|x_k| / n)^{p-1} \operatorname{sign}(x_k)",
        {
            "δ": r"\delta(\delta) = \sum_k \delta(y)_k (|x_k| / n)^{p-1} \operatorname{sign}(x_k)",
            "x": r"\delta(x)_k = (p - 1) \, \delta(y)_k \sum \delta \, |x_k|^{p-2} / n^{p-1}",
            "n": r"\delta(n) = -(p - 1) \frac{\delta}{n}"
            r" \sum_k \delta(y)_k (|x_k| / n)^{p-1} \operatorname{sign}(x_k)",
        },
    )
    saves = {"δ": ("x", "n"), "x": ("δ", "x", "n"), "n": ("δ", "x", "n")}

    def __init__(self, p: float, window: Window) -> None:
        super().__init__(window)
        self.p = p

    def check(self, *_: Variable) -> None:
        """Take what the norms have been taken of."""

    def forward(self, signal: Any, x: Any, norms: Any) -> Any:
        out = self.device.empty_activation(x.shape, x.dtype)
        self.device.kernel("lp_pool2d_grad_input", x.dtype, self.window).function(
            *map(layout.channels_last, (signal, x, norms)),
            self.p,
            self.window,
            layout.channels_last(out),
        )
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        """Write the formulas of the rule with elements, on the values under each window."""
        want_signal, want_x, want_norm = self.wanted
        x, norm, p = WindowsElement(self.window)(self.saved("x")), self.saved("n"), self.p
        norm = unsqueeze(_with_ones_for_zeros(norm), -1)  # what it divides is 0 there
        sign = _constant(x, np.sign(x._value))
        ratio = divide(multiply(x, sign), norm)
        carried = multiply(WindowsElement(self.window)(signal), sign)
        to_signal = sum(multiply(carried, _power(ratio, p - 1)), -1)
        to_x = to_norm = None
        if p > 1 and (want_x or want_norm):
            delta = multiply(unsqueeze(self.saved("δ"), -1), x.constant(p - 1))
            scaled = divide(delta, norm)
            if want_x:
                slope = multiply(multiply(carried, sign), _power(ratio, p - 2))
                element = WindowsGradElement(self.window, self.inputs[1].shape)
                to_x = element(multiply(scaled, slope))
            if want_norm:
                to_norm = negative(multiply(sum(scaled, -1), to_signal))
        return to_signal if want_signal else None, to_x, to_norm


def _constant(like: Any, values: Any) -> Any:
    return like.lift(values.astype(like.dtype))


def _with_ones_for_zeros(norm: Any) -> Any:
    zeros = np.equal(norm._value, 0)
    return add(norm, _constant(norm, zeros)) if zeros.any() else norm


def _power(ratio: Any, exponent: float) -> Any:
    """Raise to a power; a constant 1 for the power 0, and no infinity where the ratio is 0."""
    if exponent < 0:
        ratio = _with_ones_for_zeros(ratio)
    return power(ratio, ratio.constant(exponent))


# -- function ------------------------------------------------------------------------


def lp_pool2d(
    x: Any,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
    padding: Size = 0,
) -> Any:
    """Take the p-norm of the values under each window.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    norm_type : float
        The power p, at least 1. With p = 1 it is the sum of the absolute values; with
        growing p it approaches the largest of them.
    kernel_size, stride, padding : int or (int, int), in pixels
        As in :func:`avg_pool2d`.
    ceil_mode : bool
        Round the output size up, as in :func:`avg_pool2d`.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)

    Raises
    ------
    ShapeError, DTypeError
        As in :func:`avg_pool2d`.
    OptionError
        If p is below 1 or not finite, or as in :func:`avg_pool2d`.

    Notes
    -----
    ``y = (Σ |x|^p)^(1/p)``; ``δ(x) = δ(y) (Σ |x|^p)^(1/p - 1) |x|^(p - 1) sign(x)``, added up
    where windows overlap. A formula without the sign holds for positive values only. Where
    the derivative does not exist, it is taken to be 0: under a window of zeros, and, with
    p = 1, at 0. Values are divided by the largest of their window before the power, so that
    neither large nor small ones are lost.

    PyTorch raises x to the power and not its absolute value, so it agrees where x is positive
    or p even; and where `ceil_mode` cuts a window off it scales the sum up as if the window
    were whole.

    References
    ----------
    .. [1] P. Sermanet, S. Chintala, Y. LeCun, "Convolutional neural networks applied to house
       numbers digit classification", ICPR 2012, section 2.2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[[3.0, -4.0], [0.0, 0.0]]]], requires_grad=True)
    >>> y = tg.functional.lp_pool2d(x, 2, 2)
    >>> y.tolist()
    [[[[5.0]]]]
    >>> y.backward(tg.Tensor([[[[10.0]]]]))
    >>> x.grad.tolist()
    [[[[6.0, -8.0], [0.0, 0.0]]]]
    """
    p = finite_number("lp_pool2d", "norm_type, the power p,", norm_type, 1.0)
    window = pool_window("lp_pool2d", kernel_size, stride, padding)
    return LpPool2dElement(p, window, ceil_mode)(x)
