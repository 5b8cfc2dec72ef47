"""Rows of functions that are computed again on the way back."""

from typing import Any

import tinygrad_cnn as tg

from .. import oracles
from .row import Case, Twins, case


def again(*values: Any) -> Any:
    """Run a small composite function as a checkpoint."""
    return tg.checkpoint(lambda x, w, b: (x @ w + b).tanh() * x.sum(), *values)


def again_and_again(*values: Any) -> Any:
    """Run it as a checkpoint within a checkpoint."""
    return tg.checkpoint(lambda x, w, b: again(x, w * w, b), *values)


def without_checkpoint(x: Any, w: Any, b: Any) -> Any:
    return oracles.tanh(x @ w + b) * x.sum()


CASES: tuple[Case, ...] = (
    case("checkpoint", "once", again, [(2, 3), (3, 2), (2,)], without_checkpoint),
    case(
        "checkpoint", "nested", again_and_again, [(2, 3), (3, 2), (2,)],
        lambda x, w, b: without_checkpoint(x, w * w, b),
    ),
)  # fmt: skip
RECORDED_BACKWARD_OF: dict[str, str] = {"identity": "checkpoint"}
NOT_IN_TORCH: frozenset[str] = frozenset({"checkpoint"})  # there it is no element


def in_torch() -> Twins:
    return {}
