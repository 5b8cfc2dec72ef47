"""Residual networks for ImageNet, and plain ones of the same layers.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016,
table 1. Maps are half as wide at each stage, and channels double:

=======  =======  =====  ==========  ==  ==  ==  ===  ===
stage    output   basic  bottleneck  18  34  50  101  152
=======  =======  =====  ==========  ==  ==  ==  ===  ===
conv1    112x112  7x7 to 64 maps, stride 2, in all
maxpool  56x56    3x3, stride 2, in all
layer1   56x56    64     64, 256     2   3   3   3    3
layer2   28x28    128    128, 512    2   4   4   4    8
layer3   14x14    256    256, 1024   2   6   6   23   36
layer4   7x7      512    512, 2048   2   3   3   3    3
fc       1000     average over the map, in all
=======  =======  =====  ==========  ==  ==  ==  ===  ===

Under each depth stands the number of blocks; those of 18 and 34 layers are *basic* (3x3, 3x3),
those of deeper networks *bottlenecks* (1x1, 3x3, and 1x1 to four times as many channels). Batch
normalisation follows every convolution, a rectifier every sum. With projections where the size
changes (the paper's option B):

=========  ==========  ===========  =======================  =======================
name       parameters  paper's      multiply-adds, stride    multiply-adds, stride
                       "FLOPs"      in the 1x1 (the paper)   in the 3x3 (torchvision)
=========  ==========  ===========  =======================  =======================
resnet18   11,689,512  1.8 x 10^9   1,814,073,344
resnet34   21,797,672  3.6 x 10^9   3,663,761,408
resnet50   25,557,032  3.8 x 10^9   3,857,973,248            4,089,184,256
resnet101  44,549,160  7.6 x 10^9   7,570,194,432            7,801,405,440
resnet152  60,192,808  11.3 x 10^9  11,282,415,616           11,513,626,624
plain18    11,515,688
plain34    21,623,848  3.6 x 10^9
=========  ==========  ===========  =======================  =======================

Names of parameters are torchvision's. The paper draws He's weights (here by fan-out, as
torchvision does) and trains by SGD with momentum 0.9, batches of 256, a rate of 0.1 that is
divided by 10 at plateaus, no dropout, and a weight decay of 1e-4; one deck prints 1e-5.

Error on ImageNet in percent, as the lectures print it from several sources; none of it was
measured here:

=====  =======  ======  ======  ========  =========  =========  ==========
error  AlexNet  VGG-16  VGG-19  plain-34  ResNet-34  ResNet-50  ResNet-101
=====  =======  ======  ======  ========  =========  =========  ==========
top-1  42.90    27.00   27.30   28.54     26.73      24.60      23.40
top-5           8.80    9.00    10.02     8.74       7.70       7.00
=====  =======  ======  ======  ========  =========  =========  ==========
"""

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.building import are_whole, one_of, require_gate, scaled
from tinygrad_cnn.models.initial_weights import draw_filters
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor

__all__ = ["BasicBlock", "Bottleneck", "PaddedShortcut", "ResNet", "shortcut_of"]

SHORTCUTS = ("A", "B", "C", "none")
STRIDES_IN = ("1x1", "3x3")


class PaddedShortcut(Module):
    """Every stride-th pixel, and zeros for the channels that come anew (the paper's option A).

    Parameters
    ----------
    in_channels, out_channels : int
        New channels stand half before, half behind those that are passed on.
    stride : int, in pixels
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        added = out_channels - in_channels
        self.before, self.behind, self.stride = added // 2, added - added // 2, stride

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, H / stride, W / stride), rounded up."""
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.before, self.behind))

    def options(self) -> str:
        """Return the options as they are printed."""
        return f"zeros {self.before} + {self.behind}, stride {self.stride}"


def shortcut_of(option: str, in_channels: int, out_channels: int, stride: int) -> Module | None:
    """Return what stands in a block's shortcut, None where the values pass as they are.

    Parameters
    ----------
    option : {"A", "B", "C", "none"}
        Where sizes change: zeros for new channels (A), or a 1x1 convolution (B); that
        everywhere (C). Blocks of plain networks ("none") have no shortcut at all.
    in_channels, out_channels : int
    stride : int, in pixels
    """
    changes = stride != 1 or in_channels != out_channels
    if option == "C" or (option == "B" and changes):
        return nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
            nn.BatchNorm2d(out_channels),
        )
    if option == "A" and changes:
        return PaddedShortcut(in_channels, out_channels, stride)
    return None


class BasicBlock(Module):
    """Two 3x3 convolutions beside a shortcut: ``y = relu(F(x) + shortcut(x))``.

    Parameters
    ----------
    in_channels, channels : int
    stride : int, in pixels
        Of the first convolution.
    shortcut : {"A", "B", "C", "none"}
        See :func:`shortcut_of`.
    gate : callable, optional
        Given the number of channels, returns a module between F(x) and the sum.
    """

    expansion = 1
    chains = ("conv1", "bn1", "relu1"), ("conv2", "bn2", "gate", "add", "relu2")

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        shortcut: str = "B",
        gate: Callable[[int], Module] | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.gate = gate(channels) if gate else None
        self.downsample = shortcut_of(shortcut, in_channels, channels, stride)
        self.add = None if shortcut == "none" else nn.Add()
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, channels, H / stride, W / stride), rounded up."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(add_shortcut(self, x, y))


