"""Rows of the losses, over reductions and options."""

from itertools import product
from typing import Any

import numpy as np

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Drawn, Twins, apart, case, labels, signs

REDUCTIONS = ("mean", "sum", "none")
WEIGHTS = (0.5, 2.0, 1.25, 0.75)  # of classes
PART_OF_EACH = ((1.0,), (0.5,), (2.0,))  # of examples
IMAGES, MAPS = (2, 3, 2, 2), Drawn("labels", (2, 2, 2), 3)


# Weights are constants, of the type of the scores whatever that is.


def weighted_cross_entropy(x: Any, truth: Any, weight: Any, **options: Any) -> Any:
    return F.cross_entropy(x, truth, np.array(weight, x.dtype), **options)


def weighted_nll_loss(x: Any, truth: Any, weight: Any, **options: Any) -> Any:
    return F.nll_loss(x, truth, np.array(weight, x.dtype), **options)


def weighted_binary_cross_entropy(x: Any, y: Any, **options: Any) -> Any:
    for name in ("weight", "pos_weight"):
        if name in options:
            options[name] = np.array(options[name], x.dtype)
    return F.binary_cross_entropy_with_logits(x, y, **options)


def _named(options: dict[str, Any]) -> str:
    return "-".join(
        f"{value}" if name == "reduction" else f"{name}" if name.endswith("weight")
        else f"{name}={value}" for name, value in options.items()
    )  # fmt: skip


CLASSES = [
    case(
        "cross_entropy", _named(options | {"reduction": reduction}),
        weighted_cross_entropy if "weight" in options else F.cross_entropy,
        (Drawn("normal", (3, 4)), labels(3, 4)), oracles.cross_entropy,
        options | {"reduction": reduction}, batched=(0, 1),
    )
    for options, reduction in product(
        (
            {},
            {"weight": WEIGHTS},
            {"ignore_index": 2},
            {"label_smoothing": 0.1},
            {"label_smoothing": 1.0},
            {"weight": WEIGHTS, "ignore_index": 2},
            {"weight": WEIGHTS, "label_smoothing": 0.2},
            {"weight": WEIGHTS, "ignore_index": 2, "label_smoothing": 0.3},
        ),
        REDUCTIONS,
    )
] + [
    case(
        "nll_loss", _named(options | {"reduction": reduction}),
        weighted_nll_loss if "weight" in options else F.nll_loss,
        (Drawn("normal", (3, 4)), labels(3, 4)), oracles.nll_loss,
        options | {"reduction": reduction}, batched=(0, 1),
    )
    for options, reduction in product(
        ({}, {"weight": WEIGHTS}, {"ignore_index": 2}, {"weight": WEIGHTS, "ignore_index": 2}),
        REDUCTIONS,
    )
]  # fmt: skip

MAPS_OF_CLASSES = [
    case(
        name, f"maps-{_named(options)}", function, (Drawn("normal", IMAGES), MAPS), oracle,
        options, batched=(0, 1),
    )
    for name, function, oracle, options in (
        ("cross_entropy", F.cross_entropy, oracles.cross_entropy, {"reduction": "mean"}),
        ("cross_entropy", F.cross_entropy, oracles.cross_entropy,
         {"reduction": "none", "label_smoothing": 0.25}),
        ("cross_entropy", weighted_cross_entropy, oracles.cross_entropy,
         {"reduction": "mean", "weight": WEIGHTS[:3], "ignore_index": 1}),
        ("nll_loss", F.nll_loss, oracles.nll_loss, {"reduction": "none"}),
        ("nll_loss", weighted_nll_loss, oracles.nll_loss,
         {"reduction": "mean", "weight": WEIGHTS[:3], "ignore_index": 1}),
    )
]  # fmt: skip

