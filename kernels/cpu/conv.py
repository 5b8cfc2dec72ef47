"""Two-dimensional convolution and its adjoints on register tiles.

The three passes of a convolution are correlations themselves:

- the forward pass slides the filter over the image;
- the gradient of the input slides the *flipped* filter over the error signal, "backprop
  through a convolution is a convolution". With stride the pixels of the image fall into
  SH · SW classes, each met by its own taps of the filter. Images of one or three channels
  would fill few columns of a tile; there each pixel of the error signal spreads its share
  (:mod:`~tinygrad_cnn.kernels.cpu.products.spread`);
- the gradient of the weight slides the error signal over the image
  (:mod:`~tinygrad_cnn.kernels.cpu.products.weight_gradient`).

Where each channel has filters of its own, all three run on
:mod:`~tinygrad_cnn.kernels.cpu.products.depthwise`. Few filters slide over an image of one
channel in :mod:`~tinygrad_cnn.kernels.cpu.products.pixel_lanes`. The way to the innermost loop,
for the first two, goes through the folder ``products``::

    conv.py       conv2d_forward    finds the plan of these shapes, made once
    taps.py       forward_axis      which taps of the filter lie on the image, for each pixel
    correlate.py  correlation_plan  how the result is cut into blocks, kinds of pixels, tiles
    correlate.py  _correlate        the one compiled call: packs the filter, shares the blocks
    correlate.py  _multiply_block   runs register tiles over a block
    tile.py       multiply_tile     sums one tile: TILE_ROWS pixels by a few output channels

Taps that lie on padding are left out of the sums, as in the plain loops. In one case they
are multiplied: in the gradient of the weight, where images of few channels are padded, a
NaN or an infinity of the error signal then reaches every weight of its filter.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.cpu.loops.memory import read_only
from tinygrad_cnn.kernels.cpu.products.correlate import Product, correlate, correlation_plan
from tinygrad_cnn.kernels.cpu.products.depthwise import (
    is_depthwise,
    slide_channels,
    slide_channels_back,
)
from tinygrad_cnn.kernels.cpu.products.depthwise_weight_gradient import correlate_channels
from tinygrad_cnn.kernels.cpu.products.packing import NOTHING, Filter
from tinygrad_cnn.kernels.cpu.products.pixel_lanes import fills_lanes, multiply_pixels
from tinygrad_cnn.kernels.cpu.products.spread import spread, spreads
from tinygrad_cnn.kernels.cpu.products.taps import Pixels, backward_axis, forward_axis
from tinygrad_cnn.kernels.cpu.products.weight_gradient import correlate_pixels
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_RUN = 16  # runs of few channels are multiples of so many values, the widest vector


def _pixels(shape: tuple[int, ...]) -> Pixels:
    images, height, width, channels = shape
    row = width * channels
    return Pixels(images, height, width, height * row, row, channels)


@lru_cache(maxsize=256)
def _forward_plan(
    x: tuple[int, ...],
    weight: tuple[int, ...],
    out: tuple[int, ...],
    window: Window,
    rectified: bool,
    dtype: np.dtype[Any],
) -> Array:
    kh, kw, sh, sw, ph, pw, dh, dw, _, _, groups = window
    filters, channels, run = weight[0] // groups, weight[1], weight[1] * kh * kw
    return correlation_plan(
        Product(
            _pixels(x),
            _pixels(out),
            forward_axis(x[1], out[1], kh, sh, ph, dh),
            forward_axis(x[2], out[2], kw, sw, pw, dw),
            groups,
            channels,
            channel_step=1,
            filters=Filter(filters, run, 1, 0, run, group_step=filters * run),
            rectified=rectified,
        ),
        dtype,
    )


@implements("conv2d_forward", device="cpu", variant="direct")
def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[n,i,j,o] = bias[o] + Σ_u,v,c x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c] · weight[o,c,u,v].

    With groups c runs over the channels of the group that o belongs to.
    """
    if is_depthwise(weight, window):
        slide_channels(x, weight, bias, window, False, out)
        return
    _forward(x, weight, bias, window, False, out)


