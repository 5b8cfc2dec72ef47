"""What builders share: chains of named layers, scaled widths, sizes of maps, initial weights."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn import Module, init


class Chain(Module):
    """Layers with names, one after the other.

    Parameters
    ----------
    layers : mapping of str to Module
        In the order they run.

    Examples
    --------
    >>> chain = Chain({"conv1": nn.Conv2d(1, 2, 3), "relu1": nn.ReLU()})
    >>> [name for name, _ in chain.named_parameters()]
    ['conv1.weight', 'conv1.bias']
    """

    def __init__(self, layers: Mapping[str, Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Any) -> Any:
        """Run the layers in order."""
        for _, layer in self.named_children():
            x = layer(x)
        return x


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """Return so many channels times `width`, at least one, rounded to a multiple.

    Examples
    --------
    >>> scaled(96, 1.0), scaled(96, 1 / 16), scaled(96, 1 / 100, multiple=2)
    (96, 6, 2)
    """
    return max(1, round(channels * width / multiple)) * multiple


class Step(NamedTuple):
    """A square window that slides over a map, in pixels; `up` rounds their number up."""

    kernel: int
    stride: int = 1
    padding: int = 0
    up: bool = False


def map_size(network: str, side: int, *steps: Step) -> int:
    """Return the side of a square map after windows that shrink it, in pixels.

    Raises
    ------
    OptionError
        If a window does not fit.

    Examples
    --------
    >>> map_size("alexnet", 227, Step(11, 4), Step(3, 2))
    27
    """
    size = side
    for kernel, stride, padding, up in steps:
        room = size + 2 * padding - kernel
        if room < 0:
            raise OptionError(
                f"{network}: every window fits into its map; got images of {side}x{side} pixels, "
                f"where one of {kernel}x{kernel} meets {size}x{size}. Take larger images"
            )
        size = (math.ceil(room / stride) if up else room // stride) + 1
    return size


def one_of(network: str, option: str, value: Any, known: Any) -> Any:
    """Return a value that is among the known ones, or refuse it."""
    if value not in known:
        raise OptionError(
            f"{network}: {option} is one of {', '.join(map(str, known))}; got {value!r}"
        )
    return value


def weighty(model: Module) -> list[tuple[str, Any]]:
    """Return (path, layer) of the convolutions and affine layers of a network."""
    return [(p, m) for p, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def draw_normal(model: Module, std: float) -> None:
    """Draw all weights from N(0, std²) and set biases to zero."""
    for _, layer in weighty(model):
        init.normal_(layer.weight, 0.0, std)
        if layer.bias is not None:
            init.zeros_(layer.bias)
