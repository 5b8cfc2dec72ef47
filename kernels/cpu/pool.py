"""Maximum and average pooling and their adjoints; images are (N, H, W, C).

Pooling moves much memory for little arithmetic, so the loops are plain. The channel loop is
innermost: channels are neighbours in memory, and a loop that treats all of them alike is
one that the compiler turns into vector instructions. `window` is (KH, KW, SH, SW, PH, PW).
"""

import numpy as np

from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("max_pool2d_forward", device="cpu", variant="direct")
def max_pool2d_forward(x: Array, window: Window, out: Array, winners: Array) -> None:
    """Fill out with the largest value under each window, winners with its index row·W + column.

    Of equal values the first in row order wins. A NaN wins over every number. Padding never
    wins.
    """
    _max_forward(read_only(x).reshape(x.shape), Window(*window), out, winners)


@compiled()
def _max_forward(x: Array, window: Window, out: Array, winners: Array) -> None:
    kh, kw, sh, sw, ph, pw = window[:6]
    images, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    for n in range(images):
        for i in range(out_height):
            for j in range(out_width):
                best, winner = out[n, i, j], winners[n, i, j]
                for c in range(channels):
                    best[c], winner[c] = -np.inf, -1
                for row in range(max(0, i * sh - ph), min(height, i * sh - ph + kh)):
                    for column in range(max(0, j * sw - pw), min(width, j * sw - pw + kw)):
                        pixel, index = x[n, row, column], row * width + column
                        for c in range(channels):
                            value, old, first = pixel[c], best[c], winner[c]
                            wins = first < 0 or value > old or (value != value and old == old)
                            best[c] = value if wins else old
                            winner[c] = index if wins else first


@implements("max_pool2d_grad_input", device="cpu", variant="direct")
def max_pool2d_grad_input(grad: Array, winners: Array, window: Window, out: Array) -> None:
    """Add each error signal to the pixel that won its window; all other pixels get zero."""
    winners = read_only(winners).reshape(winners.shape)
    _max_grad_input(read_only(grad).reshape(grad.shape), winners, out)


@compiled()
def _max_grad_input(grad: Array, winners: Array, out: Array) -> None:
    images, out_height, out_width, channels = grad.shape
    for n in range(images):
        image = out[n].reshape(-1)
        image[:] = 0
        for i in range(out_height):
            for j in range(out_width):
                signal, winner = grad[n, i, j], winners[n, i, j]
                for c in range(channels):
                    image[winner[c] * channels + c] += signal[c]


@implements("max_pool2d_gather", device="cpu", variant="direct")
def max_pool2d_gather(x: Array, winners: Array, out: Array) -> None:
    """Read x at the winners: the adjoint of max_pool2d_grad_input."""
    winners = read_only(winners).reshape(winners.shape)
    _max_gather(read_only(x).reshape(x.shape), winners, out)


@compiled()
def _max_gather(x: Array, winners: Array, out: Array) -> None:
    images, out_height, out_width, channels = out.shape
    for n in range(images):
        image = x[n].reshape(-1)
        for i in range(out_height):
            for j in range(out_width):
                found, winner = out[n, i, j], winners[n, i, j]
                for c in range(channels):
                    found[c] = image[winner[c] * channels + c]


@implements("avg_pool2d_forward", device="cpu", variant="direct")
def avg_pool2d_forward(x: Array, window: Window, out: Array) -> None:
    """out[n,i,j,c] = the sum under the window / (KH·KW): padding counts as zeros."""
    _avg_forward(read_only(x).reshape(x.shape), Window(*window), out)


@compiled()
def _avg_forward(x: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, ph, pw = window[:6]
    images, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    size = out.dtype.type(kh * kw)
    for n in range(images):
        for i in range(out_height):
            for j in range(out_width):
                total = out[n, i, j]
                for c in range(channels):
                    total[c] = 0
                for row in range(max(0, i * sh - ph), min(height, i * sh - ph + kh)):
                    for column in range(max(0, j * sw - pw), min(width, j * sw - pw + kw)):
                        pixel = x[n, row, column]
                        for c in range(channels):
                            total[c] += pixel[c]
                for c in range(channels):
                    total[c] = total[c] / size


@implements("avg_pool2d_grad_input", device="cpu", variant="direct")
def avg_pool2d_grad_input(grad: Array, window: Window, out: Array) -> None:
    """Spread each error signal evenly, divided by KH·KW, over the pixels of its window."""
    _avg_grad_input(read_only(grad).reshape(grad.shape), Window(*window), out)


@compiled()
def _avg_grad_input(grad: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, ph, pw = window[:6]
    images, height, width, channels = out.shape
    _, out_height, out_width, _ = grad.shape
    size = out.dtype.type(kh * kw)
    out.reshape(-1)[:] = 0
    for n in range(images):
        for i in range(out_height):
            for j in range(out_width):
                signal = grad[n, i, j]
                for row in range(max(0, i * sh - ph), min(height, i * sh - ph + kh)):
                    for column in range(max(0, j * sw - pw), min(width, j * sw - pw + kw)):
                        pixel = out[n, row, column]
                        for c in range(channels):
                            pixel[c] += signal[c] / size
