"""Convolution as one matrix product: the windows are copied out and handed to BLAS.

The classical formulation (Chellapilla, Puri and Simard 2006, "High performance
convolutional neural networks for document processing"): all windows of the batch become
the rows of a matrix with KH · KW · C columns, and the filters the columns of another. It
needs KH · KW times the memory of the image and depends on NumPy's BLAS, which does not give
equal bits for different numbers of threads. It stands here to compare with.

Padding is zeros that are multiplied like any pixel, as in the variant "direct"; in the
gradient of the input nothing is multiplied by padding.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


def _pad(x: Array, window: Window) -> Array:
    margins = ((0, 0), (window.ph, window.ph), (window.pw, window.pw), (0, 0))
    return np.pad(x, margins) if window.ph or window.pw else x


def _columns(x: Array, window: Window, pixels: int) -> Array:
    """Return a matrix with one row (c, u, v) for each output pixel."""
    views = sliding_window_view(_pad(x, window), (window.kh, window.kw), axis=(1, 2))
    depth = x.shape[3] * window.kh * window.kw
    return views[:, :: window.sh, :: window.sw].reshape(pixels, depth)


@implements("conv2d_forward", device="cpu", variant="im2col", rank=10)
def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[p,o] = bias[o] + Σ_k columns[p,k] · weight[o,k]."""
    filters = weight.shape[0]
    flat = out.reshape(-1, filters)
    with np.errstate(invalid="ignore", over="ignore"):
        columns = _columns(x, window, flat.shape[0])
        np.matmul(columns, weight.reshape(filters, -1).T, out=flat)
        flat += bias


@implements("conv2d_grad_input", device="cpu", variant="im2col", rank=10)
def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """columns[p,k] = Σ_o grad[p,o] · weight[o,k], then add each column where it came from."""
    images, height, width, channels = out.shape
    _, out_height, out_width, filters = grad.shape
    kh, kw, sh, sw, ph, pw = window[:6]
    padded = np.zeros((images, height + 2 * ph, width + 2 * pw, channels), out.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        taps = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(filters, -1)
        columns = grad.reshape(-1, filters) @ taps
        columns = columns.reshape(images, out_height, out_width, kh, kw, channels)
        for u, v in np.ndindex(kh, kw):
            under = padded[:, u : u + out_height * sh : sh, v : v + out_width * sw : sw]
            under += columns[:, :, :, u, v]
    out[...] = padded[:, ph : ph + height, pw : pw + width]


@implements("conv2d_grad_weight", device="cpu", variant="im2col", rank=10)
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[o,k] = Σ_p grad[p,o] · columns[p,k]."""
    filters = out.shape[0]
    flat = grad.reshape(-1, filters)
    with np.errstate(invalid="ignore", over="ignore"):
        columns = _columns(x, window, flat.shape[0])
        np.matmul(flat.T, columns, out=out.reshape(filters, -1))
