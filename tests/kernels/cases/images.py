"""Stored pixels: normalised, cut out and mirrored."""

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
