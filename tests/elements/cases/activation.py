"""Rows of the activations."""

from tinygrad_cnn import functional as F

from .. import oracles
from .row import POINTWISE, Case, Twins, apart, case

CASES: tuple[Case, ...] = tuple(
    case(name, id, function, (make(*shape),), oracle, batched=(0,) if shape else ())
    for name, function, make, oracle in (
        ("sigmoid", F.sigmoid, apart, oracles.sigmoid),
        ("tanh", F.tanh, apart, oracles.tanh),
        ("scaled_tanh", F.scaled_tanh, apart, oracles.scaled_tanh),
        ("relu", F.relu, apart, oracles.relu),
    )
    for id, shape in POINTWISE
)
RECORDED_BACKWARD_OF = {
    "relu_grad": "relu",
    "scaled_tanh_grad": "scaled_tanh",
    "sigmoid_grad": "sigmoid",
    "tanh_grad": "tanh",
}
NOT_IN_TORCH = frozenset({"scaled_tanh"})


def in_torch() -> Twins:
    import torch

    return {
        F.sigmoid: torch.sigmoid,
        F.tanh: torch.tanh,
        F.relu: torch.relu,
    }
