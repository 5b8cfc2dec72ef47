"""What lies under each window, laid out side by side, and its adjoint; images are (N, H, W, C)."""

import numpy as np

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


def _pixel(window: Window, i: int, j: int, k: int) -> tuple[int, int]:
    """Return row and column of tap k, counted row by row, of the window of output (i, j)."""
    u, v = divmod(k, window.kw)
    row = i * window.sh + u * window.dh - window.ph
    return row, j * window.sw + v * window.dw - window.pw


@reference("windows_forward")
def windows_forward(x: Array, window: Window, out: Array) -> None:
    """out[n,c,i,j,u·KW + v] = x[n, i·SH + u·DH - PH, j·SW + v·DW - PW, c]; padding is 0."""
    _, height, width, _ = x.shape
    for n, c, i, j, k in np.ndindex(out.shape):
        row, column = _pixel(window, i, j, k)
        inside = 0 <= row < height and 0 <= column < width
        out[n, c, i, j, k] = x[n, row, column, c] if inside else 0


@reference("windows_grad_input")
def windows_grad_input(grad: Array, window: Window, out: Array) -> None:
    """Add each error signal to the pixel that it belongs to: the adjoint of windows_forward."""
    _, height, width, _ = out.shape
    out[...] = 0
    for n, c, i, j, k in np.ndindex(grad.shape):
        row, column = _pixel(window, i, j, k)
        if 0 <= row < height and 0 <= column < width:
            out[n, row, column, c] += grad[n, c, i, j, k]
