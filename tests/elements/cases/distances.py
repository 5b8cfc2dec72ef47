"""Rows of the squared distances."""

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, case

CASES: tuple[Case, ...] = tuple(
    case(
        "squared_distances", id, F.squared_distances, shapes, oracles.squared_distances,
        batched=(0,), multiply_adds=adds,
    )
    for id, shapes, adds in (
        ("codes", [(2, 3), (4, 3)], 24),
        ("one-code", [(3, 2), (1, 2)], 6),
        ("one-number", [(2, 1), (2, 1)], 4),
    )
)  # fmt: skip
RECORDED_BACKWARD_OF = {"squared_distances_grad": "squared_distances"}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    return {F.squared_distances: lambda x, weight: ((x[:, None] - weight) ** 2).sum(2)}
