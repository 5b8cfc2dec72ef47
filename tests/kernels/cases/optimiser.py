"""Updates of parameters in place."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case

LENGTHS = (1, 37, 0)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for k in LENGTHS:
        for nesterov in (False, True):
            yield Case(
                "sgd_update", f"{k} nesterov={nesterov}",
                (values(k), 0.1, 0.9, 1e-3, nesterov), starts=(values(k), values(k)),
            )  # fmt: skip
        yield Case(
            "adam_update", f"{k}", (values(k), 1e-2, 0.9, 0.999, 1e-8, 1e-3, 3),
            starts=(values(k), values(k), np.abs(values(k))),
        )  # fmt: skip
