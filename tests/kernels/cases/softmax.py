"""Softmax, its logarithm, and the cross-entropy."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case

# N, K
SOFTMAX = ((3, 10), (1, 1), (17, 5), (0, 4))


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, k in SOFTMAX:
        x, grad, labels = 3 * values(n, k), values(n), rng.integers(0, k, n)
        same, rows = ((x.shape, dtype),), (((n,), dtype),)
        for given in (labels, labels.astype(np.uint8)):
            label = f"N{n} K{k} {given.dtype} labels"
            pair = (x, given)
            yield Case("cross_entropy_forward", label, pair, rows, terms=k)
            triple = (grad, *pair)
            yield Case("cross_entropy_grad", label, triple, same, terms=k)
        yield Case("softmax", f"N{n} K{k}", (x,), same, terms=k)
        yield Case("log_softmax", f"N{n} K{k}", (x,), same, terms=k)
    if np.dtype(dtype).kind == "f":
        rows = np.zeros((5, 3), dtype)
        rows[0, 1], rows[1, 2], rows[2, 0], rows[3], rows[4] = np.nan, np.inf, -np.inf, -np.inf, 500
        yield Case("softmax", "edges", (rows,), ((rows.shape, dtype),))
        yield Case("log_softmax", "edges", (rows,), ((rows.shape, dtype),))
