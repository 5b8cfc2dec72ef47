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


def _reach_of_image_forward(variant, marks, arguments, out):
    _, weight, _, window = arguments
    if variant == "winograd":
        return _reach_through_tiles(marks, window.ph, window.pw, out.shape)
    return conv2d_forward(marks, np.ones(weight.shape), 0, window, out) > 0


def _reach_of_signal_backward(variant, marks, arguments, out):
    _, weight, window = arguments
    if variant == "winograd":
        return _reach_through_tiles(marks, 2 - window.ph, 2 - window.pw, out.shape)
    return conv2d_grad_input(marks, np.ones(weight.shape), window, out) > 0


def _reach_through_tiles(marks, top, left, shape):
    """Winograd's tiles of 4x4 results see 6x6 pixels, and mix all but the outermost of them."""
    down, across = _mixed(shape[1], marks.shape[1], top), _mixed(shape[2], marks.shape[2], left)
    reached = np.einsum("ir,jq,nrqc->nij", down, across, marks)
    return np.broadcast_to(reached[..., None] > 0, shape)


def _mixed(outputs: int, inputs: int, padding: int) -> np.ndarray:
    """Return a matrix of what reaches what along one axis.

    The pixels 1 to 4 of a piece reach all results of the tile, the first one and the last
    only the result at their end.
    """
    seen = np.zeros((outputs, inputs))
    for i, r in np.ndindex(seen.shape):
        pixel = r + padding - i // 4 * 4
        seen[i, r] = 1 <= pixel <= 4 or (pixel, i % 4) in ((0, 0), (5, 3))
    return seen


def _reach_of_weight_forward(variant, marks, arguments, out):
    x, _, _, window = arguments
    if variant == "winograd":
        return np.broadcast_to(marks.any((1, 2, 3)), out.shape)
    ones, window = _with_ones_around(x.shape, window, out.shape, variant == "im2col")
    return conv2d_forward(ones, marks, 0, window, out) > 0


def _reach_of_weight_backward(variant, marks, arguments, out):
    grad, _, window = arguments
    if variant == "winograd":
        return np.broadcast_to(marks.any((0, 2, 3)), out.shape)
    return conv2d_grad_input(np.ones(grad.shape), marks, window, out) > 0


def _reach_of_grad(variant, marks, arguments, out):
    _, x, window = arguments
    if variant == "winograd":
        reached = _taps_reached(marks, _ERROR_TO_POINTS, (0, 0), marks.shape)
        return np.broadcast_to(reached[:, None], out.shape)
    w = window  # images of few channels are copied with padding, where windows overlap or touch
    touching = w.sh <= w.dh * (w.kh - 1) + 1 and w.sw <= w.dw * (w.kw - 1) + 1
    few = w.groups == 1 and out.shape[1] < 8 and touching
    padded = variant == "im2col" or (variant == "direct" and few)
    ones, window = _with_ones_around(x.shape, window, marks.shape, padded)
    return conv2d_grad_weight(marks, ones, window, out) > 0


def _reach_of_image_weight(variant, marks, arguments, out):
    grad, _, window = arguments
    if variant == "winograd":
        reached = _taps_reached(marks, _IMAGE_TO_POINTS, (window.ph, window.pw), grad.shape)
        return np.broadcast_to(reached, out.shape)
    return conv2d_grad_weight(np.ones(grad.shape), marks, window, out) > 0


# Winograd's weight gradient multiplies at points: which pixels of a tile of the error signal,
# and of the image, meet at 0, at four finite points and at infinity, and which taps they give.
_ERROR_TO_POINTS = np.array([[1, 0, 0, 0]] + [[1, 1, 1, 1]] * 4 + [[0, 0, 0, 1]])
_IMAGE_TO_POINTS = np.array([[1, 0, 1, 0, 1, 0]] + [[0, 1, 1, 1, 1, 0]] * 4 + [[0, 1, 0, 1, 0, 1]])
_POINTS_TO_TAPS = np.array([[1, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 1]])


def _taps_reached(
    marks: np.ndarray, to_points: np.ndarray, near: tuple[int, int], grad: tuple[int, ...]
) -> np.ndarray:
    """Return (channels, 3, 3): which taps of a channel its marks reach, tile by tile."""
    size = to_points.shape[1]
    far = [
        max(0, -(-outputs // 4) * 4 + size - 4 - p - pixels)
        for outputs, p, pixels in zip(grad[1:3], near, marks.shape[1:3], strict=True)
    ]
    framed = np.pad(marks, ((0, 0), (near[0], far[0]), (near[1], far[1]), (0, 0)))
    tiles = sliding_window_view(framed, (size, size), axis=(1, 2))[:, ::4, ::4]
    tiles = tiles[:, : -(-grad[1] // 4), : -(-grad[2] // 4)]
    points = np.einsum("pa,qb,nijcab->pqc", to_points, to_points, tiles)
    return np.einsum("up,vq,pqc->cuv", _POINTS_TO_TAPS, _POINTS_TO_TAPS, points) > 0


def _with_ones_around(
    shape: tuple[int, ...], window: Any, out: tuple[int, ...], padded: bool
) -> tuple[np.ndarray, Any]:
    """Return ones and the window over them; with `padded`, the padding is made of ones."""
    if not padded:
        return np.ones(shape), window
    return np.ones(frame(np.empty(shape), window, out).shape), window._replace(ph=0, pw=0)


# Operation and position of arguments that some variants multiply by padding, or spread over
# a tile.
NAN_REACH = {
    ("conv2d_forward", 0): _reach_of_image_forward,
    ("conv2d_relu_forward", 0): _reach_of_image_forward,
    ("conv2d_grad_input", 0): _reach_of_signal_backward,
    ("conv2d_forward", 1): _reach_of_weight_forward,
    ("conv2d_relu_forward", 1): _reach_of_weight_forward,
    ("conv2d_grad_input", 1): _reach_of_weight_backward,
    ("conv2d_grad_weight", 0): _reach_of_grad,
    ("conv2d_grad_weight", 1): _reach_of_image_weight,
}
