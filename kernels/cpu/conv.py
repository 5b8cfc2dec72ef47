"""Two-dimensional convolution and its adjoints on register tiles.

The three passes of a convolution are correlations themselves:

- the forward pass slides the filter over the image;
- the gradient of the input slides the *flipped* filter over the error signal, "backprop
  through a convolution is a convolution". With stride the pixels of the image fall into
  SH · SW classes, each met by its own taps of the filter; each class is one correlation,
  dilated where the filter is;
- the gradient of the weight slides the error signal over the image
  (:mod:`~tinygrad_cnn.kernels.cpu.weight_gradient`).

Where each channel has filters of its own, all three run on
:mod:`~tinygrad_cnn.kernels.cpu.depthwise`. The way to the innermost loop, for the first two::

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

from itertools import product
from math import gcd
from typing import NamedTuple

import numpy as np

from tinygrad_cnn.kernels.cpu.correlate import Source, Target, correlate
from tinygrad_cnn.kernels.cpu.depthwise import is_depthwise, slide_channels, slide_channels_back
from tinygrad_cnn.kernels.cpu.depthwise_weight_gradient import correlate_channels
from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.cpu.packing import Filter
from tinygrad_cnn.kernels.cpu.weight_gradient import correlate_pixels
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("conv2d_forward", device="cpu", variant="direct")
def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[n,i,j,o] = bias[o] + Σ_u,v,c x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c] · weight[o,c,u,v].

    With groups c runs over the channels of the group that o belongs to.
    """
    if is_depthwise(weight, window):
        slide_channels(x, weight, bias, window, out)
        return
    images, height, width, all_channels = x.shape
    kh, kw, sh, sw, ph, pw, dh, dw, _, _, groups = window
    _, out_height, out_width, all_filters = out.shape
    channels, filters = all_channels // groups, all_filters // groups
    correlate(
        read_only(x),
        Source(
            images, height, width, channels, kh, kw, sh, sw, ph, pw,
            image_stride=height * width * all_channels, dh=dh, dw=dw, groups=groups,
        ),
        read_only(weight),
        Filter(
            0, o=channels * kh * kw, c=kh * kw, u=kw, v=1, group=filters * channels * kh * kw
        ),
        bias,
        Target(
            height=out_height,
            width=out_width,
            offset=0,
            image=out_height * out_width * all_filters,
            row=out_width * all_filters,
            column=all_filters,
        ),
        filters,
        out.reshape(-1),
    )  # fmt: skip


class _Taps(NamedTuple):
    """The taps of a filter that meet one class of pixels, along one axis."""

    pixel: int  # the first one of the class: pixel, pixel + stride, ...
    first: int
    taps: int
    step: int  # from a tap to the next; in the error signal i falls by `fall`
    fall: int
    start: int  # i of the first tap at the first pixel


def _classes(size: int, kernel: int, stride: int, padding: int, dilation: int) -> list[_Taps]:
    """Return the classes of pixels that some tap meets.

    Tap u meets pixel r where u·d ≡ r + p modulo the stride s: every (s / gcd(s, d))-th tap,
    from the first one on that does, if one does.
    """
    common = gcd(stride, dilation)
    step = stride // common
    classes = []
    for pixel in range(min(stride, size)):
        for u in range(min(step, kernel)):
            start, rest = divmod(pixel + padding - u * dilation, stride)
            if rest == 0:
                taps = len(range(u, kernel, step))
                classes.append(_Taps(pixel, u, taps, step, dilation // common, start))
    return classes


@implements("conv2d_grad_input", device="cpu", variant="direct")
def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """out[n,r,q,c] = Σ grad[n,i,j,o] · weight[o,c,u,v] over i·sh+u·dh-ph = r, j·sw+v·dw-pw = q.

    Fix the class of r: with r = r0 + sh·s and u = u0 + t·sh/g, where g = gcd(sh, dh) and u0
    is the first tap with u0·dh ≡ r0+ph modulo sh, the rows that meet are
    i = s + (r0+ph-u0·dh)/sh - t·dh/g. As s grows i grows, as t grows i falls: a correlation
    of stride one and dilation dh/g with the taps of the class in reversed order. The same
    holds for columns.
    """
    if is_depthwise(weight, window):
        slide_channels_back(grad, weight, window, out)
        return
    images, height, width, all_channels = out.shape
    kh, kw, sh, sw, ph, pw, dh, dw, _, _, groups = window
    _, out_height, out_width, all_filters = grad.shape
    channels, filters = all_channels // groups, all_filters // groups
    grad, weight, flat = read_only(grad), read_only(weight), out.reshape(-1)
    down, across = _classes(height, kh, sh, ph, dh), _classes(width, kw, sw, pw, dw)
    if len(down) < min(sh, height) or len(across) < min(sw, width):
        flat[:] = 0  # some classes of pixels lie under no tap
    for u, v in product(down, across):
        correlate(
            grad,
            Source(
                images, out_height, out_width, filters, u.taps, v.taps, 1, 1,
                top=(u.taps - 1) * u.fall - u.start,
                left=(v.taps - 1) * v.fall - v.start,
                image_stride=out_height * out_width * all_filters,
                dh=u.fall, dw=v.fall, groups=groups,
            ),
            weight,
            Filter(
                (u.first + (u.taps - 1) * u.step) * kw + v.first + (v.taps - 1) * v.step,
                o=kh * kw, c=channels * kh * kw, u=-u.step * kw, v=-v.step,
                group=filters * channels * kh * kw,
            ),
            None,
            Target(
                height=len(range(u.pixel, height, sh)),
                width=len(range(v.pixel, width, sw)),
                offset=(u.pixel * width + v.pixel) * all_channels,
                image=height * width * all_channels,
                row=sh * width * all_channels,
                column=sw * all_channels,
            ),
            channels,
            flat,
        )  # fmt: skip


@implements("conv2d_grad_weight", device="cpu", variant="direct")
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[o,c,u,v] = Σ_n,i,j grad[n,i,j,o] · x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c]."""
    if is_depthwise(out, window):
        correlate_channels(grad, x, window, out)
        return
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
