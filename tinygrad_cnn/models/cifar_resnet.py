"""Residual and plain networks for CIFAR-10, from 20 to 1202 layers.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016,
section 4.2 and table 6. A 3x3 convolution, three stages of n blocks of two 3x3 convolutions, an
average over the map and 10 outputs: 6n + 2 layers with weights.

=======  ========  ========  =======
stage    output    channels  layers
=======  ========  ========  =======
conv1    32x32     16        1
layer1   32x32     16        2n
layer2   16x16     32        2n
layer3   8x8       64        2n
linear   10                  1
=======  ========  ========  =======

==========  ====  ==========  ===============
name        n     parameters  paper's table 6
==========  ====  ==========  ===============
resnet20    3     269,722     0.27M
resnet32    5     464,154     0.46M
resnet44    7     658,586     0.66M
resnet56    9     853,018     0.85M
resnet110   18    1,727,962   1.7M
resnet1202  200   19,421,274  19.4M
==========  ====  ==========  ===============

Shortcuts are of option A, which has no parameters: so plain20 to plain110 have as many.

In the form of K. He et al., "Identity mappings in deep residual networks", ECCV 2016, figure
4 (e) and appendix, normalisation and rectifier stand before each convolution, and nothing after
the sum. Names of parameters are those of Y. Idelbayev's published CIFAR-10 weights.
"""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.elements.recompute import checkpoint_sequential
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.building import is_whole, one_of, scaled
from tinygrad_cnn.models.initial_weights import draw_filters, draw_he
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.models.resnet import SHORTCUTS, shortcut_of
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor

__all__ = ["CifarResNet", "PostActivationBlock", "PreActivationBlock"]

PAPER = "He et al., CVPR 2016"


class PostActivationBlock(Module):
    """``y = relu(F(x) + shortcut(x))``, F being two 3x3 convolutions, each normalised.

    Parameters
    ----------
    in_channels, channels : int
    stride : int, in pixels
        Of the first convolution.
    shortcut : {"A", "B", "C", "none"}
        See :func:`~tinygrad_cnn.models.resnet.shortcut_of`.
    """

    chains = ("conv1", "bn1", "relu1"), ("conv2", "bn2", "add", "relu2")

    def __init__(self, in_channels: int, channels: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = shortcut_of(shortcut, in_channels, channels, stride)
        self.add = None if shortcut == "none" else nn.Add()
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, channels, H / stride, W / stride), rounded up."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.add is not None:
            y = self.add(y, x if self.shortcut is None else self.shortcut(x))
        return self.relu2(y)


class PreActivationBlock(Module):
    """``y = F(x) + shortcut(x)``, F being (normalise, rectify, 3x3 convolution) twice.

    Parameters
    ----------
    in_channels, channels : int
    stride : int, in pixels
        Of the first convolution.
    shortcut : {"A", "B", "C", "none"}
        See :func:`~tinygrad_cnn.models.resnet.shortcut_of`.
    first : bool
        In the first block of a network the shortcut, too, starts behind normalisation and
        rectifier (the appendix of the paper).
    """

    chains = ("bn1", "relu1"), ("conv1", "bn2", "relu2", "conv2")

    def __init__(
        self, in_channels: int, channels: int, stride: int, shortcut: str, first: bool = False
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.adds, self.first = shortcut != "none", first
        self.shortcut = shortcut_of(shortcut, in_channels, channels, stride)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, channels, H / stride, W / stride), rounded up."""
        active = self.relu1(self.bn1(x))
        if self.first:
            x = active
        y = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        if not self.adds:
            return y
        return y + (x if self.shortcut is None else self.shortcut(x))


class Stage(nn.Sequential):
    """Blocks of one size; with `recompute` only every so many inputs are kept for the way back."""

    recompute: int = 0

    def forward(self, x: Any) -> Any:
        """Run the blocks in order."""
        segments = len(self) // self.recompute if self.recompute else 1
        return checkpoint_sequential(self, segments, x) if segments > 1 else super().forward(x)


class CifarResNet(Module):
    """A row of the paper's table 6.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    depth : int
        Layers with weights: 6n + 2.
    shortcut : {"A", "B", "C", "none"}
        See :func:`~tinygrad_cnn.models.resnet.shortcut_of`; "none" makes a plain network.
    preactivation : bool
        Normalise and rectify before each convolution.
    recompute : int
        Length, in blocks, of the segments of each stage whose inner values are forgotten and
        computed again on the way back; 0 keeps everything. About √n takes the least memory,
        for a third more work.
    width : float
        Factor of all channels.

    Raises
    ------
    OptionError
        If an option makes no sense.
    """

    chains = ("conv1", "bn1", "relu1"), ("norm", "relu2")

    def __init__(
        self,
        num_classes: int = 10,
        depth: int = 20,
        shortcut: str = "A",
        preactivation: bool = False,
        recompute: int = 0,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        one_of("cifar_resnet", "shortcut", shortcut, SHORTCUTS)
        if not is_whole(depth, 8) or (depth - 2) % 6:
            raise OptionError(f"cifar_resnet: depth is 6n + 2 with n at least 1; got {depth!r}")
        if not is_whole(recompute, 0):
            raise OptionError(f"cifar_resnet: recompute is a number of blocks; got {recompute!r}")
        channels = scaled(16, width)
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.bn1 = None if preactivation else nn.BatchNorm2d(channels)
        self.relu1 = None if preactivation else nn.ReLU()
        for number, base in enumerate((16, 32, 64), start=1):
            made: list[Module] = []
            for position in range((depth - 2) // 6):
                stride = 2 if number > 1 and not position else 1
                inner = scaled(base, width)
                if preactivation:
                    first = number == 1 and not position
                    made.append(PreActivationBlock(channels, inner, stride, shortcut, first))
                else:
                    made.append(PostActivationBlock(channels, inner, stride, shortcut))
                channels = inner
            stage = Stage(*made)
            stage.recompute = recompute
            setattr(self, f"layer{number}", stage)
        self.norm = nn.BatchNorm2d(channels) if preactivation else None
        self.relu2 = nn.ReLU() if preactivation else None
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, num_classes)
        draw_filters(self)
        draw_he(self.linear)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 3, 32, 32) to scores (N, num_classes)."""
        for part in ("conv1", "bn1", "relu1", "layer1", "layer2", "layer3", "norm", "relu2"):
            if (layer := getattr(self, part)) is not None:
                x = layer(x)
        return self.linear(F.flatten(self.avgpool(x), 1))


# Depths, and those of the tiny twins. A twin that trains in seconds has one to four blocks in each
# stage: resnet20 and resnet32 share one, as do resnet44 and resnet56.
for _depth, _few in ((20, 8), (32, 8), (44, 14), (56, 14), (110, 20), (1202, 26)):
    for _name, _options in (
        (f"resnet{_depth}", {"depth": _depth}),
        (f"plain{_depth}", {"depth": _depth, "shortcut": "none"}),
    ):
        if _name != "plain1202":
            register(
                Network(
                    _name,
                    CifarResNet,
                    PAPER,
                    input_shape=(3, 32, 32),
                    num_classes=10,
                    options=_options,
                    twin={"depth": _few, "width": 1 / 2},
                    twin_input=(3, 32, 32),
                )
            )
