"""Softmax, its logarithm, and the cross-entropy."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case

# N, K
SOFTMAX = ((3, 10), (1, 1), (17, 5), (0, 4))


def options(values: Any, classes: int, dtype: Any) -> Iterator[tuple[np.ndarray, int, float]]:
    """Yield weights of classes (none at all stands for ones), labels to ignore, smoothings."""
    none, some = np.empty(0, dtype), np.asarray(np.abs(values(classes)) + 1, dtype)
    yield none, -100, 0.0
    yield some, 0, 0.0
    yield none, classes - 1, 0.1
    yield some, -100, 1.0


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, k in SOFTMAX:
        x, grad, labels = 3 * values(n, k), values(n), rng.integers(0, k, n)
        same, rows = ((x.shape, dtype),), (((n,), dtype),)
        for given in (labels, labels.astype(np.uint8)):
            label = f"N{n} K{k} {given.dtype} labels"
            for weight, ignored, smoothing in options(values, k, dtype):
                form = f"{label} {len(weight)} weights ignored {ignored} smoothing {smoothing}"
                rest = (given, weight, ignored, smoothing)
                yield Case("cross_entropy_forward", form, (x, *rest), rows * 2, terms=k)
                yield Case("cross_entropy_grad", form, (grad, x, *rest), same, terms=k)
        yield Case("softmax", f"N{n} K{k}", (x,), same, terms=k)
        yield Case("log_softmax", f"N{n} K{k}", (x,), same, terms=k)
    if np.dtype(dtype).kind == "f":
        rows = np.zeros((5, 3), dtype)
        rows[0, 1], rows[1, 2], rows[2, 0], rows[3], rows[4] = np.nan, np.inf, -np.inf, -np.inf, 500
        yield Case("softmax", "edges", (rows,), ((rows.shape, dtype),))
        yield Case("log_softmax", "edges", (rows,), ((rows.shape, dtype),))
