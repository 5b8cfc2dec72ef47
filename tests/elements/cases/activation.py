"""Rows of the activations, over their options."""

from typing import Any

from tinygrad_cnn import functional as F

from .. import oracles
from .row import POINTWISE, Case, Twins, apart, case

PLAIN = (
    ("sigmoid", F.sigmoid, oracles.sigmoid),
    ("tanh", F.tanh, oracles.tanh),
    ("scaled_tanh", F.scaled_tanh, oracles.scaled_tanh),
    ("relu", F.relu, oracles.relu),
    ("leaky_relu", F.leaky_relu, oracles.leaky_relu),
    ("elu", F.elu, oracles.elu),
    ("softplus", F.softplus, oracles.softplus),
    ("hardsigmoid", F.hardsigmoid, oracles.hardsigmoid),
)
# The 24 values of the images lie between -1.2 and 1.2, on both sides of every kink.
IMAGES = (2, 3, 2, 2)
WITH_OPTIONS: tuple[tuple[str, str, Any, Any, dict[str, float]], ...] = (
    ("relu", "half-at-zero", F.relu, oracles.relu, {"at_zero": 0.5}),
    ("relu", "one-at-zero", F.relu, oracles.relu, {"at_zero": 1.0}),
    ("leaky_relu", "quarter", F.leaky_relu, oracles.leaky_relu, {"negative_slope": 0.25}),
    ("leaky_relu", "folded", F.leaky_relu, oracles.leaky_relu, {"negative_slope": -1.0}),
    ("leaky_relu", "no-leak", F.leaky_relu, oracles.leaky_relu, {"negative_slope": 0.0}),
    ("elu", "kink", F.elu, oracles.elu, {"alpha": 0.3}),
    ("softplus", "sharp", F.softplus, oracles.softplus, {"beta": 4.0}),
    ("softplus", "low-threshold", F.softplus, oracles.softplus, {"threshold": 0.5}),
    ("softplus", "both", F.softplus, oracles.softplus, {"beta": 0.5, "threshold": -0.25}),
    ("hardsigmoid", "older", F.hardsigmoid, oracles.hardsigmoid, {"slope": 0.2}),
    ("hardsigmoid", "steep", F.hardsigmoid, oracles.hardsigmoid, {"slope": 0.5}),
)

BOUNDS = {
    "both": {"min": -0.5, "max": 0.7},
    "below": {"min": 0.1},
    "above": {"max": 0.0},
    "one-value": {"min": 0.25, "max": 0.25},
}

CASES: tuple[Case, ...] = tuple(
    case(name, id, function, (apart(*shape),), oracle, batched=(0,) if shape else ())
    for name, function, oracle in PLAIN
    for id, shape in POINTWISE
) + tuple(
    case(name, id, function, (apart(*IMAGES),), oracle, options, batched=(0,))
    for name, id, function, oracle, options in WITH_OPTIONS
) + tuple(
    case("clamp", f"{id}-{len(shape)}", F.clamp, (apart(*shape),), oracles.clamp, options,
         batched=(0,) if shape else ())
    for id, options in BOUNDS.items()
    for _, shape in POINTWISE
)  # fmt: skip
RECORDED_BACKWARD_OF = {
    "elu_grad": "elu",
    "hardsigmoid_grad": "hardsigmoid",
    "leaky_relu_grad": "leaky_relu",
    "relu_grad": "relu",
    "relu_grad_at_zero": "relu",
    "scaled_tanh_grad": "scaled_tanh",
    "sigmoid_grad": "sigmoid",
    "softplus_grad": "softplus",
    "tanh_grad": "tanh",
}
NOT_IN_TORCH = frozenset({"scaled_tanh"})


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    def hardsigmoid(z: Any, slope: float = 1 / 6) -> Any:
        # T.hardsigmoid rounds the slope to float32, also for float64.
        return T.relu6(z + 3) / 6 if slope == 1 / 6 else T.hardtanh(slope * z + 0.5, 0.0, 1.0)

    return {
        F.sigmoid: torch.sigmoid,
        F.clamp: torch.clamp,
        F.tanh: torch.tanh,
        F.relu: lambda z, at_zero=0.0: torch.relu(z),
        F.leaky_relu: T.leaky_relu,
        F.elu: T.elu,
        F.softplus: T.softplus,
        F.hardsigmoid: hardsigmoid,
    }
