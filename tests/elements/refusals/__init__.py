"""Every message of the elements, the variables and the graph, by families.

A new family is a module with REFUSALS, its rows, and its name in FAMILIES.
"""

from . import (
    activated,
    activation,
    affine,
    arithmetic,
    conv,
    distances,
    dropout,
    graph,
    loss,
    norm,
    pool,
    recompute,
    reduce,
    shape,
    shapes_alone,
    softmax,
    variables,
)
from .row import Refusal

__all__ = ["FAMILIES", "REFUSALS", "Refusal"]

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
    graph,
    variables,
    shapes_alone,
    activated,
)

REFUSALS: tuple[Refusal, ...] = tuple(row for family in FAMILIES for row in family.REFUSALS)
