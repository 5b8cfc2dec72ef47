"""What lies under each window, laid out side by side, and its adjoint; images are (N, H, W, C)."""

import numpy as np

from tinygrad_cnn.kernels.cpu.loops.memory import read_only
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("windows_forward", device="cpu", variant="direct")
def windows_forward(x: Array, window: Window, out: Array) -> None:
    """out[n,c,i,j,u·KW + v] = x[n, i·SH + u·DH - PH, j·SW + v·DW - PW, c]; padding is 0."""
    _windows_forward(read_only(x).reshape(x.shape), Window(*window), out)


@compiled()
def _windows_forward(x: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, ph, pw, dh, dw = window[:8]
    _, height, width, _ = x.shape
    for n, c, i, j in np.ndindex(out.shape[:4]):
        for u in range(kh):
            for v in range(kw):
                row, column = i * sh - ph + u * dh, j * sw - pw + v * dw
                inside = 0 <= row < height and 0 <= column < width
                out[n, c, i, j, u * kw + v] = x[n, row, column, c] if inside else 0


@implements("windows_grad_input", device="cpu", variant="direct")
def windows_grad_input(grad: Array, window: Window, out: Array) -> None:
    """Add each error signal to the pixel that it belongs to: the adjoint of windows_forward."""
    _windows_grad_input(read_only(grad).reshape(grad.shape), Window(*window), out)


@compiled()
def _windows_grad_input(grad: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, ph, pw, dh, dw = window[:8]
    _, height, width, _ = out.shape
    out.reshape(-1)[:] = 0
    for n, c, i, j in np.ndindex(grad.shape[:4]):
        for u in range(kh):
            for v in range(kw):
                row, column = i * sh - ph + u * dh, j * sw - pw + v * dw
                if 0 <= row < height and 0 <= column < width:
                    out[n, row, column, c] += grad[n, c, i, j, u * kw + v]
