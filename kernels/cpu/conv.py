"""Two-dimensional convolution and its adjoints on register tiles.

The three passes of a convolution are correlations themselves:

- the forward pass slides the filter over the image;
- the gradient of the input slides the *flipped* filter over the error signal, "backprop
  through a convolution is a convolution". With stride the pixels of the image fall into
  SH · SW classes, each met by its own taps of the filter; each class is one correlation;
- the gradient of the weight slides the error signal over the image
  (:mod:`~tinygrad_cnn.kernels.cpu.weight_gradient`).

The way to the innermost loop, for the first two::

    conv.py       conv2d_forward   says how image, filter and result lie in memory
    correlate.py  correlate        packs the filter and cuts the result into blocks of pixels
    correlate.py  _one_task        copies the pixels under one block, with their padding
    correlate.py  _multiply        cuts the block into register tiles
    tile.py       multiply_tile    sums one tile: TILE_ROWS pixels by a few output channels

Padding is zeros that are multiplied like any pixel, so a NaN or an infinity of the other
operand spreads through it: one in a filter reaches every pixel of its output channel, in
the gradient of the input every pixel of the class that its tap meets; one in the error
signal reaches every weight of its filter. The plain loops leave padding out.
"""

import numpy as np

from tinygrad_cnn.kernels.cpu.correlate import Filter, Source, Target, correlate
from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.cpu.weight_gradient import correlate_pixels
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("conv2d_forward", device="cpu", variant="direct")
def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[n,i,j,o] = bias[o] + Σ_u,v,c x[n, i·sh+u-ph, j·sw+v-pw, c] · weight[o,c,u,v]."""
    images, height, width, channels = x.shape
    kh, kw, sh, sw, ph, pw = window[:6]
    _, out_height, out_width, filters = out.shape
    correlate(
        read_only(x),
        Source(images, height, width, channels, kh, kw, sh, sw, ph, pw, height * width * channels),
        read_only(weight),
        Filter(0, o=channels * kh * kw, c=kh * kw, u=kw, v=1),
        bias,
        Target(
            height=out_height,
            width=out_width,
            offset=0,
            image=out_height * out_width * filters,
            row=out_width * filters,
            column=filters,
        ),
        filters,
        out.reshape(-1),
    )


@implements("conv2d_grad_input", device="cpu", variant="direct")
def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """out[n,r,q,c] = Σ grad[n,i,j,o] · weight[o,c,u,v] over i·sh+u-ph = r, j·sw+v-pw = q.

    Fix the class of r: with r = r0 + sh·s and u = u0 + sh·t, where u0 = (r0+ph) mod sh, the
    rows that meet are i = s + (r0+ph-u0)/sh - t. As s grows i grows, as t grows i falls: a
    correlation of stride one with the taps u0, u0+sh, ... in reversed order. The same holds
    for columns.
    """
    images, height, width, channels = out.shape
    kh, kw, sh, sw, ph, pw = window[:6]
    _, out_height, out_width, filters = grad.shape
    grad, weight, flat = read_only(grad), read_only(weight), out.reshape(-1)
    if sh > kh or sw > kw:
        flat[:] = 0  # some classes of pixels lie under no tap
    for r0 in range(min(sh, height)):
        u0 = (r0 + ph) % sh
        taps_down = len(range(u0, kh, sh))
        for q0 in range(min(sw, width)):
            v0 = (q0 + pw) % sw
            taps_right = len(range(v0, kw, sw))
            if not taps_down or not taps_right:
                continue
            last_u, last_v = u0 + (taps_down - 1) * sh, v0 + (taps_right - 1) * sw
            correlate(
                grad,
                Source(
                    images, out_height, out_width, filters, taps_down, taps_right, 1, 1,
                    top=taps_down - 1 - (r0 + ph - u0) // sh,
                    left=taps_right - 1 - (q0 + pw - v0) // sw,
                    image_stride=out_height * out_width * filters,
                ),
                weight,
                Filter(
                    last_u * kw + last_v, o=kh * kw, c=channels * kh * kw, u=-sh * kw, v=-sw
                ),
                None,
                Target(
                    height=len(range(r0, height, sh)),
                    width=len(range(q0, width, sw)),
                    offset=(r0 * width + q0) * channels,
                    image=height * width * channels,
                    row=sh * width * channels,
                    column=sw * channels,
                ),
                channels,
                flat,
            )  # fmt: skip


@implements("conv2d_grad_weight", device="cpu", variant="direct")
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[o,c,u,v] = Σ_n,i,j grad[n,i,j,o] · x[n, i·sh+u-ph, j·sw+v-pw, c]."""
    correlate_pixels(read_only(grad), grad.shape, read_only(x), x.shape, window, out)


@implements("channel_sum", device="cpu", variant="direct")
def channel_sum(grad: Array, out: Array) -> None:
    """out[o] = Σ grad[..., o] over every axis but the last: the gradient of a bias."""
    _channel_sum(read_only(grad), out)


@compiled()
def _channel_sum(grad: Array, out: Array) -> None:
    """Add runs of several pixels at once, so that few channels fill a vector too."""
    channels = out.size
    out[:] = 0
    if channels == 0:
        return
    run = max(1, 64 // channels) * channels
    totals = np.zeros(run, out.dtype)
    for at in range(0, grad.size - run + 1, run):
        piece = grad[at : at + run]
        for k in range(run):
            totals[k] += piece[k]
    for k in range(run):
        out[k % channels] += totals[k]
    for k in range(grad.size // run * run, grad.size):
        out[k % channels] += grad[k]
