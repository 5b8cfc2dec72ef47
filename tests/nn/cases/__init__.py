"""What every layer is tried on: a module of rows for each family."""

from . import activation, container, conv, dropout, linear, loss, norm, pool, rbf
from .case import Case

__all__ = ["CASES", "FAMILIES", "Case"]

FAMILIES = (linear, conv, pool, activation, loss, container, rbf, norm, dropout)
CASES = tuple(case for family in FAMILIES for case in family.CASES)
