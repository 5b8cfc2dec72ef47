"""From stored pixels to what a network is fed with; images are (N, H, W, C).

Each kernel goes over a batch once. Normalising divides, as its definition does: to multiply by
a rounded reciprocal would save nothing, since the division waits for memory anyway, and full
pixels would no longer be exactly 1. Channels differ in their mean and deviation, so these are
laid out for a whole run of pixels, and values and factors then go through side by side.
"""

from typing import Any

import numpy as np
from numba import types

from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.kernels.cpu.instructions.elementary import like
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import (
    bytes_at,
    copy_bytes,
    place_of_values,
    values_at,
    values_from,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.memory import clear_run
from tinygrad_cnn.kernels.cpu.loops.tasks import Code
from tinygrad_cnn.kernels.cpu.loops.values import Addresses
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_PART = 16 * 1024  # values of a task, about; never by the number of threads
_RUN = 512  # values in a run of pixels, about

# -- normalising -----------------------------------------------------------------------

_X, _OUT, _MEAN, _DEVIATION, _SIZE, _RUN_SIZE, _PART_SIZE, _BYTES = range(8)


@implements("normalise_images", device="cpu", variant="direct")
def normalise_images(x: Array, mean: Array, deviation: Array, out: Array) -> None:
    """out[..., c] = (x[..., c] - mean[c]) / deviation[c], where x is uint8 or as out is."""
    code = _NORMALISE_TASK[out.dtype]
    if not code or not out.flags.c_contiguous:
        raise DTypeError(
            "normalise_images: the result is a C-contiguous array of float32 or float64; got "
            f"{out.dtype} of shape {out.shape}"
        )
    if out.size:
        are_bytes = x.dtype == np.uint8
        x = np.ascontiguousarray(x, np.uint8 if are_bytes else out.dtype)
        repeats = max(1, _RUN // mean.size)
        factors = np.tile(np.asarray([mean, deviation], out.dtype), (1, repeats))
        run = mean.size * repeats
        part = max(1, _PART // run) * run
        places = (x.ctypes.data, out.ctypes.data, factors.ctypes.data, factors[1].ctypes.data)
        table = np.array((*places, out.size, run, part, are_bytes), np.intp)
        tasks.run(code, table, -(-out.size // part), out.size)


@compiled()
def _normalise_part(table: Any, part: int) -> None:
    place = place_of_values(table)
    run, step = word_at(place + 8 * _RUN_SIZE), word_at(place + 8 * _PART_SIZE)
    begin, end = part * step, min((part + 1) * step, word_at(place + 8 * _SIZE))
    source, out = word_at(place + 8 * _X), values_at(table, word_at(place + 8 * _OUT))
    mean = values_at(table, word_at(place + 8 * _MEAN))
    deviation = values_at(table, word_at(place + 8 * _DEVIATION))
    for at in range(begin, end, run):
        count, target = min(run, end - at), values_from(out, at)
        if word_at(place + 8 * _BYTES):
            pixels = bytes_at(source + at)
            for k in range(count):
                target[k] = (like(mean[k], pixels[k]) - mean[k]) / deviation[k]
        else:
            values = values_from(values_at(table, source), at)
            for k in range(count):
                target[k] = (values[k] - mean[k]) / deviation[k]


_NORMALISE_TASK = Addresses(
    _normalise_part, signature=lambda values: types.void(values, types.intp)
)

# -- cropping --------------------------------------------------------------------------

_CORNERS, _FLIPS, _REPEAT, _PIXEL, _HEIGHT, _WIDTH, _OUT_HEIGHT, _OUT_WIDTH = range(2, 10)


@implements("crop_images", device="cpu", variant="direct")
def crop_images(x: Array, corners: Array, flips: Array, repeat: bool, out: Array) -> None:
    """out[n,i,j] = x[n, corners[n,0] + i, corners[n,1] + j], mirrored in j where flips[n].

    A corner may lie outside, as the others may. What is outside of the image is zero, or, if
    asked for, equal to the nearest pixel.
    """
    if x.size == 0 or out.size == 0:
        out[...] = 0
        return
    if not out.flags.c_contiguous or out.dtype.hasobject:
        raise DTypeError(
            "crop_images: the result is a C-contiguous array of numbers; got "
            f"{out.dtype} of shape {out.shape}"
        )
    x, flips = np.ascontiguousarray(x, out.dtype), np.ascontiguousarray(flips, np.uint8)
    corners = np.ascontiguousarray(corners, np.intp)
    places = (array.ctypes.data for array in (x, out, corners, flips))
    pixel = out.itemsize * out.shape[3]
    table = np.array((*places, repeat, pixel, *x.shape[1:3], *out.shape[1:3]), np.intp)
    tasks.run(_CROP_TASK.address, table, len(out), out.size)


@compiled()
def _crop_image(table: int, n: int) -> None:
    pixel, repeat = word_at(table + 8 * _PIXEL), word_at(table + 8 * _REPEAT)
    height, width = word_at(table + 8 * _HEIGHT), word_at(table + 8 * _WIDTH)
    rows, columns = word_at(table + 8 * _OUT_HEIGHT), word_at(table + 8 * _OUT_WIDTH)
    corner = word_at(table + 8 * _CORNERS) + 16 * n
    top, left = word_at(corner), word_at(corner + 8)
    flip = bytes_at(word_at(table + 8 * _FLIPS))[n] != 0
    first, end = min(max(-left, 0), columns), min(max(width - left, 0), columns)  # inside
    image = word_at(table + 8 * _X) + n * height * width * pixel
    for i in range(rows):
        target = word_at(table + 8 * _OUT) + (n * rows + i) * columns * pixel
        if not (repeat or 0 <= top + i < height):
            clear_run(bytes_at(target), columns * pixel)
            continue
        source = image + min(max(top + i, 0), height - 1) * width * pixel
        inside = source + (left + first) * pixel
        if flip:
            _mirror(target + (columns - end) * pixel, inside, end - first, pixel)
        else:
            copy_bytes(target + first * pixel, inside, (end - first) * pixel)
        for k in range(columns - (end - first)):  # those outside, on both sides
            j = k if k < first else k + end - first
            place = target + (columns - 1 - j if flip else j) * pixel
            if repeat:
                copy_bytes(place, source + (0 if j < first else width - 1) * pixel, pixel)
            else:
                clear_run(bytes_at(place), pixel)


@compiled()
def _mirror(target: int, source: int, count: int, pixel: int) -> None:
    """Copy a run of pixels in reverse order. Sizes that are known are a single instruction."""
    last = target + (count - 1) * pixel
    if pixel == 1:
        values, mirrored = bytes_at(source), bytes_at(target)
        for j in range(count):
            mirrored[count - 1 - j] = values[j]
    elif pixel == 4:
        for j in range(count):
            copy_bytes(last - 4 * j, source + 4 * j, 4)
    else:
        for j in range(count):
            copy_bytes(last - pixel * j, source + pixel * j, pixel)


_CROP_TASK = Code(_crop_image)

# -- covering --------------------------------------------------------------------------

_COVER_CORNERS, _COVER_SIZE, _COVER_PIXEL, _COVER_HEIGHT, _COVER_WIDTH = range(2, 7)


@implements("cutout_images", device="cpu", variant="direct")
def cutout_images(x: Array, corners: Array, size: int, out: Array) -> None:
    """out = x with zeros in a square of each image, its upper left pixel at corners[n].

    The square may lie outside, in part or altogether.
    """
    if not out.flags.c_contiguous or out.dtype.hasobject:
        raise DTypeError(
            "cutout_images: the result is a C-contiguous array of numbers; got "
            f"{out.dtype} of shape {out.shape}"
        )
    if out.size:
        x = np.ascontiguousarray(x, out.dtype)
        corners = np.ascontiguousarray(corners, np.intp)
        places = (array.ctypes.data for array in (x, out, corners))
        pixel = out.itemsize * out.shape[3]
        table = np.array((*places, size, pixel, *out.shape[1:3]), np.intp)
        tasks.run(_COVER_TASK.address, table, len(out), out.size)


@compiled()
def _cover_image(table: int, n: int) -> None:
    pixel, size = word_at(table + 8 * _COVER_PIXEL), word_at(table + 8 * _COVER_SIZE)
    height, width = word_at(table + 8 * _COVER_HEIGHT), word_at(table + 8 * _COVER_WIDTH)
    corner = word_at(table + 8 * _COVER_CORNERS) + 16 * n
    top, left = word_at(corner), word_at(corner + 8)
    bytes_of_image = height * width * pixel
    image = word_at(table + 8 * _OUT) + n * bytes_of_image
    copy_bytes(image, word_at(table + 8 * _X) + n * bytes_of_image, bytes_of_image)
    first, end = min(max(left, 0), width), min(max(left + size, 0), width)
    for i in range(max(top, 0), min(top + size, height)):
        clear_run(bytes_at(image + (i * width + first) * pixel), (end - first) * pixel)


_COVER_TASK = Code(_cover_image)
