"""What every operation means, said once more in float64 and in another way.

Nothing here is shared with the kernels. A family has a module with its table `ORACLES`, from
names of operations to functions of the arguments and the arrays to fill.
"""

from collections.abc import Callable
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

__all__ = ["FAMILIES", "ORACLES", "expected", "nan_reach"]

FAMILIES = (
    conv, pool, affine, softmax, loss, distances, optimiser, elementwise, norm, copies, images
)  # fmt: skip
ORACLES: dict[str, Callable[..., Any]] = {
    operation: oracle for family in FAMILIES for operation, oracle in family.ORACLES.items()
}
# Operations whose integers are numbers to compute with; elsewhere they are indices.
COMPUTE_WITH_INTEGERS = {*elementwise.ORACLES}
# (operation, position of the argument) -> what its NaNs reach, where that depends on the
# variant: a function of the variant, the marked NaNs, the arguments and the array to fill.
NAN_REACH: dict[tuple[str, int], Callable[..., np.ndarray]] = {**conv.NAN_REACH}


def expected(operation: str, arguments: Any, outputs: Any) -> tuple[np.ndarray, ...]:
    """Return what `outputs` should hold; for updates in place they hold the values before."""
    numbers = "fiub" if operation in COMPUTE_WITH_INTEGERS else "f"
    exact = [
        a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind in numbers else a
        for a in arguments
    ]
    before = [o.astype(np.float64) if o.dtype.kind == "f" else o for o in outputs]
    with np.errstate(all="ignore"):
        result = ORACLES[operation](*exact, *before)
    return result if isinstance(result, tuple) else (result,)


def nan_reach(
    operation: str, variant: str, position: int, arguments: Any, outputs: Any
) -> tuple[np.ndarray, ...]:
    """Return which values become NaN by those that an argument holds.

    0 · NaN is NaN, so a kernel that multiplies padding makes more of them than one that
    leaves padding out.
    """
    if (operation, position) in NAN_REACH:
        marks = np.isnan(arguments[position]).astype(np.float64)
        return (NAN_REACH[operation, position](variant, marks, arguments, outputs[0]),)
    wanted = expected(operation, arguments, outputs)
    return tuple(np.isnan(w) if w.dtype.kind == "f" else np.zeros(w.shape, bool) for w in wanted)
