"""Kinds of arguments of the oracles."""

from typing import Any

Array = Any  # float64 throughout
Pair = int | tuple[int, int]
