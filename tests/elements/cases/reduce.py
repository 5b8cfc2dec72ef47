"""Rows of the reductions: over all axes, over one, over several."""

from collections.abc import Callable
from typing import Any

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, apart, case

CASES: tuple[Case, ...] = (
    tuple(
        case(name, id, function, (apart(*shape),), oracle, options)
        for name, function, oracle in (
            ("sum", F.sum, oracles.sum),
            ("mean", F.mean, oracles.mean),
            ("max", F.max, oracles.max),
            ("min", F.min, oracles.min),
        )
        for id, shape, options in (
            ("all", (2, 3), {}),
            ("rows", (2, 3), {"dim": 0}),
            ("last", (2, 3, 2), {"dim": -1}),
            ("middle-kept", (2, 3, 2), {"dim": 1, "keepdim": True}),
            ("two-axes", (2, 3, 2), {"dim": (0, 2)}),
            ("pixels", (2, 3, 2, 2), {"dim": (2, 3), "keepdim": True}),
            ("number", (), {}),
        )
    )
    + tuple(
        case(elements, f"{name}-{id}", function, [shape], oracle, options)
        for elements, name, function, oracle in (
            ("divide", "var", F.var, oracles.var),
            ("sqrt", "std", F.std, oracles.std),
        )
        for id, shape, options in (
            ("all", (2, 3), {}),
            ("rows", (3, 2), {"dim": 0, "unbiased": False}),
            ("pixels", (2, 3, 2, 2), {"dim": (2, 3), "keepdim": True}),
            ("correction", (4,), {"dim": -1, "correction": 2}),
        )
    )
    + tuple(
        case(
            name if ties == "last" else f"{name}_shared",
            f"{id}-{ties}",
            function,
            (apart(*shape),),
            oracle,
            {"ties": ties, **options},
        )
        for name, function, oracle in (("max", F.max, oracles.max), ("min", F.min, oracles.min))
        for ties in ("last", "split", "all")
        for id, shape, options in (
            ("all", (2, 3), {}),
            ("middle-kept", (2, 3, 2), {"dim": 1, "keepdim": True}),
            ("two-axes", (2, 3, 2), {"dim": (0, 2)}),
            ("number", (), {}),
        )
    )
)
RECORDED_BACKWARD_OF = {
    "max_gather": "max",
    "max_grad": "max",
}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    import torch

    def axes(function: Callable[..., Any]) -> Callable[..., Any]:
        def reduced(x: Any, dim: Any = None, keepdim: bool = False, ties: str = "") -> Any:
            return function(x, dim=tuple(range(x.ndim)) if dim is None else dim, keepdim=keepdim)

        return reduced

    def spread(function: Callable[..., Any]) -> Callable[..., Any]:
        def reduced(
            x: Any,
            dim: Any = None,
            unbiased: bool = True,
            keepdim: bool = False,
            correction: int | None = None,
        ) -> Any:
            taken = int(unbiased) if correction is None else correction
            return function(x, dim, correction=taken, keepdim=keepdim)

        return reduced

    return {
        F.var: spread(torch.var),
        F.std: spread(torch.std),
        F.sum: axes(torch.sum),
        F.mean: axes(torch.mean),
        F.max: axes(torch.amax),
        F.min: axes(torch.amin),
    }
