"""Losses of scores that need no softmax."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case
from .softmax import options

# N, K
LOSS = ((3, 10), (1, 1), (17, 5), (0, 4))


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, k in LOSS:
        x, grad, labels = 2 * values(n, k), values(n), rng.integers(0, k, n)
        same, rows = ((x.shape, dtype),), (((n,), dtype),)
        for given in (labels, labels.astype(np.uint8)):
            label = f"N{n} K{k} {given.dtype} labels"
            for weight, ignored, _ in options(values, k, dtype):
                form = f"{label} {len(weight)} weights ignored {ignored}"
                yield Case("nll_loss_forward", form, (x, given, weight, ignored), rows * 2)
                yield Case("nll_loss_grad", form, (grad, given, weight, ignored), same)
            for margin in (1.0, -0.5):
                form = f"{label} margin {margin}"
                yield Case("multi_margin_loss_forward", form, (x, given, margin), rows, terms=k)
                arguments = (grad, x, given, margin)
                yield Case("multi_margin_loss_grad", form, arguments, same, terms=k)
