"""Convolutions as einsums over windows; their adjoints from that same einsum by linearity."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .windows import windows


def conv2d_forward(x, weight, bias, window, out):
    return np.einsum("nijcuv,ocuv->nijo", windows(x, window), weight) + bias


def conv2d_grad_input(grad, weight, window, out):
    """Place δ on a canvas with stride - 1 zeros between, and slide the flipped filter."""
    n, h, w, _ = out.shape
    kh, kw, sh, sw, ph, pw = window[:6]
    _, oh, ow, o = grad.shape
    canvas = np.zeros((n, h + 2 * ph + kh - 1, w + 2 * pw + kw - 1, o))
    canvas[:, kh - 1 : kh - 1 + oh * sh : sh, kw - 1 : kw - 1 + ow * sw : sw] = grad
    views = sliding_window_view(canvas, (kh, kw), axis=(1, 2))
    whole = np.einsum("nrqouv,ocuv->nrqc", views, weight[:, :, ::-1, ::-1])
    return whole[:, ph : ph + h, pw : pw + w]


def conv2d_grad_weight(grad, x, window, out):
    return np.einsum("nijo,nijcuv->ocuv", grad, windows(x, window))


ORACLES = {
    "conv2d_forward": conv2d_forward,
    "conv2d_grad_input": conv2d_grad_input,
    "conv2d_grad_weight": conv2d_grad_weight,
    "channel_sum": lambda grad, out: np.einsum("ko->o", grad.reshape(-1, out.size)),
}

# In what follows NaNs are marked by 1, and the other operand holds ones: an output is reached
# where the operation gives more than 0. Ones in the padding too say what padding adds.


def _reach_of_weight_forward(variant, marks, arguments, out):
    x, _, _, window = arguments
    ones, window = _with_ones_around(x.shape, window, variant in ("direct", "im2col"))
    return conv2d_forward(ones, marks, 0, window, out) > 0


def _reach_of_weight_backward(variant, marks, arguments, out):
    grad, _, window = arguments
    if variant == "direct":
        return _met_by_class(marks, window, out.shape)
    return conv2d_grad_input(np.ones(grad.shape), marks, window, out) > 0


def _reach_of_grad(variant, marks, arguments, out):
    _, x, window = arguments
    ones, window = _with_ones_around(x.shape, window, variant in ("direct", "im2col"))
    return conv2d_grad_weight(marks, ones, window, out) > 0


def _with_ones_around(shape: tuple[int, ...], window: Any, padded: bool) -> tuple[np.ndarray, Any]:
    """Return ones and the window over them; with `padded`, the padding is made of ones."""
    if not padded:
        return np.ones(shape), window
    n, h, w, c = shape
    ones = np.ones((n, h + 2 * window.ph, w + 2 * window.pw, c))
    return ones, window._replace(ph=0, pw=0)


def _met_by_class(marks: np.ndarray, window: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Tap (u, v) meets every pixel (r, q) with r + ph - u, q + pw - v multiples of the stride."""
    kh, kw, sh, sw, ph, pw = window[:6]
    down = (np.arange(shape[1])[:, None] + ph - np.arange(kh)) % sh == 0
    across = (np.arange(shape[2])[:, None] + pw - np.arange(kw)) % sw == 0
    met = np.einsum("ru,qv,ocuv->rqc", down.astype(float), across.astype(float), marks)
    return np.broadcast_to(met > 0, shape)


# Operation and position of arguments that some variants multiply by padding.
NAN_REACH = {
    ("conv2d_forward", 1): _reach_of_weight_forward,
    ("conv2d_grad_input", 1): _reach_of_weight_backward,
    ("conv2d_grad_weight", 0): _reach_of_grad,
}
