"""Rows of the elements that rectify what they compute."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_cnn import functional as F

from .. import oracles
from .norm import affine_batch_norm, affine_oracle, scaled_batch_norm, scaled_oracle
from .row import BROADCASTS, Case, Twins, case


def rectified(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what the function computes with the activation "relu"."""
    return lambda *values, **options: function(*values, **options, activation="relu")


def positive_part(oracle: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values, **options: oracles.relu(oracle(*values, **options))


conv2d, affine = rectified(F.conv2d), rectified(F.affine)
batch_norm, scaled, both = map(rectified, (F.batch_norm, scaled_batch_norm, affine_batch_norm))
BATCH = {"running_mean": None, "running_var": None, "training": True}
RUNNING = {"running_mean": np.array([0.25, -0.5]), "running_var": np.array([0.5, 2.0])}

CASES: tuple[Case, ...] = (
    *(
        case(
            "conv2d_relu relu_grad channel_sum" if bias else "conv2d_relu relu_grad", id, conv2d,
            [x, weight, bias] if bias else [x, weight], positive_part(oracles.conv2d), options,
            batched=(0,), multiply_adds=adds,
        )
        for id, x, weight, bias, options, adds in (
            ("biased", (1, 2, 3, 3), (2, 2, 2, 2), (2,), {}, 64),
            ("plain", (2, 1, 3, 3), (1, 1, 2, 2), None, {"padding": 1}, 128),
            ("stride", (2, 3, 4, 4), (2, 3, 3, 3), (2,), {"stride": 2, "padding": 1}, 432),
            ("groups", (1, 4, 2, 2), (4, 2, 1, 1), (4,), {"groups": 2}, 32),
            ("depthwise", (1, 2, 3, 3), (2, 1, 2, 2), (2,), {"groups": 2}, 32),
            ("flipped", (1, 1, 3, 3), (1, 1, 2, 2), (1,), {"flip": True}, 16),
        )
    ),
    *(
        case(
            "affine_relu relu_grad", id, affine, shapes, positive_part(oracles.affine),
            batched=(0,), multiply_adds=adds,
        )
        for id, shapes, adds in (
            ("batch", [(2, 3), (4, 3), (4,)], 24),
            ("no-bias", [(2, 3), (4, 3)], 24),
            ("sequence", [(2, 2, 3), (2, 3), (2,)], 24),
        )
    ),
    *(
        case("batch_norm_relu", id, function, inputs, positive_part(oracle), BATCH)
        for id, function, inputs, oracle in (
            ("plain", batch_norm, [(2, 3, 2, 2)], oracles.batch_norm),
            ("scaled", scaled, [(6, 3), (3,)], scaled_oracle),
            ("vectors", both, [(6, 3), (3,), (3,)], affine_oracle),
            ("sequences", both, [(2, 3, 4), (3,), (3,)], affine_oracle),
            ("images", both, [(2, 3, 3, 2), (3,), (3,)], affine_oracle),
        )
    ),
    case(
        "batch_norm_inference relu", "rectified", both, [(3, 2, 2, 1), (2,), (2,)],
        positive_part(affine_oracle), RUNNING, batched=(0,),
    ),
    *(
        case("add_relu", id, F.add_relu, inputs, positive_part(lambda x, y: x + y))
        for id, inputs in BROADCASTS.items()
    ),
)  # fmt: skip
RECORDED_BACKWARD_OF = {"batch_norm_relu_grad": "batch_norm_relu"}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    from . import conv, norm

    normed = norm.in_torch()
    ours: Twins = {
        conv2d: conv.in_torch()[F.conv2d],
        affine: T.linear,
        batch_norm: normed[F.batch_norm],
        scaled: normed[scaled_batch_norm],
        both: normed[affine_batch_norm],
        F.add_relu: torch.add,
    }
    return {
        function: lambda *values, twin=twin, **options: torch.relu(twin(*values, **options))
        for function, twin in ours.items()
    }
