"""Rows of the normalisations."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, case

RUNNING = {
    "running_mean": np.array([0.25, -0.5, 1.0]),
    "running_var": np.array([0.5, 2.0, 1.25]),
}
BATCH: dict[str, Any] = {"running_mean": None, "running_var": None, "training": True}


def affine_batch_norm(x: Any, weight: Any, bias: Any, **options: Any) -> Any:
    return F.batch_norm(x, weight=weight, bias=bias, **options)


def scaled_batch_norm(x: Any, weight: Any, **options: Any) -> Any:
    return F.batch_norm(x, weight=weight, **options)


def shifted_batch_norm(x: Any, bias: Any, **options: Any) -> Any:
    return F.batch_norm(x, bias=bias, **options)


def affine_oracle(x: Any, weight: Any, bias: Any, **options: Any) -> Any:
    return oracles.batch_norm(x, weight=weight, bias=bias, **options)


def scaled_oracle(x: Any, weight: Any, **options: Any) -> Any:
    return oracles.batch_norm(x, weight=weight, **options)


def shifted_oracle(x: Any, bias: Any, **options: Any) -> Any:
    return oracles.batch_norm(x, bias=bias, **options)


FORMS: tuple[tuple[str, Any, Any, int], ...] = (
    ("plain", F.batch_norm, oracles.batch_norm, 0),
    ("affine", affine_batch_norm, affine_oracle, 2),
    ("scaled", scaled_batch_norm, scaled_oracle, 1),
    ("shifted", shifted_batch_norm, shifted_oracle, 1),
)
SHAPES = {
    "vectors": (6, 3),
    "sequences": (2, 3, 4),
    "images": (2, 3, 3, 2),
}

CASES: tuple[Case, ...] = (
    *(
        case(
            name, f"{form}-{shape}{id}", function, (sizes, *[(3,)] * vectors), oracle,
            {**options, **more}, batched=batched,
        )
        for name, options, batched in (
            ("batch_norm", BATCH, ()),
            ("batch_norm_inference", RUNNING, (0,)),
        )
        for form, function, oracle, vectors in FORMS
        for shape, sizes in SHAPES.items()
        for id, more in (("", {}), ("-eps", {"eps": 0.5}))
        if not more or form == "affine"
    ),
    case(
        "batch_norm", "one-pixel-images", F.batch_norm, [(5, 2, 1, 1)], oracles.batch_norm, BATCH
    ),
    case("batch_norm", "one-image", F.batch_norm, [(1, 1, 3, 3)], oracles.batch_norm, BATCH),
    *(
        case(
            "local_response_norm", f"{size}-{id}", F.local_response_norm, [shape],
            oracles.local_response_norm, {"size": size, **options}, batched=(0,),
        )
        for id, shape, options in (
            ("images", (2, 5, 2, 1), {"alpha": 0.5, "k": 2.0}),
            ("power", (1, 4, 1, 2), {"alpha": 0.5, "beta": 1.25}),
            ("usual", (1, 3, 2, 2), {}),
            ("sequences", (2, 3, 2), {"alpha": 1.0, "beta": 0.5}),
            ("volumes", (1, 3, 1, 2, 2), {"alpha": 1.0}),
        )
        for size in (1, 2, 3, 4, 5)
    ),
)  # fmt: skip
RECORDED_BACKWARD_OF = {
    "batch_norm_grad": "batch_norm",
    "batch_norm_grad_affine": "batch_norm_inference",
    "local_response_norm_grad": "local_response_norm",
}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    def batch_norm(
        x: Any, running_mean: Any = None, running_var: Any = None, **options: Any
    ) -> Any:
        running = [
            each if each is None else torch.tensor(each, dtype=x.dtype)
            for each in (running_mean, running_var)
        ]
        return T.batch_norm(x, *running, **options)

    return {
        F.batch_norm: batch_norm,
        affine_batch_norm: lambda x, w, b, **options: batch_norm(x, weight=w, bias=b, **options),
        scaled_batch_norm: lambda x, w, **options: batch_norm(x, weight=w, **options),
        shifted_batch_norm: lambda x, b, **options: batch_norm(x, bias=b, **options),
        F.local_response_norm: T.local_response_norm,
    }
