"""Rows of the elements that apply an activation to what they compute."""

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


def squashed(function: Callable[..., Any], activation: str) -> Callable[..., Any]:
    """Return what the function computes with one of the activations that squash."""
    return lambda *values, **options: function(*values, **options, activation=activation)


def behind(
    oracle: Callable[..., Any], activation: Callable[..., Any] = oracles.relu
) -> Callable[..., Any]:
    """Return the oracle with that of an activation behind it."""
    return lambda *values, **options: activation(oracle(*values, **options))


SQUASHES = {"sigmoid": oracles.sigmoid, "tanh": oracles.tanh}
CONVS = {name: squashed(F.conv2d, name) for name in SQUASHES}
AFFINES = {name: squashed(F.affine, name) for name in SQUASHES}
conv2d, affine = rectified(F.conv2d), rectified(F.affine)
batch_norm, scaled, both = map(rectified, (F.batch_norm, scaled_batch_norm, affine_batch_norm))
BATCH = {"running_mean": None, "running_var": None, "training": True}
RUNNING = {"running_mean": np.array([0.25, -0.5]), "running_var": np.array([0.5, 2.0])}

CASES: tuple[Case, ...] = (
    *(
        case(
            "conv2d_relu relu_grad channel_sum" if bias else "conv2d_relu relu_grad", id, conv2d,
            [x, weight, bias] if bias else [x, weight], behind(oracles.conv2d), options,
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
            "affine_relu relu_grad", id, affine, shapes, behind(oracles.affine),
            batched=(0,), multiply_adds=adds,
        )
        for id, shapes, adds in (
            ("batch", [(2, 3), (4, 3), (4,)], 24),
            ("no-bias", [(2, 3), (4, 3)], 24),
            ("sequence", [(2, 2, 3), (2, 3), (2,)], 24),
        )
    ),
    *(
        case(
            f"conv2d_{name} {name}_grad channel_sum", id, CONVS[name], [x, weight, (2,)],
            behind(oracles.conv2d, squash), options, batched=(0,), multiply_adds=adds,
        )
        for name, squash in SQUASHES.items()
        for id, x, weight, options, adds in (
            ("biased", (1, 2, 3, 3), (2, 2, 2, 2), {}, 64),
            ("stride", (2, 3, 4, 4), (2, 3, 3, 3), {"stride": 2, "padding": 1}, 432),
            ("flipped", (1, 1, 3, 3), (2, 1, 2, 2), {"flip": True}, 32),
        )
    ),
    *(
        case(
            f"affine_{name} {name}_grad", id, AFFINES[name], shapes,
            behind(oracles.affine, squash), batched=(0,), multiply_adds=adds,
        )
        for name, squash in SQUASHES.items()
        for id, shapes, adds in (
            ("batch", [(2, 3), (4, 3), (4,)], 24),
            ("no-bias", [(2, 3), (4, 3)], 24),
            ("sequence", [(2, 2, 3), (2, 3), (2,)], 24),
        )
    ),
    *(
        case("batch_norm_relu", id, function, inputs, behind(oracle), BATCH)
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
        behind(affine_oracle), RUNNING, batched=(0,),
    ),
    *(
        case("add_relu", id, F.add_relu, inputs, behind(lambda x, y: x + y))
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
    conv_twin = conv.in_torch()[F.conv2d]
    squashed = {
        ours: behind(twin, getattr(torch, name))
        for kinds, twin in ((CONVS, conv_twin), (AFFINES, T.linear))
        for name, ours in kinds.items()
    }
    return squashed | {function: behind(twin, torch.relu) for function, twin in ours.items()}
