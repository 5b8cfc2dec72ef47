"""Normalisation, and what weighs channels."""

from collections.abc import Callable
from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import IMAGES, ROWS, Case


def normalised(layer: Any, x: Any, momentum: float = 0.1, eps: float = 1e-5) -> Any:
    """Call the function with what the layer holds."""
    running = (layer.running_mean, layer.running_var)
    training = layer.training or layer.running_mean is None
    return F.batch_norm(x, *running, layer.weight, layer.bias, training, momentum, eps)


def row(
    make: Callable[[], nn.Module], shape: tuple[int, ...], printed: str, **options: Any
) -> Case:
    differ = options.pop("modes_differ", True)
    return Case(make, (shape,), lambda layer, x: normalised(layer, x, **options), printed, differ)


def excited(layer: Any, x: Any) -> Any:
    means = x.mean((2, 3))
    hidden = F.relu(F.linear(means, layer.fc1.weight.flatten(1), layer.fc1.bias))
    gates = F.sigmoid(F.linear(hidden, layer.fc2.weight.flatten(1), layer.fc2.bias))
    return x * gates.reshape(2, 3, 1, 1)


CASES = (
    row(lambda: nn.BatchNorm2d(3), IMAGES, "BatchNorm2d(3)"),
    row(lambda: nn.BatchNorm1d(3), ROWS, "BatchNorm1d(3)"),
    row(lambda: nn.BatchNorm1d(3), (4, 3, 5), "BatchNorm1d(3)"),
    row(
        lambda: nn.BatchNorm2d(3, 1e-3, 0.5, affine=False),
        IMAGES,
        "BatchNorm2d(3, eps 0.001, momentum 0.5, affine False)",
        momentum=0.5,
        eps=1e-3,
    ),
    row(
        lambda: nn.BatchNorm2d(3, momentum=None),
        IMAGES,
        "BatchNorm2d(3, momentum None)",
        momentum=1.0,  # of the first batch
    ),
    row(
        lambda: nn.BatchNorm1d(3, track_running_stats=False),
        ROWS,
        "BatchNorm1d(3, track_running_stats False)",
        modes_differ=False,
    ),
    Case(
        lambda: nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0),
        (IMAGES,),
        lambda _, x: F.local_response_norm(x, 5, 5e-4, 0.75, 2.0),
        "LocalResponseNorm(5, alpha 0.0005, beta 0.75, k 2.0)",
    ),
    Case(
        lambda: nn.SqueezeExcitation(3, 2),
        (IMAGES,),
        excited,
        "SqueezeExcitation(\n"
        "  fc1: Conv2d(3, 2, kernel 1x1, stride (1, 1), padding (0, 0))\n"
        "  relu: ReLU()\n"
        "  fc2: Conv2d(2, 3, kernel 1x1, stride (1, 1), padding (0, 0))\n"
        ")",
    ),
)
