"""Units that let no error signal pass, for any image of a batch.

The error signal of what goes into an activation is that of what comes out, times the slope there. A
rectifier's slope is 0 wherever its output is 0: a unit that is 0 for all images learns nothing from
this batch, and is called *dead*. A sigmoid or tanh that is near its ends for all images has next to
no slope, and is called *saturated*.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_SLOPE", "Idle", "idle_units"]

LEAST_SLOPE = 0.01  # share of an activation's largest slope, below which it counts as saturated

Array = npt.NDArray[Any]

# The slope at an output a, as a share of the largest: σ' = a (1 - a) is at most 1/4.
_SLOPES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda a: 4.0 * a * (1.0 - a),
    "hardsigmoid": lambda a: ((a > 0.0) & (a < 1.0)).astype(np.float64),
    "scaled_tanh": lambda a: 1.0 - (a / 1.7159) ** 2,
    "tanh": lambda a: 1.0 - a * a,
}


class Idle(NamedTuple):
    """A share of units, and in which way they are idle."""

    kind: str  # "dead" or "saturated"
    share: float


def idle_units(element: str, outputs: Array) -> Idle | None:
    """Return the share of units that pass on no error signal, for any image.

    Parameters
    ----------
    element : str
        Name of an element, such as ``relu``; also of one that ends in an activation, such as
        ``add_relu``.
    outputs : array, shape (N, ...)
        What came out of it, for N images.

    Returns
    -------
    Idle or None
        None of an element that is no such activation.

    Examples
    --------
    >>> idle_units("relu", np.array([[0.0, 0.0, 3.0], [0.0, 2.0, 0.0]]))
    Idle(kind='dead', share=0.3333333333333333)
    >>> idle_units("sigmoid", np.array([[0.5, 0.999], [0.999, 0.9999]])).share
    0.5
    """
    if outputs.ndim < 2 or outputs.size == 0:
        return None
    if element == "relu" or (element.endswith("_relu") and element != "leaky_relu"):
        return Idle("dead", float((outputs == 0).all(0).mean()))
    for name, slope in _SLOPES.items():
        if element == name or (element.endswith(f"_{name}") and element not in _SLOPES):
            steep = slope(outputs.astype(np.float64)) >= LEAST_SLOPE
            return Idle("saturated", float((~steep.any(0)).mean()))
    return None
