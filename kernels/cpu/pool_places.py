"""Maximum pooling that notes each winner by its place under the window; images are (N, H, W, C).

A place is the number u·KW + v of a tap, one byte. That is an eighth of an index into the image,
and the error signal finds its way back with it: each pixel asks the windows over it whether it
won. So no pixel is written twice, nothing is cleared first, and rows can go to several threads
even where windows overlap.
"""

from typing import Any

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.simd import (
    first_one,
    lanes_one,
    load_masked,
    negation,
    select,
    spread_beside,
    spread_one,
    store_masked,
)
from tinygrad_cnn.kernels.cpu.loops.memory import address, clear_run, read_only_view
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_FORK = 100_000  # values to touch; below, a fork and join cost more than they save
_TASK_VALUES = 4 * 1024  # values of the smaller image in a task, about

_numbers: dict[Window, Array] = {}


def window_numbers(window: Window) -> Array:
    """Return a window as an array: compiled code takes one argument faster than eleven."""
    numbers = _numbers.get(window)
    if numbers is None:
        numbers = _numbers[window] = np.array(window, np.intp)
    return numbers


@implements("max_pool2d_places", device="cpu", variant="direct")
def max_pool2d_places(x: Array, window: Window, last: bool, out: Array, places: Array) -> None:
    """Fill out with the largest value under each window, places with u·KW + v of its tap.

    Of equal values the first in row order wins, or, if asked for, the last. A NaN wins over
    every number. Padding never wins.
    """
    if out.size:
        fork = out.size * window.kh * window.kw > _FORK
        _largest(read_only_view(x), window_numbers(window), bool(last), fork, out, places)


@compiled()
def _largest(x: Array, window: Array, last: bool, fork: bool, out: Array, places: Array) -> None:
    tables = np.empty((2, max(out.shape[1:3]), 3), np.intp)
    for axis in range(2):  # down, then across
        _taps_inside(x, out, window, axis, tables[axis])
    kh, kw = window[0], window[1]
    squares = kh == kw == 2
    for axis in range(2):
        for k in range(out.shape[1 + axis]):
            squares = squares and tables[axis, k, 1] == 0 and tables[axis, k, 2] == 2
    _each_window_row(x, window, last, squares, fork, tables[0], tables[1], out, places)


@compiled()
def _taps_inside(x: Array, out: Array, window: Array, axis: int, table: Array) -> None:
    """Fill in for each window the pixel under its first tap, the first tap inside, the end."""
    kernel, stride, padding, dilation = window[axis:8:2]
    windows, size = out.shape[1 + axis], x.shape[1 + axis]
    for k in range(windows):
        start, begin, end = k * stride - padding, 0, kernel
        while start + begin * dilation < 0:
            begin += 1
        while start + (end - 1) * dilation >= size:
            end -= 1
        table[k, 0], table[k, 1], table[k, 2] = start, begin, end