@implements("conv2d_relu_forward", device="cpu", variant="direct")
def conv2d_relu_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """As `conv2d_forward`, but what is less than 0 becomes 0 before a tile stores it."""
    if is_depthwise(weight, window):
        slide_channels(x, weight, bias, window, True, out)
        return
    _forward(x, weight, bias, window, True, out)


def _forward(
    x: Array, weight: Array, bias: Array, window: Window, rectified: bool, out: Array
) -> None:
    if fills_lanes(weight.shape, window, out.shape, out.dtype):
        floor = 0.0 if rectified else -np.inf
        if multiply_pixels(x, weight, bias, window, floor, out):
            return
    plan = _forward_plan(x.shape, weight.shape, out.shape, window, rectified, out.dtype)
    correlate(plan, x, weight, bias, out)


@lru_cache(maxsize=256)
def _grad_input_plan(
    grad: tuple[int, ...],
    weight: tuple[int, ...],
    out: tuple[int, ...],
    window: Window,
    dtype: np.dtype[Any],
) -> Array:
    kh, kw, sh, sw, ph, pw, dh, dw, _, _, groups = window
    filters, channels, taps = weight[0] // groups, weight[1], kh * kw
    return correlation_plan(
        Product(
            _pixels(grad),
            _pixels(out),
            backward_axis(grad[1], out[1], kh, sh, ph, dh),
            backward_axis(grad[2], out[2], kw, sw, pw, dw),
            groups,
            filters,
            channel_step=1,
            filters=Filter(
                channels, taps, filters, channels * taps, taps, filters * channels * taps
            ),
        ),
        dtype,
    )


@implements("conv2d_grad_input", device="cpu", variant="direct")
def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """out[n,r,q,c] = Σ grad[n,i,j,o] · weight[o,c,u,v] over i·sh+u·dh-ph = r, j·sw+v·dw-pw = q.

    Solved for i: the rows that meet pixel r are i = (r + ph - u·dh) / sh, where that is a
    whole number. As u grows i falls: a correlation with the taps of the filter in reversed
    order.
    """
    if is_depthwise(weight, window):
        slide_channels_back(grad, weight, window, out)
        return
    if spreads(weight.shape[1], window, out.dtype):
        spread(grad, weight, window, out)
        return
    plan = _grad_input_plan(grad.shape, weight.shape, out.shape, window, out.dtype)
    correlate(plan, grad, weight, NOTHING[out.dtype], out)


@implements("conv2d_grad_weight", device="cpu", variant="direct")
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[o,c,u,v] = Σ_n,i,j grad[n,i,j,o] · x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c]."""
    if is_depthwise(out, window):
        correlate_channels(grad, x, window, out)
        return
    correlate_pixels(grad, x, window, out)


@implements("channel_sum", device="cpu", variant="direct")
def channel_sum(grad: Array, out: Array) -> None:
    """out[o] = Σ grad[..., o] over every axis but the last: the gradient of a bias."""
    _channel_sum(read_only(grad), out)


@compiled()
def _channel_sum(grad: Array, out: Array) -> None:
    """Add runs of several pixels at once, so that few channels fill whole vectors too."""
    channels = out.size
    out[:] = 0
    if channels == 0:
        return
    run = channels
    while run % _RUN and channels < _RUN:
        run += channels
    run *= max(1, 4 * _RUN // run)
    totals = np.zeros(run, out.dtype)
    for at in range(0, grad.size - run + 1, run):
        piece = grad[at : at + run]
        for k in range(run):
            totals[k] += piece[k]
    for k in range(run):
        out[k % channels] += totals[k]
    for k in range(grad.size // run * run, grad.size):
        out[k % channels] += grad[k]
