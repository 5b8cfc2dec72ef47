"""Channels joined, boxes cut out and put in, and axes exchanged."""

from collections.abc import Iterator
from typing import Any

from .case import Case

# pixels, and the channels of each array; more and fewer than copies go part by part for
JOINED = (
    ((2, 3, 2), (3, 1, 4)),
    ((5,), (7,)),
    ((3, 70, 41), (1, 12, 3)),
    ((9000,), (2, 0, 1)),
    ((0, 4, 4), (2, 3)),
)
# N, R, K: short and long axes, whole squares and rests, several tiles
MATRICES = (
    (2, 3, 5), (3, 1, 40), (1, 16, 16), (2, 9, 130), (1, 300, 3), (1, 141, 37), (2, 33, 9),
    (0, 4, 2),
)  # fmt: skip

# Shape of the whole, of the box in it, and of each axis the first place and the step
BOXES = (
    ((2, 4, 5, 3), (2, 2, 3, 3), ((0, 1), (1, 1), (1, 1), (0, 1))),
    ((2, 6, 7, 4), (1, 2, 3, 2), ((1, 1), (1, 3), (0, 2), (1, 2))),
    ((3, 34, 34, 9), (3, 32, 32, 9), ((0, 1), (1, 1), (1, 1), (0, 1))),
    ((3, 33, 31, 11), (2, 16, 16, 11), ((0, 2), (1, 2), (0, 2), (0, 1))),
    ((4, 20, 19, 24), (4, 20, 19, 12), ((0, 1), (0, 1), (0, 1), (5, 1))),
    ((5, 20, 19, 9), (2, 9, 18, 4), ((1, 2), (2, 2), (1, 1), (4, 1))),
    ((3, 40, 50, 2), (3, 20, 50, 1), ((0, 1), (0, 2), (0, 1), (1, 2))),
    ((90, 1, 1, 200), (80, 1, 1, 120), ((6, 1), (0, 1), (0, 1), (70, 1))),
    ((2, 80, 80, 1), (2, 0, 80, 1), ((0, 1), (0, 1), (0, 1), (0, 1))),
)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for pixels, channels in JOINED:
        parts = tuple(values(*pixels, c) for c in channels)
        result = (((*pixels, sum(channels)), dtype),)
        yield Case("join_channels", f"{pixels} of {channels}", parts, result)
    for whole, inner, box in BOXES:
        label = f"{inner} of {whole} at {box}"
        yield Case("pick_box", label, (values(*whole), box), ((inner, dtype),))
        yield Case("place_box", label, (values(*inner), box), ((whole, dtype),))
    for n, r, k in MATRICES:
        label = f"{n} of {r}x{k}"
        yield Case("transpose_matrices", label, (values(n, r, k),), (((n, k, r), dtype),))
