"""Squared distances of vectors to codes."""

from collections.abc import Iterator
from typing import Any

from .case import Case

# N, K, D
SHAPES = ((3, 10, 84), (1, 1, 1), (5, 2, 7), (0, 3, 2), (2, 3, 0))


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, k, d in SHAPES:
        label = f"N{n} K{k} D{d}"
        x, weight, grad = values(n, d), values(k, d), values(n, k)
        yield Case("squared_distances", label, (x, weight), ((grad.shape, dtype),), terms=d)
        arguments, results = (grad, x, weight), ((x.shape, dtype),)
        yield Case("squared_distances_grad", label, arguments, results, terms=k)
