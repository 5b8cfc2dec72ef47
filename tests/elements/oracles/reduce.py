"""What the reductions compute."""

from typing import Any

import numpy as np

from .values import Array


def sum(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    return np.sum(x, axis=dim, keepdims=keepdim)


def mean(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    return np.mean(x, axis=dim, keepdims=keepdim)


def max(x: Array, dim: Any = None, keepdim: bool = False, ties: str = "") -> Array:
    return np.max(x, axis=dim, keepdims=keepdim)


def min(x: Array, dim: Any = None, keepdim: bool = False, ties: str = "") -> Array:
    return np.min(x, axis=dim, keepdims=keepdim)


def var(
    x: Array, dim: Any = None, unbiased: bool = True, keepdim: bool = False, correction: Any = None
) -> Array:
    taken = int(unbiased) if correction is None else correction
    return np.var(x, axis=dim, ddof=taken, keepdims=keepdim)


def std(x: Array, *options: Any, **named: Any) -> Array:
    return np.sqrt(var(x, *options, **named))
