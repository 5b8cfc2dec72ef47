"""Channels joined and cut out, and axes exchanged."""

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


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for pixels, channels in JOINED:
        parts = tuple(values(*pixels, c) for c in channels)
        result = (((*pixels, sum(channels)), dtype),)
        yield Case("join_channels", f"{pixels} of {channels}", parts, result)
        whole, first = values(*pixels, sum(channels) + 2), 1
        for c in channels:
            label = f"{pixels} channels {first} to {first + c} of {sum(channels) + 2}"
            yield Case("slice_channels", label, (whole, first), (((*pixels, c), dtype),))
            first += c
    for n, r, k in MATRICES:
        label = f"{n} of {r}x{k}"
        yield Case("transpose_matrices", label, (values(n, r, k),), (((n, k, r), dtype),))
