"""Comparisons that lectures ask for, as data: which networks, how narrow, trained how.

By default networks are as deep as published but narrow, and see the embedded digits, so that a
comparison takes seconds; the question is what depth does to δ, and width hardly matters to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinygrad_cnn import nn
from tinygrad_cnn.errors import unknown_name
from tinygrad_cnn.nn import Module

__all__ = ["PRESETS", "Preset", "Side", "preset", "without_normalisation"]


@dataclass(frozen=True)
class Side:
    """One network of a comparison.

    Attributes
    ----------
    title : str
    model : str
        Its name among :func:`tinygrad_cnn.models.names`.
    options : mapping
        Of its builder, at any size.
    narrow : mapping
        Of its builder, unless it is wanted at full size.
    normalised : bool
        Whether batch normalisation stays in.
    """

    title: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    narrow: Mapping[str, Any] = field(default_factory=dict)
    normalised: bool = True


@dataclass(frozen=True)
class Preset:
    """A comparison of networks that differ in one thing.

    Attributes
    ----------
    title, remark : str
        What is compared, and what to look at.
    sides : tuple of Side
    image_size : int, in pixels
        Of the narrow networks' images.
    lr : float
        η of gradient descent with momentum 0.9.
    steps : int
        Of training, for narrow networks; full-sized ones are seen at initialisation.
    """

    title: str
    remark: str
    sides: tuple[Side, ...]
    image_size: int = 32
    lr: float = 0.05
    steps: int = 40


_NARROW = {"width": 1 / 8, "num_classes": 10}
_CIFAR = {"width": 1 / 2}

PRESETS: dict[str, Preset] = {
    "lenet5-sigmoid-relu": Preset(
        "LeNet-5 with sigmoids against LeNet-5 with rectifiers",
        "A sigmoid passes at most a quarter of δ on; a rectifier passes all of it, or nothing.",
        (
            Side("sigmoid", "lenet5", {"activation": "sigmoid"}),
            Side("ReLU", "lenet5", {"activation": "relu"}),
        ),
        lr=0.02,
        steps=100,
    ),
    "plain34-resnet34": Preset(
        "Plain-34 against ResNet-34",
        "At the input of a residual block δ arrives by two ways, one of which has no weights. On "
        "its way back through plain layers it grows, where they are normalised and untrained.",
        (
            Side("plain-34", "plain34", narrow=_NARROW),
            Side("ResNet-34", "resnet34", {"shortcut": "A"}, _NARROW),
        ),
    ),
    "plain56-resnet56": Preset(
        "CIFAR plain-56 against CIFAR ResNet-56",
        "Normalised layers do not let δ fade: untrained, it grows on its way back, and the more so "
        "without shortcuts. The first steps are too large for the first layers of the plain net.",
        (
            Side("plain-56", "plain56", narrow=_CIFAR),
            Side("ResNet-56", "resnet56", narrow=_CIFAR),
        ),
        image_size=16,
        lr=0.1,
    ),
    "batch-norm": Preset(
        "CIFAR plain-20 with and without batch normalisation",
        "Normalisation sets the scale of each layer's output, and so that of δ: untrained, δ grows "
        "on its way back with it, and fades without it.",
        (
            Side("with BN", "plain20", narrow=_CIFAR),
            Side("without BN", "plain20", narrow=_CIFAR, normalised=False),
        ),
        lr=0.05,
    ),
    "se-gates": Preset(
        "ResNet-50 with and without squeeze and excitation",
        "A gate multiplies its channel, and δ of the channel with it; the gate itself hears from "
        "all pixels of the channel.",
        (
            Side("ResNet-50", "resnet50", narrow=_NARROW),
            Side("SE-ResNet-50", "se_resnet50", narrow={**_NARROW, "reduction": 4}),
        ),
        image_size=64,
    ),
}


def preset(name: str) -> Preset:
    """Return a comparison by its name.

    Raises
    ------
    UnknownNameError
        If there is none of that name; it lists those there are.

    Examples
    --------
    >>> [side.model for side in preset("plain56-resnet56").sides]
    ['plain56', 'resnet56']
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise unknown_name("atlas: presets", name, PRESETS)
    return PRESETS[name]


def without_normalisation(network: Module) -> Module:
    """Put identities where a network normalises batches; its weights stay as drawn.

    Examples
    --------
    >>> network = without_normalisation(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    >>> type(network[1]).__name__
    'Identity'
    """
    for module in list(network.modules()):
        for attribute, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, attribute, nn.Identity())
    return network
