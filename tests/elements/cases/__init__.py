"""Every function and element as rows of data, by families.

A family is a module with CASES, its rows; RECORDED_BACKWARD_OF, its elements that nobody calls;
in_torch, its functions and their twins in PyTorch; NOT_IN_TORCH, its elements with rows that have
no twin there. A new family is such a module and its name in FAMILIES.
"""

from . import (
    activated,
    activation,
    affine,
    arithmetic,
    conv,
    distances,
    dropout,
    loss,
    norm,
    pool,
    recompute,
    reduce,
    shape,
    softmax,
)
from .row import Case, Drawn, Twins, apart, case, labels, positive
from .shape import index, joined, stacked

__all__ = [
    "CASES",
    "FAMILIES",
    "NOT_IN_TORCH",
    "RECORDED_BACKWARD_OF",
    "Case",
    "Drawn",
    "apart",
    "case",
    "in_torch",
    "index",
    "joined",
    "labels",
    "positive",
    "stacked",
]

FAMILIES = (
    arithmetic,
    activation,
    reduce,
    softmax,
    shape,
    affine,
    conv,
    pool,
    distances,
    loss,
    recompute,
    norm,
    dropout,
    activated,
)

CASES: tuple[Case, ...] = tuple(case for family in FAMILIES for case in family.CASES)

# Elements that nobody calls: they are recorded when the rows of another element are walked
# backward, and judged by the second derivatives of those rows.
RECORDED_BACKWARD_OF: dict[str, str] = {
    gradient: element
    for family in FAMILIES
    for gradient, element in family.RECORDED_BACKWARD_OF.items()
}

# The first elements of rows whose function PyTorch does not have.
NOT_IN_TORCH: frozenset[str] = frozenset().union(*(family.NOT_IN_TORCH for family in FAMILIES))


def in_torch() -> Twins:
    """Return the functions of all families and their twins in PyTorch."""
    return {ours: theirs for family in FAMILIES for ours, theirs in family.in_torch().items()}
