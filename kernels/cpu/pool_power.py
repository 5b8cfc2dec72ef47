"""Lp pooling, the p-norm of each window, and its adjoint; images are (N, H, W, C).

Values are divided by the largest of their window before they are raised to the power, so
that neither 1e30 to the tenth overflows nor 1e-30 vanishes. Rows of the result go to several
threads; in the adjoint, where windows may overlap, whole images do.
"""

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.loops.memory import read_only_view
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_FORK = 20_000  # values to touch; each costs a division and a power


@implements("lp_pool2d_forward", device="cpu", variant="direct")
def lp_pool2d_forward(x: Array, p: float, window: Window, out: Array) -> None:
    """out[n,i,j,c] = (Σ |x|^p under the window)^(1/p)."""
    fork = out.size * window.kh * window.kw > _FORK
    _lp_forward(read_only_view(x), out.dtype.type(p), Window(*window), fork, out)


@compiled()
def _power(base: float, p: float) -> float:
    """Raise to a power; the usual ones without the function of the library."""
    if p == 1:
        return base
    if p == 2:
        return base * base
    return base**p


@compiled(parallel=True)
def _lp_forward(x: Array, p: float, window: Window, fork: bool, out: Array) -> None:
    rows = out.shape[0] * out.shape[1]
    if fork:
        for row in numba.prange(rows):
            _lp_row(np.intp(row), x, p, window, out)
    else:
        for row in range(rows):
            _lp_row(row, x, p, window, out)


@compiled()
def _lp_row(task: int, x: Array, p: float, window: Window, out: Array) -> None:
    kh, kw, sh, sw, ph, pw, dh, dw = window[:8]
    _, height, width, channels = x.shape
    zero, one = out.dtype.type(0), out.dtype.type(1)
    largest, plain = np.empty(channels, out.dtype), np.empty(channels, out.dtype)
    n, i = task // out.shape[1], task % out.shape[1]
    for j in range(out.shape[2]):
        norm = out[n, i, j]
        top, left = i * sh - ph, j * sw - pw
        for c in range(channels):
            largest[c], plain[c], norm[c] = zero, zero, zero
        for search in (True, False):  # for the largest value, then for the sum
            for u in range(kh):
                for v in range(kw):
                    row, column = top + u * dh, left + v * dw
                    if row < 0 or row >= height or column < 0 or column >= width:
                        continue
                    pixel = x[n, row, column]
                    if search:
                        for c in range(channels):
                            size = abs(pixel[c])
                            largest[c] = size if size > largest[c] else largest[c]
                            plain[c] += size
                    else:
                        for c in range(channels):
                            norm[c] += _power(abs(pixel[c]) / largest[c], p)
        for c in range(channels):
            if 0 < largest[c] < np.inf:
                norm[c] = largest[c] * _power(norm[c], one / p)
            else:  # nothing but zeros, an infinity, or a NaN beside them
                norm[c] = plain[c]


@implements("lp_pool2d_grad_input", device="cpu", variant="direct")
def lp_pool2d_grad_input(
    grad: Array, x: Array, y: Array, p: float, window: Window, out: Array
) -> None:
    """Add δ · (|x| / y)^(p-1) sign(x) of each window to its pixels; nothing where y = 0."""
    images, norms = read_only_view(x), read_only_view(y)
    flat = read_only_view(grad)
    fork = grad.size * window.kh * window.kw > _FORK
    _lp_grad_input(flat, images, norms, out.dtype.type(p), Window(*window), fork, out)


@compiled(parallel=True)
def _lp_grad_input(
    grad: Array, x: Array, y: Array, p: float, window: Window, fork: bool, out: Array
) -> None:
    if fork:
        for n in numba.prange(len(out)):
            _lp_grad_image(np.intp(n), grad, x, y, p, window, out)
    else:
        for n in range(len(out)):
            _lp_grad_image(n, grad, x, y, p, window, out)


@compiled()
def _lp_grad_image(
    n: int, grad: Array, x: Array, y: Array, p: float, window: Window, out: Array
) -> None:
    kh, kw, sh, sw, ph, pw, dh, dw = window[:8]
    _, height, width, channels = x.shape
    one = out.dtype.type(1)
    out[n].reshape(-1)[:] = 0
    for i, j in np.ndindex(grad.shape[1:3]):
        signal, norm = grad[n, i, j], y[n, i, j]
        top, left = i * sh - ph, j * sw - pw
        for u in range(kh):
            for v in range(kw):
                row, column = top + u * dh, left + v * dw
                if row < 0 or row >= height or column < 0 or column >= width:
                    continue
                pixel, target = x[n, row, column], out[n, row, column]
                for c in range(channels):
                    value = pixel[c]
                    if norm[c] != 0 and value != 0:
                        slope = _power(abs(value) / norm[c], p - one)
                        # sign(x) · slope; a NaN to the power 0 would be 1
                        slope = slope if value > 0 else (-slope if value < 0 else value)
                        target[c] += signal[c] * slope