BINARY = [
    case(
        "binary_cross_entropy_with_logits", _named(options | {"reduction": reduction}),
        weighted_binary_cross_entropy if options else F.binary_cross_entropy_with_logits,
        [shape, Drawn("positive", shape)], oracles.binary_cross_entropy_with_logits,
        options | {"reduction": reduction}, batched=() if "weight" in options else (0, 1),
    )
    for options, shape, reduction in product(
        (
            {},
            {"pos_weight": WEIGHTS},
            {"weight": PART_OF_EACH},
            {"weight": 2.0, "pos_weight": WEIGHTS},
        ),
        ((3, 4),),
        REDUCTIONS,
    )
]  # fmt: skip

MARGINS = [
    case(
        name, _named(options | {"reduction": reduction}), function, inputs, oracle,
        options | {"reduction": reduction}, batched=(0, 1),
    )
    for name, function, inputs, oracle, several in (
        ("hinge_loss", F.hinge_loss, (apart(3, 4), signs(3, 4)), oracles.hinge_loss,
         ({}, {"margin": 0.0}, {"margin": 0.5})),
        ("multi_margin_loss", F.multi_margin_loss, (apart(3, 4), labels(3, 4)),
         oracles.multi_margin_loss, ({}, {"margin": 0.25})),
        ("rbf_loss", F.rbf_loss, (Drawn("normal", (3, 4)), labels(3, 4)), oracles.rbf_loss,
         ({}, {"j": 2.0}, {"j": -1.0})),
    )
    for options in several
    for reduction in REDUCTIONS
]  # fmt: skip

NUMBERS = [
    case(
        name, f"{reduction}-{len(shape)}d", function, [shape, shape], oracle,
        {"reduction": reduction}, batched=(0, 1),
    )
    for name, function, oracle, reductions in (
        ("mse_loss", F.mse_loss, oracles.mse_loss, REDUCTIONS),
        ("l1_loss", F.l1_loss, oracles.l1_loss, REDUCTIONS),
        ("squared_error", F.squared_error, oracles.squared_error, ("mean", "sum")),
    )
    for reduction in reductions
    for shape in ((3,), (2, 3), (2, 1, 2, 2))
]  # fmt: skip

CASES: tuple[Case, ...] = (*CLASSES, *MAPS_OF_CLASSES, *BINARY, *MARGINS, *NUMBERS)
RECORDED_BACKWARD_OF = {
    "binary_cross_entropy_with_logits_grad": "binary_cross_entropy_with_logits",
    "cross_entropy_grad": "cross_entropy",
    "multi_margin_loss_grad": "multi_margin_loss",
    "nll_loss_grad": "nll_loss",
}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    def weighted(function: Any) -> Any:
        def called(x: Any, truth: Any, **options: Any) -> Any:
            for name in ("weight", "pos_weight"):
                if name in options:
                    options[name] = torch.tensor(options[name], dtype=x.dtype)
            return function(x, truth, **options)

        return called

    def reduced(losses: Any, reduction: str) -> Any:
        return {"mean": losses.mean, "sum": losses.sum, "none": losses.clone}[reduction]()

    def half_squares(a: Any, y: Any, reduction: str) -> Any:
        total = 0.5 * T.mse_loss(a, y, reduction="sum")
        return total / len(a) if reduction == "mean" else total

    def hinge(s: Any, t: Any, reduction: str, margin: float = 1.0) -> Any:
        return reduced(torch.relu(margin - t * s), reduction)

    def with_rubbish(s: Any, truth: Any, reduction: str, j: float = 0.1) -> Any:
        column = torch.full((len(s), 1), -j, dtype=s.dtype)
        return T.cross_entropy(torch.cat([s, column], 1), truth, reduction=reduction)

    return {
        F.cross_entropy: T.cross_entropy,
        weighted_cross_entropy: weighted(T.cross_entropy),
        F.nll_loss: T.nll_loss,
        weighted_nll_loss: weighted(T.nll_loss),
        F.binary_cross_entropy_with_logits: T.binary_cross_entropy_with_logits,
        weighted_binary_cross_entropy: weighted(T.binary_cross_entropy_with_logits),
        F.hinge_loss: hinge,
        F.multi_margin_loss: T.multi_margin_loss,
        F.rbf_loss: with_rubbish,
        F.mse_loss: T.mse_loss,
        F.l1_loss: T.l1_loss,
        F.squared_error: half_squares,
    }
