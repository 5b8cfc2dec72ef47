"""Rows of the products: matrices, and the affine map."""

import numpy as np

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, case

PRODUCTS = (
    [
        case("matmul", id, F.matmul, [a, b], np.matmul, multiply_adds=adds)
        for id, a, b, adds in (
            ("matrices", (2, 3), (3, 4), 24),
            ("stacks", (2, 2, 3), (2, 3, 1), 12),
            ("one-for-all", (2, 2, 3), (3, 2), 24),
            ("broadcast-stacks", (2, 1, 1, 2), (3, 2, 2), 24),
            ("vectors", (3,), (3,), 3),
            ("matrix-vector", (2, 3), (3,), 6),
            ("vector-matrix", (3,), (3, 2), 6),
        )
    ]
    + [
        case("affine", id, F.affine, shapes, oracles.affine, batched=(0,), multiply_adds=adds)
        for id, shapes, adds in (
            ("batch", [(2, 3), (4, 3), (4,)], 24),
            ("no-bias", [(2, 3), (4, 3)], 24),
            ("sequence", [(2, 2, 3), (2, 3), (2,)], 24),
            ("one-output", [(3, 2), (1, 2), (1,)], 6),
        )
    ]
    + [case("affine", "vector", F.linear, [(3,), (2, 3), (2,)], oracles.affine, multiply_adds=6)]
)

CASES: tuple[Case, ...] = tuple(PRODUCTS)
RECORDED_BACKWARD_OF = {
    "affine_grad_input": "affine",
    "affine_grad_weight": "affine",
}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    return {
        F.affine: T.linear,
        F.matmul: torch.matmul,
    }
