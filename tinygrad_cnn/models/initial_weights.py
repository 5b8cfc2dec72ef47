"""Initial weights that several papers share; each function draws those of a whole network.

K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, equations 10 (the
variance of values is kept on the way forward: fan-in) and 14 (that of error signals on the way
back: fan-out). X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward
neural networks", AISTATS 2010, equation 16 (a compromise of the two for units that squash).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_cnn import nn
from tinygrad_cnn.nn import Module, init

__all__ = [
    "draw_filters",
    "draw_he",
    "draw_normal",
    "draw_rectified_scores",
    "draw_xavier",
    "weighty",
]


def weighty(model: Module) -> Iterator[tuple[str, nn.Conv2d | nn.Linear]]:
    """Yield (path, layer) of the convolutions and affine layers of a network."""
    for path, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            yield path, layer


def _draw(model: Module, draw: Callable[[Any], Any]) -> None:
    """Draw all weights and set biases to zero."""
    for _, layer in weighty(model):
        draw(layer.weight)
        if layer.bias is not None:
            init.zeros_(layer.bias)


def draw_normal(model: Module, std: float) -> None:
    """Draw all weights from N(0, std²) and set biases to zero."""
    _draw(model, lambda weight: init.normal_(weight, 0.0, std))


def draw_xavier(model: Module) -> None:
    """Draw all weights from U(-a, a), a = √(6 / (fan-in + fan-out)), and set biases to zero."""
    _draw(model, init.xavier_uniform_)


def draw_he(model: Module) -> None:
    """Draw all weights from N(0, 2 / fan-in) and set biases to zero."""
    _draw(model, init.kaiming_normal_)


def draw_filters(model: Module) -> None:
    """Draw the filters of all convolutions from N(0, 2 / fan-out), as torchvision does.

    Biases of convolutions start at zero; affine layers keep what they have.
    """
    for _, layer in weighty(model):
        if isinstance(layer, nn.Conv2d):
            init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                init.zeros_(layer.bias)


def draw_rectified_scores(model: Module) -> None:
    """Draw the last layer, whose scores a rectifier cuts: N(0, 0.002 / fan-in), biases of 1.

    With He's weights and biases of zero the maps of some classes start below 0 everywhere, where
    the rectifier lets no error signal through: these classes are never learnt. With a thousandth
    of He's variance all scores start near 1, above 0 and alike.
    """
    _, last = list(weighty(model))[-1]
    fan_in, _ = init.fans(last.weight.shape)
    init.normal_(last.weight, 0.0, math.sqrt(0.002 / fan_in))
    if last.bias is not None:
        init.ones_(last.bias)
