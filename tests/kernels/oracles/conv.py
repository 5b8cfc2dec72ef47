"""Convolutions as einsums over windows; their adjoints from that same einsum by linearity."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def windows(x: np.ndarray, window: Any, out: tuple[int, ...]) -> np.ndarray:
    """Return (N, OH, OW, G, C, KH, KW): for each output pixel and group what lies under it."""
    _, oh, ow, _ = out
    _, _, sh, sw, _, _, dh, dw, _, _, groups = window
    framed = frame(x, window, out)
    views = sliding_window_view(framed, span(window), axis=(1, 2))[:, ::sh, ::sw, :, ::dh, ::dw]
    n, _, _, c, kh, kw = views.shape
    return views[:, :oh, :ow].reshape(n, oh, ow, groups, c // groups, kh, kw)


def span(window: Any) -> tuple[int, int]:
    kh, kw, _, _, _, _, dh, dw, *_ = window
    return (kh - 1) * dh + 1, (kw - 1) * dw + 1


def frame(x: np.ndarray, window: Any, out: tuple[int, ...]) -> np.ndarray:
    """Surround images with the zeros that the windows of all output pixels reach."""
    _, _, sh, sw, ph, pw, *_ = window
    sizes = ((o - 1) * s + k for o, s, k in zip(out[1:3], (sh, sw), span(window), strict=True))
    near = zip(sizes, (ph, pw), x.shape[1:3], strict=True)
    far = [max(0, size - p - length) for size, p, length in near]
    return np.pad(x, ((0, 0), (ph, far[0]), (pw, far[1]), (0, 0)))


def by_group(values: np.ndarray, axis: int, window: Any) -> np.ndarray:
    """Cut the channels of an axis into (groups, channels of a group)."""
    shape = values.shape
    channels = shape[axis] // window.groups
    return values.reshape(*shape[:axis], window.groups, channels, *shape[axis + 1 :])


def conv2d_forward(x, weight, bias, window, out):
    seen = windows(x, window, out.shape)
    result = np.einsum("nijgcuv,gocuv->nijgo", seen, by_group(weight, 0, window))
    return result.reshape(out.shape) + bias


def conv2d_grad_input(grad, weight, window, out):
    """Place δ on a canvas with stride - 1 zeros between, and slide the flipped filter."""
    n, h, w, _ = out.shape
    _, _, sh, sw, ph, pw, dh, dw, _, _, _ = window
    _, oh, ow, o = grad.shape
    down, across = span(window)
    far_h, far_w = max(ph + h, (oh - 1) * sh + down), max(pw + w, (ow - 1) * sw + across)
    canvas = np.zeros((n, far_h + down - 1, far_w + across - 1, o))
    rows = slice(down - 1, down + (oh - 1) * sh, sh)
    canvas[:, rows, across - 1 : across + (ow - 1) * sw : sw] = grad
    views = sliding_window_view(canvas, (down, across), axis=(1, 2))[..., ::dh, ::dw]
    views = by_group(views[:, ph : ph + h, pw : pw + w], 3, window)
    flipped = by_group(weight[:, :, ::-1, ::-1], 0, window)
    return np.einsum("nrqgouv,gocuv->nrqgc", views, flipped).reshape(out.shape)


def conv2d_grad_weight(grad, x, window, out):
    signals, seen = by_group(grad, 3, window), windows(x, window, grad.shape)
    return np.einsum("nijgo,nijgcuv->gocuv", signals, seen).reshape(out.shape)


ORACLES = {
    "conv2d_forward": conv2d_forward,
    "conv2d_relu_forward": lambda *arguments: np.maximum(conv2d_forward(*arguments), 0),
    "conv2d_grad_input": conv2d_grad_input,
    "conv2d_grad_weight": conv2d_grad_weight,
    "channel_sum": lambda grad, out: np.einsum("ko->o", grad.reshape(-1, out.size)),
}

# In what follows NaNs are marked by 1, and the other operand holds ones: an output is reached
# where the operation gives more than 0. Ones in the padding too say what padding adds.


def _reach_of_weight_forward(variant, marks, arguments, out):
    x, _, _, window = arguments
    ones, window = _with_ones_around(x.shape, window, out.shape, variant == "im2col")
    return conv2d_forward(ones, marks, 0, window, out) > 0


def _reach_of_weight_backward(variant, marks, arguments, out):
    grad, _, window = arguments
    return conv2d_grad_input(np.ones(grad.shape), marks, window, out) > 0


def _reach_of_grad(variant, marks, arguments, out):
    _, x, window = arguments
    if variant == "winograd":
        reached = _reach_through_tiles(marks, marks.shape, (0, 0), 0)
        return np.broadcast_to(reached[:, None], out.shape)
    few = window.groups == 1 and out.shape[1] < 8  # then the images are copied with padding
    padded = variant == "im2col" or (variant == "direct" and few)
    ones, window = _with_ones_around(x.shape, window, marks.shape, padded)
    return conv2d_grad_weight(marks, ones, window, out) > 0


def _reach_of_image(variant, marks, arguments, out):
    grad, _, window = arguments
    if variant == "winograd":
        reached = _reach_through_tiles(marks, grad.shape, (window.ph, window.pw), 2)
        return np.broadcast_to(reached, out.shape)
    return conv2d_grad_weight(np.ones(grad.shape), marks, window, out) > 0


# Winograd's weight gradient multiplies at points: which pixels of a tile of the error signal,
# and of the image, meet at 0, at four (two) finite points and at infinity, and which taps
# these give.
_POINTS = {
    4: (
        np.array([[1, 0, 0, 0]] + [[1, 1, 1, 1]] * 4 + [[0, 0, 0, 1]]),
        np.array([[1, 0, 1, 0, 1, 0]] + [[0, 1, 1, 1, 1, 0]] * 4 + [[0, 1, 0, 1, 0, 1]]),
        np.array([[1, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 1]]),
    ),
    2: (
        np.array([[1, 0], [1, 1], [1, 1], [0, 1]]),
        np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]]),
        np.array([[1, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]]),
    ),
}


def _reach_through_tiles(
    marks: np.ndarray, grad: tuple[int, ...], near: tuple[int, int], more: int
) -> np.ndarray:
    """Return (channels, 3, 3): which taps of a channel its marks reach, tile by tile."""
    step = 4 if max(grad[1:3]) > 2 else 2
    to_points, back = _POINTS[step][more // 2], _POINTS[step][2]
    sizes = [-(-length // step) * step + more for length in grad[1:3]]
    framed = np.zeros((marks.shape[0], *sizes, marks.shape[3]))
    rows, columns = (
        max(0, min(length, size - p))
        for length, size, p in zip(marks.shape[1:3], sizes, near, strict=True)
    )
    (top, left), inside = near, marks[:, :rows, :columns]
    framed[:, top : top + rows, left : left + columns] = inside
    size = step + more
    tiles = sliding_window_view(framed, (size, size), axis=(1, 2))[:, ::step, ::step]
    points = np.einsum("pa,qb,nijcab->pqc", to_points, to_points, tiles)
    return np.einsum("up,vq,pqc->cuv", back, back, points) > 0


def _with_ones_around(
    shape: tuple[int, ...], window: Any, out: tuple[int, ...], padded: bool
) -> tuple[np.ndarray, Any]:
    """Return ones and the window over them; with `padded`, the padding is made of ones."""
    if not padded:
        return np.ones(shape), window
    return np.ones(frame(np.empty(shape), window, out).shape), window._replace(ph=0, pw=0)


# Operation and position of arguments that some variants multiply by padding.
NAN_REACH = {
    ("conv2d_forward", 1): _reach_of_weight_forward,
    ("conv2d_relu_forward", 1): _reach_of_weight_forward,
    ("conv2d_grad_input", 1): _reach_of_weight_backward,
    ("conv2d_grad_weight", 0): _reach_of_grad,
    ("conv2d_grad_weight", 1): _reach_of_image,
}
