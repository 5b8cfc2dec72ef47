"""Filters in the order that register tiles read them.

A tile reads, for each value of the image under its pixels, as many output channels as it
has columns. So the filters are cut into *panels* of that many columns, and a panel holds
its taps one after the other, in the order of :mod:`~tinygrad_cnn.kernels.cpu.products.taps`::

    packed[group][panel][tap down][tap across][channel][column]

In the array of filters the columns may lie far apart: they are brought together by squares
that are transposed in registers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.transpose import transpose_square
from tinygrad_cnn.kernels.cpu.loops.memory import address, clear_run, copy_run
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

#: An array of no values, for each dtype.
NOTHING = {np.dtype(kind): np.empty(0, kind) for kind in (np.float32, np.float64)}


class Filter(NamedTuple):
    """How filters lie in an array: runs of neighbouring values, as many for each column.

    In the forward pass a run is a whole filter w[o, :, :, :]; in the gradient of the input,
    where c counts columns and o is summed over, it is one w[o, c, :, :].
    """

    columns: int  # of one group
    column_step: int  # values from a column to the next
    runs: int  # of one column
    run_step: int
    run_length: int
    group_step: int  # from the filters of a group of channels to those of the next


class Packing(NamedTuple):
    """All that :func:`pack_panel` has to know beside the arrays: plain integers."""

    columns: int
    column_step: int
    runs: int
    run_step: int
    run_length: int
    group_step: int
    lanes: int  # values in a register
    width: int  # columns of a panel
    panels: int  # of a group
    panel_values: int
    packed_run: int  # values from a run to the next in a panel


def pack_places(
    down: Sequence[int], across: Sequence[int], summed: int, run_channels: int, width: int
) -> Array:
    """Return where in a panel each value of a run goes.

    The run holds `run_channels` of the `summed` channels, and of each all taps in the order
    of the array; the panel has them in the orders `down` and `across`.
    """
    taps = len(down) * len(across)
    position = np.empty((len(down), len(across)), np.intp)
    position[np.ix_(down, across)] = np.arange(taps).reshape(position.shape)
    channel = np.arange(run_channels)[:, None]
    return ((position.reshape(-1) * summed + channel) * width).reshape(-1)


@compiled()
def pack_panel(
    number: int,
    place: int,
    plan: Packing,
    weight: Array,
    places: Array,
    steps: Array,
    packed: Array,
) -> None:
    """Pack a panel, numbered over all groups, where there is room for panel `place`.

    Columns that it has too many become zeros. `places` are those of :func:`pack_places`,
    `steps` the first multiples of column_step.
    """
    group, first = number // plan.panels, number % plan.panels * plan.width
    panel = place * plan.panel_values
    used = min(plan.width, plan.columns - first)
    if used < plan.width:
        clear_run(address(packed, panel), plan.panel_values)
    for run in range(plan.runs):
        at = group * plan.group_step + first * plan.column_step + run * plan.run_step
        target = panel + run * plan.packed_run
        if plan.run_length == 1 and plan.column_step == 1:
            copy_run(address(packed, target), address(weight, at), used)
            continue
        for k in range(0, plan.run_length, plan.lanes):
            for n in range(0, used, plan.lanes):
                transpose_square(
                    address(weight, at + k), address(steps, n),
                    min(plan.lanes, used - n), min(plan.lanes, plan.run_length - k),
                    address(packed, target + n), address(places, k),
                )  # fmt: skip
