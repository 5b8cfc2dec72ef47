"""Two-dimensional convolution and its two adjoints.

Images are (N, H, W, C), filters (O, C, KH, KW). "Convolution" is the cross-correlation that
deep-learning papers mean by the word: the filter is not flipped.

Pixels outside the image count as zero, and their products are left out of the sum. Finite
numbers cannot tell; but 0 · NaN and 0 · inf are NaN, so the fast kernels, which multiply
padding like any pixel, make NaN where a NaN or an infinity of a filter (of the error signal,
in the gradient of the weight) meets padding only, and these loops do not.
"""

import numpy as np

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("conv2d_forward")
def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[n,i,j,o] = bias[o] + Σ_u,v,c x[n, i·sh+u-ph, j·sw+v-pw, c] · weight[o,c,u,v]."""
    _, height, width, _ = x.shape
    for n, i, j, o in np.ndindex(out.shape):
        total = bias[o]
        for u in range(window.kh):
            row = i * window.sh + u - window.ph
            if not 0 <= row < height:
                continue
            for v in range(window.kw):
                column = j * window.sw + v - window.pw
                if 0 <= column < width:
                    for c in range(x.shape[3]):
                        total += x[n, row, column, c] * weight[o, c, u, v]
        out[n, i, j, o] = total


@reference("conv2d_grad_input")
def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """out[n,r,q,c] = Σ grad[n,i,j,o] · weight[o,c,u,v] over i·sh+u-ph = r, j·sw+v-pw = q."""
    _, height, width, channels = out.shape
    out[...] = 0
    for n, i, j, o in np.ndindex(grad.shape):
        for u in range(window.kh):
            row = i * window.sh + u - window.ph
            if not 0 <= row < height:
                continue
            for v in range(window.kw):
                column = j * window.sw + v - window.pw
                if 0 <= column < width:
                    for c in range(channels):
                        out[n, row, column, c] += grad[n, i, j, o] * weight[o, c, u, v]


@reference("conv2d_grad_weight")
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[o,c,u,v] = Σ_n,i,j grad[n,i,j,o] · x[n, i·sh+u-ph, j·sw+v-pw, c]."""
    _, height, width, channels = x.shape
    out[...] = 0
    for n, i, j, o in np.ndindex(grad.shape):
        for u in range(window.kh):
            row = i * window.sh + u - window.ph
            if not 0 <= row < height:
                continue
            for v in range(window.kw):
                column = j * window.sw + v - window.pw
                if 0 <= column < width:
                    for c in range(channels):
                        out[o, c, u, v] += grad[n, i, j, o] * x[n, row, column, c]


@reference("channel_sum")
def channel_sum(grad: Array, out: Array) -> None:
    """out[o] = Σ grad[..., o] over every axis but the last: the gradient of a bias."""
    out[...] = 0
    for *rest, o in np.ndindex(grad.shape):
        out[o] += grad[(*rest, o)]
