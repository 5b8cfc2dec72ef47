"""What lies under each window, laid out side by side, and its adjoint; images are (N, H, W, C)."""

from typing import Any

from tinygrad_cnn.kernels.cpu.loops.image_tasks import image_in, image_task, run_images, window_in
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("windows_forward", device="cpu", variant="direct")
def windows_forward(x: Array, window: Window, out: Array) -> None:
    """out[n,c,i,j,u·KW + v] = x[n, i·SH + u·DH - PH, j·SW + v·DW - PW, c]; padding is 0."""
    run_images(_FORWARD, window, False, 1, x, out=out)


@implements("windows_grad_input", device="cpu", variant="direct")
def windows_grad_input(grad: Array, window: Window, out: Array) -> None:
    """Add each error signal to the pixel that it belongs to: the adjoint of windows_forward."""
    taps = -(-window.kh * window.kw // (window.sh * window.sw))
    run_images(_GRAD_INPUT, window, False, taps, grad, out=out)


@compiled()
def _forward_image(table: Any, n: int) -> None:
    kh, kw, sh, sw, ph, pw, dh, dw = window_in(table)
    x, out = image_in(table, 0, n), image_in(table, 1, n)
    height, width = x.shape[:2]
    channels, out_height, out_width, _ = out.shape
    for i in range(out_height):
        for j in range(out_width):
            for u in range(kh):
                for v in range(kw):
                    row, column = i * sh - ph + u * dh, j * sw - pw + v * dw
                    if 0 <= row < height and 0 <= column < width:
                        for c in range(channels):
                            out[c, i, j, u * kw + v] = x[row, column, c, 0]
                    else:
                        for c in range(channels):
                            out[c, i, j, u * kw + v] = 0


@compiled()
def _grad_input_image(table: Any, n: int) -> None:
    kh, kw, sh, sw, ph, pw, dh, dw = window_in(table)
    grad, out = image_in(table, 0, n), image_in(table, 1, n)
    height, width = out.shape[:2]
    channels, out_height, out_width, _ = grad.shape
    out[...] = 0
    for i in range(out_height):
        for j in range(out_width):
            for u in range(kh):
                for v in range(kw):
                    row, column = i * sh - ph + u * dh, j * sw - pw + v * dw
                    if 0 <= row < height and 0 <= column < width:
                        for c in range(channels):
                            out[row, column, c, 0] += grad[c, i, j, u * kw + v]


_FORWARD, _GRAD_INPUT = image_task(_forward_image), image_task(_grad_input_image)
