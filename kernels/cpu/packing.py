"""Filters in the order that register tiles read them."""

from typing import NamedTuple

from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array


class Filter(NamedTuple):
    """How filters w[o,c,u,v] lie in an array: offset of the first value, and strides."""

    offset: int
    o: int
    c: int
    u: int
    v: int
    group: int = 0  # from the filters of a group of channels to those of the next


@compiled()
def pack(
    weight: Array,
    layout: Filter,
    sizes: tuple[int, int, int, int],
    columns: int,
    width: int,
    packed: Array,
) -> None:
    """packed[group][panel][u,v,c][n] = w[panel·width + n, c, u, v], zero beyond the columns.

    The loop over c is outside those over u and v, so that a filter is read front to back.
    """
    groups, kh, kw, channels = sizes
    panel = 0  # where the one that is packed begins
    for group in range(groups):
        for first in range(0, columns, width):
            used = min(width, columns - first)
            for c in range(channels):
                for u in range(kh):
                    for v in range(kw):
                        k = panel + ((u * kw + v) * channels + c) * width
                        at = layout.offset + u * layout.u + v * layout.v + c * layout.c
                        at += group * layout.group + first * layout.o
                        for n in range(used):
                            packed[k + n] = weight[at + n * layout.o]
                        for n in range(used, width):
                            packed[k + n] = 0
            panel += kh * kw * channels * width
