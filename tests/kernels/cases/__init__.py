"""What every kernel is tried on: rows of shapes, and the arrays made of them.

A kernel that is registered under a new operation fails the suite until rows for it stand in
the module of its family; a new variant of a known operation needs none. A family draws from a
generator of its own, so that new rows change the numbers of no other family.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from . import (
    affine,
    conv,
    copies,
    distances,
    elementwise,
    images,
    loss,
    norm,
    optimiser,
    pool,
    softmax,
)
from .case import Case
from .elementwise import BINARY, UNARY

__all__ = ["BINARY", "FAMILIES", "UNARY", "Case", "all_cases"]

FAMILIES = (
    conv, pool, affine, softmax, loss, distances, optimiser, elementwise, norm, copies, images
)  # fmt: skip
SEED = 20240607


def all_cases(dtype: Any) -> tuple[Case, ...]:
    return tuple(case for family in FAMILIES for case in _cases(family, dtype))


def _cases(family: ModuleType, dtype: Any) -> Iterator[Case]:
    name = family.__name__.split(".")[-1]
    rng = np.random.default_rng((SEED, *name.encode()))

    def values(*shape: int) -> np.ndarray:
        return np.asarray(rng.standard_normal(shape), dtype)

    return family.cases(values, rng, dtype)
