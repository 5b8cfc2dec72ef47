"""GoogLeNet as torchvision has it: batch normalisation, and 3x3 where the paper has 5x5.

C. Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1; S. Ioffe, C. Szegedy,
"Batch normalization", ICML 2015. What differs from the paper's form
(:mod:`tinygrad_cnn.models.googlenet`):

- batch normalisation (ε = 0.001) in place of every bias, and no local response normalisation;
- 3x3 filters where the paper has 5x5, which its authors' conversion made of it;
- the last pool takes 2x2, dropout before the last layer 20 %;
- auxiliary classifiers average over 4x4 even parts, windows of 4x4 where the paper has 5x5;
- 6,624,904 parameters, with auxiliary classifiers 13,004,888.

Names of parameters are torchvision's. Weights start as He's; torchvision draws them from
N(0, 0.01²), cut off at two deviations.
"""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.models.building import scaled
from tinygrad_cnn.models.googlenet import MODULES, GoogLeNetOutputs, auxiliary_loss
from tinygrad_cnn.models.initial_weights import draw_he
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor

__all__ = ["GoogLeNetTorchvision", "NormalisedConv2d"]


class NormalisedConv2d(Module):
    """Convolution without bias, batch normalisation, rectifier.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding : int, in pixels
    """

    chains = (("conv", "bn", "relu"),)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, OH, OW)."""
        return self.relu(self.bn(self.conv(x)))


class NormalisedInception(Module):
    """Four branches of normalised convolutions, joined along the channels.

    Parameters
    ----------
    in_channels : int
    row : tuple of 6 int
        Channels as in :data:`~tinygrad_cnn.models.googlenet.MODULES`.
    """

    def __init__(self, in_channels: int, row: tuple[int, ...]) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, pool = row
        self.out_channels = one + three + five + pool
        self.branch1 = NormalisedConv2d(in_channels, one, 1)
        self.branch2 = nn.Sequential(
            NormalisedConv2d(in_channels, reduce3, 1),
            NormalisedConv2d(reduce3, three, 3, padding=1),
        )
        self.branch3 = nn.Sequential(
            NormalisedConv2d(in_channels, reduce5, 1),
            NormalisedConv2d(reduce5, five, 3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1, ceil_mode=True), NormalisedConv2d(in_channels, pool, 1)
        )

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, out_channels, H, W)."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return F.concatenate([branch(x) for branch in branches], 1)


class NormalisedAuxiliaryHead(Module):
    """A classifier on maps in the middle of the network.

    Parameters
    ----------
    in_channels : int
    num_classes : int
    width : float
        Factor of maps and hidden units.
    """

    chains = (("fc1", "relu"),)

    def __init__(self, in_channels: int, num_classes: int, width: float) -> None:
        super().__init__()
        maps, hidden = scaled(128, width), scaled(1024, width)
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.conv = NormalisedConv2d(in_channels, maps, 1)
        self.fc1 = nn.Linear(maps * 4 * 4, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to scores (N, num_classes)."""
        x = F.flatten(self.conv(self.avgpool(x)), 1)
        return self.fc2(self.dropout(self.relu(self.fc1(x))))


class GoogLeNetTorchvision(Module):
    """GoogLeNet with batch normalisation.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    aux : bool
        With auxiliary classifiers, as torchvision's published weights have them. In training it
        then returns :class:`~tinygrad_cnn.models.googlenet.GoogLeNetOutputs`.
    transform_input : bool
        Turn images that are standardised by ImageNet's mean and deviation into images of mean
        0.5 and deviation 0.5, which is what the published weights were trained on.
    width : float
        Factor of all channels.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux: bool = False,
        transform_input: bool = False,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.transform_input = transform_input
        first, widened = scaled(64, width), scaled(192, width)
        self.conv1 = NormalisedConv2d(3, first, 7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = NormalisedConv2d(first, first, 1)
        self.conv3 = NormalisedConv2d(first, widened, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        channels, heads = widened, {}
        for name, row in MODULES.items():
            if name in ("4a", "5a"):
                pool = nn.MaxPool2d(3 if name == "4a" else 2, 2, ceil_mode=True)
                setattr(self, "maxpool3" if name == "4a" else "maxpool4", pool)
            module = NormalisedInception(channels, tuple(scaled(c, width) for c in row))
            channels = heads[name] = module.out_channels
            setattr(self, f"inception{name}", module)
        self.aux1 = NormalisedAuxiliaryHead(heads["4a"], num_classes, width) if aux else None
        self.aux2 = NormalisedAuxiliaryHead(heads["4d"], num_classes, width) if aux else None
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(channels, num_classes)
        draw_he(self)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 3, 224, 224) to scores (N, num_classes), or three of them."""
        if self.transform_input:
            x = _to_halves(x)
        x = self.conv3(self.conv2(self.maxpool1(self.conv1(x))))
        first = second = None
        for name in MODULES:
            if before := {"3a": "maxpool2", "4a": "maxpool3", "5a": "maxpool4"}.get(name):
                x = getattr(self, before)(x)
            x = getattr(self, f"inception{name}")(x)
            if self.training and self.aux1 is not None and name == "4a":
                first = self.aux1(x)
            if self.training and self.aux2 is not None and name == "4d":
                second = self.aux2(x)
        scores = self.fc(self.dropout(F.flatten(self.avgpool(x), 1)))
        return scores if first is None else GoogLeNetOutputs(scores, second, first)


def _to_halves(x: Tensor) -> Any:
    """Undo (x - mean) / deviation of ImageNet, then take (x - 0.5) / 0.5."""
    mean = np.array([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    deviation = np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    scale, shift = deviation / 0.5, (mean - 0.5) / 0.5
    return x * Tensor(scale.astype(x.dtype)) + Tensor(shift.astype(x.dtype))


register(
    Network(
        "googlenet_torchvision",
        GoogLeNetTorchvision,
        "Szegedy et al., CVPR 2015; torchvision",
        input_shape=(3, 224, 224),
        num_classes=1000,
        twin={"width": 1 / 8},
        twin_input=(3, 32, 32),
        loss=auxiliary_loss,
    )
)