class Bottleneck(Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, beside a shortcut.

    Parameters
    ----------
    in_channels, channels : int
        The block has 4 · channels at its end.
    stride : int, in pixels
    shortcut : {"A", "B", "C", "none"}
        See :func:`shortcut_of`.
    stride_in : {"1x1", "3x3"}
        Which convolution takes the stride: the first 1x1 in the paper, the 3x3 in torchvision.
    gate : callable, optional
        Given the number of channels, returns a module between F(x) and the sum.
    """

    expansion = 4
    chains = (
        ("conv1", "bn1", "relu1"),
        ("conv2", "bn2", "relu2"),
        ("conv3", "bn3", "gate", "add", "relu3"),
    )

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        shortcut: str = "B",
        gate: Callable[[int], Module] | None = None,
        stride_in: str = "3x3",
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
        out_channels = self.expansion * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.gate = gate(out_channels) if gate else None
        self.downsample = shortcut_of(shortcut, in_channels, out_channels, stride)
        self.add = None if shortcut == "none" else nn.Add()
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, 4 channels, H / stride, W / stride), rounded up."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu3(add_shortcut(self, x, y))


def add_shortcut(block: BasicBlock | Bottleneck, x: Any, y: Any) -> Any:
    """Return gate(y) + shortcut(x), as far as the block has them."""
    if block.gate is not None:
        y = block.gate(y)
    if block.add is None:
        return y
    return block.add(y, x if block.downsample is None else block.downsample(x))


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}


class ResNet(Module):
    """A column of the paper's table 1.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    block : {"basic", "bottleneck"}
    layers : sequence of 4 int
        Blocks of each stage.
    shortcut : {"A", "B", "C", "none"}
        See :func:`shortcut_of`; "none" makes a plain network.
    stride_in : {"1x1", "3x3"}, optional
        Of bottlenecks, and refused for others: which convolution takes the stride; by default
        the 3x3.
    width : float
        Factor of all channels.
    gate : callable, optional
        Given the number of channels, returns a module that stands in each block between F(x)
        and the sum.

    Raises
    ------
    OptionError
        If an option makes no sense.
    """

    chains = (("conv1", "bn1", "relu"),)

    def __init__(
        self,
        num_classes: int = 1000,
        block: str = "basic",
        layers: Sequence[int] = (2, 2, 2, 2),
        shortcut: str = "B",
        stride_in: str | None = None,
        width: float = 1.0,
        gate: Callable[[int], Module] | None = None,
    ) -> None:
        super().__init__()
        one_of("resnet", "block", block, BLOCKS)
        one_of("resnet", "shortcut", shortcut, SHORTCUTS)
        if stride_in is not None:
            one_of("resnet", "stride_in", stride_in, STRIDES_IN)
            if block != "bottleneck":
                raise OptionError(
                    "resnet: stride_in chooses between the convolutions of bottlenecks, and basic "
                    f"blocks have none of 1x1; got stride_in={stride_in!r}. Leave it out"
                )
        if not are_whole(layers, 1) or len(layers) != 4:
            raise OptionError(
                f"resnet: layers names at least one block for 4 stages; got {layers!r}"
            )
        require_gate("resnet", gate)
        kind = BLOCKS[block]
        options = {"stride_in": stride_in or "3x3"} if kind is Bottleneck else {}
        channels = scaled(64, width)
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for stage, blocks in enumerate(layers):
            inner = scaled(64 * 2**stage, width)
            made: list[Module] = []
            for number in range(blocks):
                stride = 2 if stage and not number else 1
                made.append(kind(channels, inner, stride, shortcut, gate, **options))
                channels = inner * kind.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        draw_filters(self)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 3, 224, 224) to scores (N, num_classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            x = getattr(self, stage)(x)
        return self.fc(F.flatten(self.avgpool(x), 1))


# name: block, blocks of each stage, and those of the tiny twin
COLUMNS: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "18": ("basic", (2, 2, 2, 2), (1, 1, 1, 1)),
    "34": ("basic", (3, 4, 6, 3), (1, 2, 2, 1)),
    "50": ("bottleneck", (3, 4, 6, 3), (1, 1, 1, 1)),
    "101": ("bottleneck", (3, 4, 23, 3), (1, 1, 2, 1)),
    "152": ("bottleneck", (3, 8, 36, 3), (1, 2, 2, 1)),
}

for _name, _shortcut in (
    ("plain18", "none"),
    ("plain34", "none"),
    *((f"resnet{depth}", None) for depth in COLUMNS),
):
    _block, _layers, _few = COLUMNS[_name.removeprefix("plain").removeprefix("resnet")]
    register(
        Network(
            _name,
            ResNet,
            "He et al., CVPR 2016",
            input_shape=(3, 224, 224),
            num_classes=1000,
            options={"block": _block, "layers": _layers}
            | ({"shortcut": _shortcut} if _shortcut else {}),
            twin={"width": 1 / 8, "layers": _few},
            twin_input=(3, 32, 32),
        )
    )
