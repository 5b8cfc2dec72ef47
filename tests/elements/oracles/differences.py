"""The derivative of any function, by differences."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .values import Array


def difference_quotient(
    function: Any, arrays: Sequence[Array], position: int, cotangent: Array, step: float = 1e-5
) -> Array:
    """Return ∂(Σ cotangent ∘ function)/∂arrays[position] by central differences."""
    slopes = np.empty_like(arrays[position])
    for k in np.ndindex(slopes.shape):
        moved = [array.copy() for array in arrays]
        moved[position][k] = arrays[position][k] + step
        high = np.array(function(*moved))
        moved[position][k] = arrays[position][k] - step
        slopes[k] = np.sum(cotangent * (high - function(*moved))) / (2 * step)
    return slopes
