"""Stored pixels: normalised, cut out, mirrored, covered and bent; and what is drawn for them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case

PIXELS = ((2, 3, 5, 3), (7, 1, 1, 1), (3, 80, 91, 1), (1, 2, 2, 600), (1, 90, 80, 3), (0, 4, 4, 3))
# images, and height and width of what is cut out; corners lie up to `reach` outside
CROPS = (
    ((3, 5, 7, 3), (5, 7), 2),
    ((4, 6, 4, 1), (3, 9), 12),
    ((2, 1, 1, 2), (4, 4), 1),
    ((9, 33, 40, 1), (32, 32), 4),
    ((0, 3, 3, 1), (3, 3), 1),
    ((2, 0, 3, 1), (2, 3), 1),
)
# images, and side of the square that is covered; corners lie up to `reach` outside
COVERED = (
    ((3, 5, 7, 3), 3, 4),
    ((4, 6, 4, 1), 9, 12),
    ((2, 32, 32, 1), 16, 8),
    ((0, 3, 3, 1), 2, 1),
)
SMOOTHED = (
    ((3, 5, 7, 2), 2),
    ((2, 9, 3, 1), 12),
    ((1, 1, 1, 3), 1),
    ((2, 28, 28, 2), 8),
    ((0, 3, 3, 1), 1),
)
BENT = (
    ((3, 5, 7, 3), 2),
    ((2, 6, 4, 1), 30),
    ((1, 1, 1, 2), 1),
    ((2, 28, 28, 1), 3),
    ((0, 3, 3, 1), 1),
)
DRAWN = ((0, 4), (1, 1), (3, 2), (2, 3), (5, 7), (3, 400), (300, 70), (2, 0))  # examples and words


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for shape in PIXELS:
        mean, deviation = values(shape[-1]), values(shape[-1]) ** 2 + 0.5
        stored = rng.integers(0, 256, shape).astype(np.uint8)
        for x in (stored, values(*shape)):
            label = f"{shape} {x.dtype}"
            yield Case("normalise_images", label, (x, mean, deviation), ((shape, dtype),))
    for shape, size, reach in CROPS:
        corners = rng.integers(-reach, reach + 1, (shape[0], 2))
        flips = np.arange(shape[0]) % 2 == 1
        stored = rng.integers(0, 256, shape).astype(np.uint8)
        for x in (stored, values(*shape)):
            for repeat in (False, True):
                label = f"{shape} {x.dtype} to {size}, repeat {repeat}"
                result = (((shape[0], *size, shape[3]), x.dtype),)
                yield Case("crop_images", label, (x, corners, flips, repeat), result)
    for shape, size, reach in COVERED:
        corners = rng.integers(-reach, reach + shape[1], (shape[0], 2))
        stored = rng.integers(0, 256, shape).astype(np.uint8)
        for x in (stored, values(*shape)):
            label = f"{shape} {x.dtype}, a square of {size}"
            yield Case("cutout_images", label, (x, corners, size), ((shape, x.dtype),))
    for shape, reach in SMOOTHED:
        size, weights = 2 * reach + 1, values(2 * reach + 1)
        result = ((shape, dtype),)
        label = f"{shape} reach {reach}"
        yield Case("smooth_images", label, (values(*shape), weights), result, terms=size**2)
    for shape, reach in BENT:
        x, field = values(*shape), reach * values(*shape[:3], 2)
        field.reshape(-1)[::3] = np.round(field.reshape(-1)[::3])  # some hit a pixel
        for repeat in (False, True):
            label = f"{shape} reach {reach}, repeat {repeat}"
            yield Case("warp_images", label, (x, field, repeat), ((shape, dtype),))
    for shape in DRAWN:
        examples = rng.integers(0, 2**40, shape[0])
        for key, first in ((0, 0), (2**64 - 3, 2**32 - 1)):
            label = f"{shape} key {key} from {first}"
            result = ((shape, np.uint32),)
            yield Case("random_words", label, (key, first, examples), result)