@compiled(parallel=True)
def _each_window_row(
    x: Array, window: Array, last: bool, squares: bool, fork: bool, down: Array, across: Array,
    out: Array, places: Array,
) -> None:  # fmt: skip
    rows = out.shape[0] * out.shape[1]
    if fork:
        step = max(1, _TASK_VALUES // (out.shape[2] * out.shape[3]))
        for task in numba.prange((rows + step - 1) // step):
            begin = np.intp(task) * step
            end = min(rows, begin + step)
            _some_window_rows(begin, end, x, window, last, squares, down, across, out, places)
    else:
        _some_window_rows(np.intp(0), rows, x, window, last, squares, down, across, out, places)


@compiled()
def _some_window_rows(
    begin: int, end: int, x: Array, window: Array, last: bool, squares: bool, down: Array,
    across: Array, out: Array, places: Array,
) -> None:  # fmt: skip
    for row in range(begin, end):
        if squares:
            _square_row(row, x, window, last, down, across, out, places)
        else:
            _window_row(row, x, window, last, down, across, out, places)


@compiled()
def _square_row(
    task: int, x: Array, window: Array, last: bool, down: Array, across: Array, out: Array,
    places: Array,
) -> None:  # fmt: skip
    """Fill one row of one image where all windows are 2x2 and inside: no loops over taps."""
    _, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    n, i = task // out_height, task % out_height
    image = address(x, (n * height + down[i, 0]) * width * channels)
    target = address(out, task * out_width * channels)
    noted = address(places, task * out_width * channels)
    step, right, under = lanes_one(image), window[7] * channels, window[6] * width * channels
    like = spread_one(image, 0)
    first_tap, second_tap = spread_beside(noted, 0, like), spread_beside(noted, 1, like)
    third_tap, fourth_tap = spread_beside(noted, 2, like), spread_beside(noted, 3, like)
    for j in range(out_width):
        for c in range(0, channels, step):
            inside, at = first_one(image, channels - c), across[j, 0] * channels + c
            above, beside = load_masked(image, at, inside), load_masked(image, at + right, inside)
            wins = _wins(beside, above, last)
            above, number = select(wins, beside, above), select(wins, second_tap, first_tap)
            at += under
            below, beside = load_masked(image, at, inside), load_masked(image, at + right, inside)
            wins = _wins(beside, below, last)
            below, other = select(wins, beside, below), select(wins, fourth_tap, third_tap)
            wins = _wins(below, above, last)
            store_masked(select(wins, below, above), target, j * channels + c, inside)
            store_masked(select(wins, other, number), noted, j * channels + c, inside)


@compiled()
def _window_row(
    task: int, x: Array, window: Array, last: bool, down: Array, across: Array, out: Array,
    places: Array,
) -> None:  # fmt: skip
    """Fill one row of one image.

    Neighbouring taps are compared first: two short chains of comparisons take less time than
    one long one.
    """
    kw, below, beside = window[1], window[6], window[7]
    _, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    n, i = task // out_height, task % out_height
    image = address(x, n * height * width * channels)
    target = address(out, task * out_width * channels)
    noted = address(places, task * out_width * channels)
    step, right, under = lanes_one(image), beside * channels, below * width * channels
    top, u0, u1 = down[i, 0], down[i, 1], down[i, 2]
    lowest = spread_one(image, -np.inf)
    for c in range(0, channels, step):
        inside = first_one(image, channels - c)
        for j in range(out_width):
            left, v0, v1 = across[j, 0], across[j, 1], across[j, 2]
            corner, best = (top * width + left) * channels + c, lowest
            place = spread_beside(noted, u0 * kw + v0, best)
            for u in range(u0, u1):
                v, at, tap = v0, corner + u * under + v0 * right, u * kw + v0
                while v < v1:
                    value = load_masked(image, at, inside)
                    number = spread_beside(noted, tap, best)
                    if v + 1 < v1:
                        other = load_masked(image, at + right, inside)
                        wins = _wins(other, value, last)
                        value = select(wins, other, value)
                        number = select(wins, spread_beside(noted, tap + 1, best), number)
                    wins = _wins(value, best, last)
                    best = select(wins, value, best)
                    place = select(wins, number, place)
                    v, at, tap = v + 2, at + 2 * right, tap + 2
            store_masked(best, target, j * channels + c, inside)
            store_masked(place, noted, j * channels + c, inside)


@compiled()
def _wins(value: Any, best: Any, last: bool) -> Any:
    """Tell where a value wins over the best of the taps before."""
    if last:
        return (value >= best) | (value != value)
    return negation(value <= best) & (best == best)  # also where the value is NaN


@implements("max_pool2d_places_grad", device="cpu", variant="direct")
def max_pool2d_places_grad(grad: Array, places: Array, window: Window, out: Array) -> None:
    """Add each error signal to the pixel at its place under the window; the rest are zero."""
    if out.size:
        fork = out.size > _FORK
        _sent_back(read_only_view(grad), read_only_view(places), window_numbers(window), fork, out)


@compiled()
def _sent_back(grad: Array, places: Array, window: Array, fork: bool, out: Array) -> None:
    kh, kw, sh, sw, ph, pw, dh, dw = window[:8]
    taps = max(kh, kw)  # no more windows have one on a pixel
    tables = np.zeros((2, max(out.shape[1:3]), 1 + 2 * taps), np.intp)
    for axis in range(2):  # down, then across
        _windows_over(grad, out, window, axis, tables[axis])
    tiled = kh == sh and kw == sw and ph + pw == 0 and dh == dw == 1
    tiled = tiled and grad.shape[1] * kh <= out.shape[1] and grad.shape[2] * kw <= out.shape[2]
    _each_row(grad, places, kh, kw, tiled, fork, tables[0], tables[1], out)


@compiled()
def _windows_over(grad: Array, out: Array, window: Array, axis: int, table: Array) -> None:
    """Count for each pixel the windows that have a tap on it, and list these windows and taps."""
    kernel, stride, padding, dilation = window[axis:8:2]
    windows, size = grad.shape[1 + axis], out.shape[1 + axis]
    for k in range(windows):
        for tap in range(kernel):
            pixel = k * stride - padding + tap * dilation
            if 0 <= pixel < size:
                entry = 1 + 2 * table[pixel, 0]
                table[pixel, entry], table[pixel, entry + 1] = k, tap
                table[pixel, 0] += 1


@compiled(parallel=True)
def _each_row(
    grad: Array, places: Array, kh: int, kw: int, tiled: bool, fork: bool, down: Array,
    across: Array, out: Array,
) -> None:  # fmt: skip
    rows = len(out) * (grad.shape[1] if tiled else out.shape[1])
    if fork:
        _, _, columns, channels = grad.shape if tiled else out.shape
        step = max(1, _TASK_VALUES // (columns * channels))
        for task in numba.prange((rows + step - 1) // step):
            begin = np.intp(task) * step
            end = min(rows, begin + step)
            _some_rows(begin, end, grad, places, kh, kw, tiled, down, across, out)
    else:
        _some_rows(np.intp(0), rows, grad, places, kh, kw, tiled, down, across, out)


@compiled()
def _some_rows(
    begin: int, end: int, grad: Array, places: Array, kh: int, kw: int, tiled: bool,
    down: Array, across: Array, out: Array,
) -> None:  # fmt: skip
    for row in range(begin, end):
        if tiled:
            _tile_row(row, grad, places, kh, kw, out)
        else:
            _pixel_row(row, grad, places, kw, down, across, out)


@compiled()
def _tile_row(task: int, grad: Array, places: Array, kh: int, kw: int, out: Array) -> None:
    """Fill the rows under one row of windows that lie side by side; the last row, all below.

    A row of pixels is filled from end to end before the next one is begun: written in step, two
    rows take twice as long where they have to come from beyond the caches.
    """
    _, out_height, out_width, channels = grad.shape
    _, height, width, _ = out.shape
    n, i = task // out_height, task % out_height
    signals = address(grad, task * out_width * channels)
    noted = address(places, task * out_width * channels)
    top = n * height + i * kh
    target, pitch = address(out, top * width * channels), width * channels
    step, zeros = lanes_one(target), spread_one(target, 0)
    for u in range(kh):
        begin = u * pitch
        for at in range(0, out_width * channels, channels):
            for c in range(0, channels, step):
                inside = first_one(target, channels - c)
                signal = load_masked(signals, at + c, inside)
                winner = load_masked(noted, at + c, inside)
                for v in range(kw):
                    won = winner == spread_beside(noted, u * kw + v, zeros)
                    pixel = begin + v * channels + c
                    store_masked(select(won, signal, zeros), target, pixel, inside)
            begin += kw * channels
    used = out_width * kw * channels
    for u in range(kh):
        clear_run(address(out, top * width * channels + u * pitch + used), pitch - used)
    if i == out_height - 1:
        below = height - (i + 1) * kh
        clear_run(address(out, (top + kh) * width * channels), below * pitch)


@compiled()
def _pixel_row(
    task: int, grad: Array, places: Array, kw: int, down: Array, across: Array, out: Array
) -> None:
    """Fill one row of one image: each pixel asks the windows over it."""
    _, out_height, out_width, channels = grad.shape
    _, height, width, _ = out.shape
    n, r = task // height, task % height
    signals = address(grad, n * out_height * out_width * channels)
    noted = address(places, n * out_height * out_width * channels)
    target = address(out, task * width * channels)
    step, zeros = lanes_one(target), spread_one(target, 0)
    most = (down.shape[1] // 2) * (across.shape[1] // 2)
    starts, taps = np.empty(most, np.intp), np.empty(most, np.intp)
    for q in range(width):
        count = 0
        for above in range(down[r, 0]):
            i, u = down[r, 1 + 2 * above], down[r, 2 + 2 * above]
            for beside in range(across[q, 0]):
                j, v = across[q, 1 + 2 * beside], across[q, 2 + 2 * beside]
                starts[count], taps[count] = (i * out_width + j) * channels, u * kw + v
                count += 1
        for c in range(0, channels, step):
            inside, total = first_one(target, channels - c), zeros
            for k in range(count):
                own, at = spread_beside(noted, taps[k], zeros), starts[k] + c
                won = load_masked(noted, at, inside) == own
                total = total + select(won, load_masked(signals, at, inside), zeros)
            store_masked(total, target, q * channels + c, inside)


@implements("max_pool2d_places_gather", device="cpu", variant="direct")
def max_pool2d_places_gather(x: Array, places: Array, window: Window, out: Array) -> None:
    """Read x at the place that each window notes: the adjoint of max_pool2d_places_grad."""
    if out.size:
        _gather(read_only_view(x), read_only_view(places), window_numbers(window), out)


@compiled()
def _gather(x: Array, places: Array, window: Array, out: Array) -> None:
    _, kw, sh, sw, ph, pw, dh, dw = window[:8]
    for n, i, j, c in np.ndindex(out.shape):
        place = np.intp(places[n, i, j, c])
        row, column = i * sh - ph + place // kw * dh, j * sw - pw + place % kw * dw
        out[n, i, j, c] = x[n, row, column, c]
