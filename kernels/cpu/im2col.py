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


def _padded(x: Array, window: Window, out_height: int, out_width: int) -> Array:
    """Return the images with their padding: all rows and columns that the windows reach."""
    _, height, width, _ = x.shape
    (down, across), (_, _, sh, sw, ph, pw, *_) = window.span(), window
    rows, columns = (out_height - 1) * sh + down, (out_width - 1) * sw + across
    bottom, right = max(0, rows - height - ph), max(0, columns - width - pw)
    if not (ph or pw or bottom or right):
        return x
    return np.pad(x, ((0, 0), (ph, bottom), (pw, right), (0, 0)))


def _columns(x: Array, window: Window, out_shape: tuple[int, ...]) -> Array:
    """Return, for each group, a matrix with one row (c, u, v) for each output pixel."""
    images, out_height, out_width, _ = out_shape
    _, _, sh, sw, _, _, dh, dw, *_ = window
    padded = _padded(x, window, out_height, out_width)
    views = sliding_window_view(padded, window.span(), axis=(1, 2))[:, ::sh, ::sw]
    views = views[:, :out_height, :out_width, :, ::dh, ::dw]
    groups, pixels = window.groups, images * out_height * out_width
    if groups == 1:
        return views.reshape(1, pixels, -1)
    channels = x.shape[3] // groups
    views = views.reshape(images, out_height, out_width, groups, channels, window.kh, window.kw)
    return np.moveaxis(views, 3, 0).reshape(groups, pixels, -1)


def _by_group(values: Array, groups: int) -> Array:
    """Return (N, OH, OW, O) as (groups, pixels, O / groups), a view."""
    return values.reshape(-1, groups, values.shape[3] // groups).transpose(1, 0, 2)


@implements("conv2d_forward", device="cpu", variant="im2col", rank=10)
def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[g,p,o] = bias[g,o] + Σ_k columns[g,p,k] · weight[g,o,k]."""
    if not out.size:
        return
    groups, filters = window.groups, len(weight) // window.groups
    with np.errstate(invalid="ignore", over="ignore"):
        columns = _columns(x, window, out.shape)
        taps = weight.reshape(groups, filters, -1).transpose(0, 2, 1)
        np.matmul(columns, taps, out=_by_group(out, groups))
        out += bias


@implements("conv2d_relu_forward", device="cpu", variant="im2col", rank=10)
def conv2d_relu_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out = max(0, convolution)."""
    conv2d_forward(x, weight, bias, window, out)
    np.maximum(out, 0, out=out)


@implements("conv2d_grad_input", device="cpu", variant="im2col", rank=10)
def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """columns[g,p,k] = Σ_o grad[g,p,o] · weight[g,o,k], then add each where it came from."""
    images, height, width, channels = out.shape
    _, out_height, out_width, filters = grad.shape
    kh, kw, sh, sw, ph, pw, dh, dw, _, _, groups = window
    if not grad.size:
        out[...] = 0
        return
    padded = np.zeros_like(_padded(out, window, out_height, out_width))
    with np.errstate(invalid="ignore", over="ignore"):
        taps = weight.transpose(0, 2, 3, 1).reshape(groups, filters // groups, -1)
        columns = _by_group(grad, groups) @ taps
        columns = columns.reshape(groups, images, out_height, out_width, kh, kw, -1)
        columns = np.moveaxis(columns, 0, 5)
        for u, v in np.ndindex(kh, kw):
            rows = slice(u * dh, u * dh + (out_height - 1) * sh + 1, sh)
            across = slice(v * dw, v * dw + (out_width - 1) * sw + 1, sw)
            padded[:, rows, across] += columns[:, :, :, u, v].reshape(*grad.shape[:3], channels)
    out[...] = padded[:, ph : ph + height, pw : pw + width]


@implements("conv2d_grad_weight", device="cpu", variant="im2col", rank=10)
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[g,o,k] = Σ_p grad[g,p,o] · columns[g,p,k]."""
    if not grad.size:
        out[...] = 0
        return
    groups = window.groups
    with np.errstate(invalid="ignore", over="ignore"):
        columns = _columns(x, window, grad.shape)
        signals = _by_group(grad, groups).transpose(0, 2, 1)
        np.matmul(signals, columns, out=out.reshape(groups, len(out) // groups, -1))
