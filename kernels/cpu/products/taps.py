"""Which taps of a filter lie on the image, for each pixel of the result.

Along one axis a pixel of the result meets some taps of the filter, and they lie on the
image in an arithmetic progression. In the forward pass tap u of output pixel i lies at
i·s + u·d - p. In the gradient of the input, tap u of input pixel r lies on the error signal
at (r + p - u·d) / s where that is a whole number: every (s / gcd(s, d))-th tap, so that
pixels fall into classes, each met by its own taps.

Taps that lie on padding are left out. Most pixels then meet all taps of their class, those
near an edge fewer: pixels that meet the same taps are of one *kind*, and can be summed by
the same loop. A filter of :mod:`~tinygrad_cnn.kernels.cpu.products.packing` holds its taps in the
order of these progressions, so that the taps a pixel meets are neighbours in it.
"""

from collections.abc import Iterator
from math import gcd
from typing import NamedTuple

import numpy as np

from tinygrad_cnn.kernels.layout import Array


class Pixels(NamedTuple):
    """Where the pixels of images lie in an array: values from one to the next."""

    images: int
    height: int
    width: int
    image: int
    row: int
    column: int


class Axis(NamedTuple):
    """An axis of the result; the arrays have an entry for each of its pixels."""

    first: Array  # the first tap that the pixel meets, as a position in `order`
    taps: Array  # how many it meets
    start: Array  # pixel of the source under the first one
    move: int  # pixels of the source from a tap to the next
    order: tuple[int, ...]  # taps as packed


def forward_axis(
    source: int, target: int, kernel: int, stride: int, padding: int, dilation: int
) -> Axis:
    """Tap u of target pixel i lies at i·s + u·d - p."""
    origin = np.arange(target) * stride - padding
    first = np.clip(-(origin // dilation), 0, kernel)
    end = np.clip(-((origin - source) // dilation), 0, kernel)
    taps = np.maximum(end - first, 0)
    return Axis(first, taps, origin + first * dilation, dilation, tuple(range(kernel)))


def backward_axis(
    source: int, target: int, kernel: int, stride: int, padding: int, dilation: int
) -> Axis:
    """Tap u of target pixel r lies at (r + p - u·d) / s, where that is a whole number.

    As u grows the place falls, so the taps of a class are packed from the last to the first.
    """
    common = gcd(stride, dilation)
    step, move = stride // common, dilation // common
    first, taps, start = (np.zeros(target, np.intp) for _ in range(3))
    order: list[int] = []
    for u in range(min(step, kernel)):
        ascending = range(u, kernel, step)[::-1]
        pixels = np.arange(target)
        pixels = pixels[(pixels + padding - u * dilation) % stride == 0]
        origin = (pixels + padding - ascending[0] * dilation) // stride  # of the last tap
        skipped = np.clip(-(origin // move), 0, len(ascending))
        end = np.clip(-((origin - source) // move), 0, len(ascending))
        first[pixels] = len(order) + skipped
        taps[pixels] = np.maximum(end - skipped, 0)
        start[pixels] = origin + skipped * move
        order += ascending
    return Axis(first, taps, start, move, tuple(order))


class Kind(NamedTuple):
    """Pixels of an axis that meet the same taps."""

    first: int
    taps: int
    pixels: Array


def kinds(axis: Axis, begin: int = 0, end: int | None = None) -> Iterator[Kind]:
    """Yield the kinds among the pixels from `begin` up to `end`; a kind of no taps is one."""
    first = np.where(axis.taps > 0, axis.first, 0)[begin:end]
    met = np.stack([first, axis.taps[begin:end]], axis=1)
    for each in np.unique(met, axis=0):
        pixels = begin + np.flatnonzero((met == each).all(axis=1))
        yield Kind(int(each[0]), int(each[1]), pixels)
