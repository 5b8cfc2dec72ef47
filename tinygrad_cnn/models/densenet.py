"""DenseNet: every layer sees the maps of all layers before it, joined along the channels.

G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, "Densely connected convolutional
networks", CVPR 2017, table 1 (ImageNet) and table 2 (CIFAR). A layer is normalise, rectify, 1x1 to
4k maps, normalise, rectify, 3x3 to k maps; between blocks a transition halves the maps (1x1) and
their sides (average over 2x2).

===========  ======  =====  ==============  ==========  ==============================
name         growth  first  layers          parameters  paper
             k
===========  ======  =====  ==============  ==========  ==============================
densenet121  32      64     6, 12, 24, 16   7,978,856
densenet161  48      96     6, 12, 36, 24   28,681,000
densenet169  32      64     6, 12, 32, 32   14,149,480
densenet201  32      64     6, 12, 48, 32   20,013,928
bc100_12     12      24     16, 16, 16      769,162     0.8M (L = 100)
bc250_24     24      48     41, 41, 41      15,324,406  15.3M (L = 250)
bc190_40     40      80     31, 31, 31      25,624,430  25.6M (L = 190)
===========  ======  =====  ==============  ==========  ==============================

The paper's table 1 writes k = 48 for its 161 layers; the ImageNet nets start with a 7x7
convolution and a maximum over 3x3, both of stride 2, those for CIFAR with a 3x3 convolution.
Names of parameters are torchvision's, and filters start as He's. In the names of CIFAR nets BC
stands for bottleneck and compression.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.building import Chain, are_whole, one_of
from tinygrad_cnn.models.initial_weights import draw_he
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor

__all__ = ["DenseBlock", "DenseLayer", "DenseNet"]

_FORMER_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])(?=\.)")

STEMS = ("imagenet", "cifar")
BOTTLENECK = 4  # maps of the 1x1 convolution, in units of the growth
PAPER = "Huang et al., CVPR 2017"


class DenseLayer(Module):
    """``k`` new maps from all that came before.

    Parameters
    ----------
    in_channels : int
    growth : int
        k.
    dropout : float
        Share of the new maps' values that is dropped.
    """

    chains = (("norm1", "relu1", "conv1", "norm2", "relu2", "conv2"),)

    def __init__(self, in_channels: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, BOTTLENECK * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * growth)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout) if dropout else None

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, k, H, W)."""
        x = self.conv1(self.relu1(self.norm1(x)))
        x = self.conv2(self.relu2(self.norm2(x)))
        return x if self.dropout is None else self.dropout(x)


