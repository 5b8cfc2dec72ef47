"""The inception module: filters of several sizes side by side, joined along the channels.

C. Szegedy et al., "Going deeper with convolutions", CVPR 2015, figure 2: (a) naive, (b) with 1x1
convolutions that reduce the channels before 3x3 and 5x5 and after the pool.

Multiply-adds of the lectures' example, 256 maps of 28x28 to 128 of 1x1, 192 of 3x3, 96 of 5x5:

==========  ===========  ======================  ===========
branch      naive        reduced to 64 channels  reduction
==========  ===========  ======================  ===========
1x1         25,690,112   25,690,112
3x3         346,816,512  86,704,128              12,845,056
5x5         481,689,600  120,422,400             12,845,056
pool                                             12,845,056
total       854,196,224  271,351,808
==========  ===========  ======================  ===========

The deck prints 358M for the reduced form; its own rows add up to 271M.
"""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.models.building import scaled
from tinygrad_cnn.models.initial_weights import draw_he
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor

__all__ = ["Inception", "InceptionNaive", "InceptionNetwork"]


class InceptionNaive(Module):
    """Figure 2 (a): 1x1, 3x3 and 5x5 convolutions and a 3x3 maximum, joined.

    Parameters
    ----------
    in_channels : int
    conv1x1, conv3x3, conv5x5 : int
        Channels of the branches; the pool passes on all `in_channels`.
    """

    chains = ("conv1x1", "relu1x1"), ("conv3x3", "relu3x3"), ("conv5x5", "relu5x5")

    def __init__(self, in_channels: int, conv1x1: int, conv3x3: int, conv5x5: int) -> None:
        super().__init__()
        self.out_channels = conv1x1 + conv3x3 + conv5x5 + in_channels
        self.conv1x1 = nn.Conv2d(in_channels, conv1x1, 1)
        self.relu1x1 = nn.ReLU()
        self.conv3x3 = nn.Conv2d(in_channels, conv3x3, 3, padding=1)
        self.relu3x3 = nn.ReLU()
        self.conv5x5 = nn.Conv2d(in_channels, conv5x5, 5, padding=2)
        self.relu5x5 = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 1, 1)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, out_channels, H, W)."""
        branches = (
            self.relu1x1(self.conv1x1(x)),
            self.relu3x3(self.conv3x3(x)),
            self.relu5x5(self.conv5x5(x)),
            self.pool(x),
        )
        return F.concatenate(branches, 1)


class Inception(Module):
    """Figure 2 (b): the same with 1x1 convolutions that reduce the number of channels.

    Parameters
    ----------
    in_channels : int
    conv1x1, reduce3x3, conv3x3, reduce5x5, conv5x5, project_pool : int
        Channels, in the order of the columns of the paper's table 1.
    """

    chains = (
        ("conv1x1", "relu1x1"),
        ("reduce3x3", "relu_reduce3x3", "conv3x3", "relu3x3"),
        ("reduce5x5", "relu_reduce5x5", "conv5x5", "relu5x5"),
        ("project_pool", "relu_pool"),
    )

    def __init__(
        self,
        in_channels: int,
        conv1x1: int,
        reduce3x3: int,
        conv3x3: int,
        reduce5x5: int,
        conv5x5: int,
        project_pool: int,
    ) -> None:
        super().__init__()
        self.out_channels = conv1x1 + conv3x3 + conv5x5 + project_pool
        self.conv1x1 = nn.Conv2d(in_channels, conv1x1, 1)
        self.relu1x1 = nn.ReLU()
        self.reduce3x3 = nn.Conv2d(in_channels, reduce3x3, 1)
        self.relu_reduce3x3 = nn.ReLU()
        self.conv3x3 = nn.Conv2d(reduce3x3, conv3x3, 3, padding=1)
        self.relu3x3 = nn.ReLU()
        self.reduce5x5 = nn.Conv2d(in_channels, reduce5x5, 1)
        self.relu_reduce5x5 = nn.ReLU()
        self.conv5x5 = nn.Conv2d(reduce5x5, conv5x5, 5, padding=2)
        self.relu5x5 = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.project_pool = nn.Conv2d(in_channels, project_pool, 1)
        self.relu_pool = nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, out_channels, H, W)."""
        branches = (
            self.relu1x1(self.conv1x1(x)),
            self.relu3x3(self.conv3x3(self.relu_reduce3x3(self.reduce3x3(x)))),
            self.relu5x5(self.conv5x5(self.relu_reduce5x5(self.reduce5x5(x)))),
            self.relu_pool(self.project_pool(self.pool(x))),
        )
        return F.concatenate(branches, 1)


class InceptionNetwork(Module):
    """One inception module between the maps it is fed and a classifier.

    No such network was published: it is the lectures' example of costs, made whole by an
    average over the map and an affine layer so that it can be trained.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    reduced : bool
        With 1x1 convolutions that reduce to 64 channels (figure 2 b), or the naive form (a).
    in_channels : int
        Of what it is fed.
    width : float
        Factor of the channels of all branches.
    """

    def __init__(
        self,
        num_classes: int = 10,
        reduced: bool = False,
        in_channels: int = 256,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        c1, c3, c5, few = (scaled(channels, width) for channels in (128, 192, 96, 64))
        module: Inception | InceptionNaive
        if reduced:
            module = Inception(in_channels, c1, few, c3, few, c5, few)
        else:
            module = InceptionNaive(in_channels, c1, c3, c5)
        self.inception = module
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(module.out_channels, num_classes)
        draw_he(self)

    def forward(self, x: Tensor) -> Any:
        """Map (N, 256, 28, 28) to scores (N, num_classes)."""
        return self.fc(F.flatten(self.avgpool(self.inception(x)), 1))


register(
    Network(
        "inception_naive",
        InceptionNetwork,
        "Szegedy et al., CVPR 2015, figure 2",
        input_shape=(256, 28, 28),
        num_classes=10,
        twin={"width": 1 / 16},
        twin_input=(256, 8, 8),
    )
)
