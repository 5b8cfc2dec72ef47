"""What builders share: chains of named layers, scaled widths, sizes of maps, checks of options."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from tinygrad_cnn.elements.requirements import positive_number
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn import Module


class Chain(Module):
    """Layers with names, one after the other.

    Parameters
    ----------
    layers : mapping of str to Module
        In the order they run.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> chain = Chain({"conv1": nn.Conv2d(1, 2, 3), "relu1": nn.ReLU()})
    >>> [name for name, _ in chain.named_parameters()]
    ['conv1.weight', 'conv1.bias']
    """

    def __init__(self, layers: Mapping[str, Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:  # type: ignore[override]
        """All of them, one behind the other."""
        return (tuple(name for name, _ in self.named_children()),)

    def forward(self, x: Any) -> Any:
        """Run the layers in order."""
        for _, layer in self.named_children():
            x = layer(x)
        return x


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """Return so many channels times `width`, at least one, rounded to a multiple.

    Raises
    ------
    OptionError
        If the width is not a finite number above 0.

    Examples
    --------
    >>> scaled(96, 1.0), scaled(96, 1 / 16), scaled(96, 1 / 100, multiple=2)
    (96, 6, 2)
    """
    factor = positive_number("models", "width", width)
    return max(1, round(channels * factor / multiple)) * multiple


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
        If the side is no number of pixels, or a window does not fit.

    Examples
    --------
    >>> map_size("alexnet", 227, Step(11, 4), Step(3, 2))
    27
    """
    require_pixels(network, "side", side)
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


def is_whole(value: Any, least: int) -> bool:
    """Tell whether a value is an integer from `least` up; a truth value is none.

    Examples
    --------
    >>> is_whole(3, 1), is_whole(0, 1), is_whole(3.0, 1), is_whole(True, 1)
    (True, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def are_whole(values: Any, least: int) -> bool:
    """Tell whether values are one or more integers from `least` up.

    Examples
    --------
    >>> are_whole((2, 3), 1), are_whole((2, 0), 1), are_whole((), 1), are_whole(2, 1)
    (True, False, False, False)
    """
    listed = isinstance(values, tuple | list) and len(values) > 0
    return listed and all(is_whole(value, least) for value in values)


def require_pixels(network: str, option: str, value: Any) -> None:
    """Refuse what is no number of pixels."""
    if not is_whole(value, 1):
        raise OptionError(f"{network}: {option} is a positive number of pixels; got {value!r}")


def require_gate(network: str, gate: Any) -> None:
    """Refuse what cannot make a gate."""
    if gate is not None and not callable(gate):
        raise OptionError(
            f"{network}: gate is a function that makes a module for so many channels; got {gate!r}"
        )


def one_of(network: str, option: str, value: Any, known: Any) -> Any:
    """Return a value that is among the known ones, or refuse it."""
    if value not in tuple(known):
        raise OptionError(
            f"{network}: {option} is one of {', '.join(map(str, known))}; got {value!r}"
        )
    return value