class DenseBlock(Module):
    """Dense layers, each behind all before it.

    Parameters
    ----------
    layers : int
    in_channels, growth : int
    dropout : float
    """

    def __init__(self, layers: int, in_channels: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.out_channels = in_channels + layers * growth
        for number in range(layers):
            layer = DenseLayer(in_channels + number * growth, growth, dropout)
            setattr(self, f"denselayer{number + 1}", layer)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C + layers · k, H, W)."""
        for _, layer in self.named_children():
            x = F.concatenate((x, layer(x)), 1)
        return x


class DenseNet(Module):
    """A column of the paper's table 1, or a row of table 2.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    layers : sequence of int
        Dense layers of each block.
    growth : int
        Maps that each layer adds, the paper's k.
    first : int
        Maps before the first block.
    stem : {"imagenet", "cifar"}
        What makes them: 7x7 and a pool, each of stride 2, or 3x3.
    compression : float
        Share of the maps that a transition keeps, the paper's θ.
    dropout : float
        Share of each layer's values that is dropped; 0.2 for CIFAR without augmentation.

    Raises
    ------
    OptionError
        If an option makes no sense.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        layers: Sequence[int] = (6, 12, 24, 16),
        growth: int = 32,
        first: int = 64,
        stem: str = "imagenet",
        compression: float = 0.5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        one_of("densenet", "stem", stem, STEMS)
        if not are_whole(layers, 1):
            raise OptionError(f"densenet: layers names at least one for each block; got {layers!r}")
        if not isinstance(compression, int | float) or not 0.0 < compression <= 1.0:
            raise OptionError(f"densenet: compression lies in (0, 1]; got {compression!r}")
        channels = first
        parts: dict[str, Module]
        if stem == "cifar":
            parts = {"conv0": nn.Conv2d(3, first, 3, padding=1, bias=False)}
        else:
            parts = {
                "conv0": nn.Conv2d(3, first, 7, stride=2, padding=3, bias=False),
                "norm0": nn.BatchNorm2d(first),
                "relu0": nn.ReLU(),
                "pool0": nn.MaxPool2d(3, 2, 1),
            }
        for number, count in enumerate(layers, start=1):
            block = DenseBlock(count, channels, growth, dropout)
            parts[f"denseblock{number}"] = block
            channels = block.out_channels
            if number < len(layers):
                kept = max(1, int(channels * compression))
                parts[f"transition{number}"] = Chain(
                    {
                        "norm": nn.BatchNorm2d(channels),
                        "relu": nn.ReLU(),
                        "conv": nn.Conv2d(channels, kept, 1, bias=False),
                        "pool": nn.AvgPool2d(2, 2),
                    }
                )
                channels = kept
        parts[f"norm{len(layers) + 1}"] = nn.BatchNorm2d(channels)
        self.features, self.last_norm = Chain(parts), f"norm{len(layers) + 1}"
        self.relu = nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        draw_he(self.features)

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:  # type: ignore[override]
        """The last normalisation, and the rectifier that torchvision has outside of `features`."""
        return ((f"features.{self.last_norm}", "relu"),)

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Write values into parameters and buffers; see :meth:`Module.load_state_dict`.

        The names that torchvision's published files still have, ``norm.1`` for ``norm1`` and
        the like, are taken for the present ones.
        """
        named = {_FORMER_NAME.sub(r"\1\2", path): value for path, value in state.items()}
        super().load_state_dict(named, strict)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 3, 224, 224), or (N, 3, 32, 32), to scores (N, num_classes)."""
        x = self.relu(self.features(x))
        return self.classifier(F.flatten(self.avgpool(x), 1))


# growth, maps before the first block, layers of each block, and those of the tiny twin
_IMAGENET: dict[str, tuple[int, int, tuple[int, ...], tuple[int, ...]]] = {
    "densenet121": (32, 64, (6, 12, 24, 16), (2, 2, 3, 2)),
    "densenet161": (48, 96, (6, 12, 36, 24), (2, 2, 4, 3)),
    "densenet169": (32, 64, (6, 12, 32, 32), (2, 2, 3, 3)),
    "densenet201": (32, 64, (6, 12, 48, 32), (2, 3, 4, 3)),
}
for _name, (_growth, _first, _layers, _few) in _IMAGENET.items():
    register(
        Network(
            _name,
            DenseNet,
            PAPER,
            input_shape=(3, 224, 224),
            num_classes=1000,
            options={"stem": "imagenet", "layers": _layers, "growth": _growth, "first": _first},
            twin={"layers": _few, "growth": _growth // 8, "first": _first // 8},
            twin_input=(3, 64, 64),
        )
    )
for _depth, _growth in ((100, 12), (250, 24), (190, 40)):
    register(
        Network(
            f"densenet_bc{_depth}_{_growth}",
            DenseNet,
            PAPER,
            input_shape=(3, 32, 32),
            num_classes=10,
            options={
                "stem": "cifar",
                "layers": (((_depth - 4) // 6),) * 3,
                "growth": _growth,
                "first": 2 * _growth,
            },
            twin={"layers": (2, 2, 2), "growth": 4 + _growth // 10, "first": 8},
            twin_input=(3, 32, 32),
        )
    )
