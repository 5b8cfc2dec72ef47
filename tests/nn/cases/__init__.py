"""What every layer is tried on: a module of rows for each family."""

from . import activation, container, conv, linear, loss, pool
from .case import Case

__all__ = ["CASES", "FAMILIES", "Case"]

FAMILIES = (linear, conv, pool, activation, loss, container)
CASES = tuple(case for family in FAMILIES for case in family.CASES)
