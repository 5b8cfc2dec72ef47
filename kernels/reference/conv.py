"""Two-dimensional convolution and its two adjoints.

Images are (N, H, W, C), filters (O, C / groups, KH, KW). "Convolution" is the
cross-correlation that deep-learning papers mean by the word: the filter is not flipped. With
groups, the channels c of a filter are those of its group, counted from its first one.

Pixels outside the image count as zero, and their products are left out of the sum. Finite
numbers cannot tell; but 0 · NaN and 0 · inf are NaN, so the fast kernels, which multiply
padding like any pixel, make NaN where a NaN or an infinity of a filter (of the error signal,
in the gradient of the weight) meets padding only, and these loops do not.
"""

from collections.abc import Iterator

import numpy as np

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("conv2d_forward")
def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[n,i,j,o] = bias[o] + Σ_u,v,c x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c] · weight[o,c,u,v]."""
    for n, i, j, o in np.ndindex(out.shape):
        total = bias[o]
        first = _first_channel(o, weight.shape, window)
        for u, v, r, q in _pixels(i, j, x.shape, window):
            for c in range(weight.shape[1]):
                total += x[n, r, q, first + c] * weight[o, c, u, v]
        out[n, i, j, o] = total


@reference("conv2d_relu_forward")
def conv2d_relu_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[n,i,j,o] = max(0, convolution), where a NaN stays a NaN."""
    conv2d_forward(x, weight, bias, window, out)
    for place in np.ndindex(out.shape):
        if out[place] < 0:
            out[place] = 0


@reference("conv2d_grad_input")
def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """out[n,r,q,c] = Σ grad[n,i,j,o] · weight[o,c,u,v] over i·sh+u·dh-ph = r, j·sw+v·dw-pw = q."""
    out[...] = 0
    for n, i, j, o in np.ndindex(grad.shape):
        first = _first_channel(o, weight.shape, window)
        for u, v, r, q in _pixels(i, j, out.shape, window):
            for c in range(weight.shape[1]):
                out[n, r, q, first + c] += grad[n, i, j, o] * weight[o, c, u, v]


@reference("conv2d_grad_weight")
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[o,c,u,v] = Σ_n,i,j grad[n,i,j,o] · x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c]."""
    out[...] = 0
    for n, i, j, o in np.ndindex(grad.shape):
        first = _first_channel(o, out.shape, window)
        for u, v, r, q in _pixels(i, j, x.shape, window):
            for c in range(out.shape[1]):
                out[o, c, u, v] += grad[n, i, j, o] * x[n, r, q, first + c]


def _pixels(
    i: int, j: int, shape: tuple[int, ...], window: Window
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (u, v, r, q): the taps at output pixel (i, j) that lie on a pixel (r, q)."""
    _, height, width, _ = shape
    for u, v in np.ndindex(window.kh, window.kw):
        r = i * window.sh + u * window.dh - window.ph
        q = j * window.sw + v * window.dw - window.pw
        if 0 <= r < height and 0 <= q < width:
            yield u, v, r, q


def _first_channel(o: int, filters: tuple[int, ...], window: Window) -> int:
    """Return the first input channel of the group that filter o belongs to."""
    return o // (filters[0] // window.groups) * filters[1]


@reference("channel_sum")
def channel_sum(grad: Array, out: Array) -> None:
    """out[o] = Σ grad[..., o] over every axis but the last: the gradient of a bias."""
    out[...] = 0
    for *rest, o in np.ndindex(grad.shape):
        out[o] += grad[(*rest, o)]
