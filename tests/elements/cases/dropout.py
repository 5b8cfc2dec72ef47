"""Rows of dropout, whose random numbers are fixed by a seed."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, case


def seeded_dropout(x: Any, p: float, seed: int) -> Any:
    return F.dropout(x, p, generator=np.random.default_rng(seed))


def seeded_dropout2d(x: Any, p: float, seed: int) -> Any:
    return F.dropout2d(x, p, generator=np.random.default_rng(seed))


CASES: tuple[Case, ...] = (
    *(
        case("dropout", f"{id}-{p}", seeded_dropout, [shape], oracles.dropout,
             {"p": p, "seed": 3}, batched=(0,))
        for p in (0.125, 0.3, 0.5)
        for id, shape in (
            ("vector", (9,)), ("rows", (3, 4)), ("sequences", (2, 3, 2)), ("images", (2, 3, 2, 2))
        )
    ),
    *(
        case("multiply", f"channels-{p}", seeded_dropout2d, [(3, 4, 2, 1)], oracles.dropout2d,
             {"p": p, "seed": 3}, batched=(0,))
        for p in (0.3, 0.5)
    ),
    case("dropout", "all", F.dropout, [(2, 3)], lambda x, p: x * 0.0, {"p": 1.0}, batched=(0,)),
    case("multiply", "all-channels", F.dropout2d, [(1, 2, 2, 2)], lambda x, p: x * 0.0, {"p": 1.0}),
)  # fmt: skip
RECORDED_BACKWARD_OF = {"dropout_grad": "dropout"}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    def masked(oracle: Any) -> Any:
        """Multiply by the mask that the oracle draws: the generators differ."""
        return lambda x, **options: (
            x * torch.tensor(oracle(np.ones(x.shape), **options), dtype=x.dtype)
        )

    return {
        seeded_dropout: masked(oracles.dropout),
        seeded_dropout2d: masked(oracles.dropout2d),
        F.dropout: T.dropout,
        F.dropout2d: T.dropout2d,
    }
