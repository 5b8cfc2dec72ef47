"""He's initial weights for networks of rectifiers.

K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, equations 10 (the
variance of values is kept on the way forward: fan-in) and 14 (that of error signals on the way
back: fan-out).
"""

from tinygrad_cnn import nn
from tinygrad_cnn.models.building import weighty
from tinygrad_cnn.nn import Module, init

__all__ = ["draw_filters", "draw_he"]


def draw_he(model: Module) -> None:
    """Draw all weights from N(0, 2 / fan-in) and set biases to zero."""
    for _, layer in weighty(model):
        init.kaiming_normal_(layer.weight)
        if layer.bias is not None:
            init.zeros_(layer.bias)


def draw_filters(model: Module) -> None:
    """Draw the filters of all convolutions from N(0, 2 / fan-out), as torchvision does."""
    for _, layer in weighty(model):
        if isinstance(layer, nn.Conv2d):
            init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
