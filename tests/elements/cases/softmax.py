"""Rows of the softmax and of its logarithm."""

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, case

CASES: tuple[Case, ...] = tuple(
    case(name, id, function, [shape], oracle, {"dim": dim}, batched=batched)
    for name, function, oracle in (
        ("softmax", F.softmax, oracles.softmax),
        ("log_softmax", F.log_softmax, oracles.log_softmax),
    )
    for id, shape, dim, batched in (
        ("rows", (2, 4), 1, (0,)),
        ("columns", (3, 2), 0, ()),
        ("vector", (4,), -1, ()),
        ("channels", (2, 3, 2, 2), 1, (0,)),
    )
)
RECORDED_BACKWARD_OF: dict[str, str] = {}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    import torch

    return {
        F.softmax: torch.softmax,
        F.log_softmax: torch.log_softmax,
    }
