"""Rows of the losses."""

from typing import Any

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Drawn, Twins, case, labels

LOSSES = [
    case(
        "cross_entropy", reduction, F.cross_entropy, (Drawn("normal", (3, 4)), labels(3, 4)),
        oracles.cross_entropy, {"reduction": reduction}, batched=(0, 1),
    )
    for reduction in ("mean", "sum", "none")
] + [
    case(
        name, f"{reduction}-{len(shape)}d", function, [shape, shape], oracle,
        {"reduction": reduction}, batched=(0, 1),
    )
    for name, function, oracle, reductions in (
        ("mse_loss", F.mse_loss, oracles.mse_loss, ("mean", "sum", "none")),
        ("squared_error", F.squared_error, oracles.squared_error, ("mean", "sum")),
    )
    for reduction in reductions
    for shape in ((3,), (2, 3), (2, 1, 2, 2))
]  # fmt: skip

CASES: tuple[Case, ...] = tuple(LOSSES)
RECORDED_BACKWARD_OF = {
    "cross_entropy_grad": "cross_entropy",
}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    from torch.nn import functional as T

    def half_squares(a: Any, y: Any, reduction: str) -> Any:
        total = 0.5 * T.mse_loss(a, y, reduction="sum")
        return total / len(a) if reduction == "mean" else total

    return {
        F.cross_entropy: T.cross_entropy,
        F.mse_loss: T.mse_loss,
        F.squared_error: half_squares,
    }
