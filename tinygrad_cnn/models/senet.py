"""Squeeze-and-excitation on three networks: each map is scaled by what all maps say.

J. Hu, L. Shen, G. Sun, "Squeeze-and-excitation networks", CVPR 2018, section 3.3 and tables 1, 2.
The average of each map (squeeze) goes through two affine layers, the first to a sixteenth as
many values, and a sigmoid (excitation); each map is multiplied by its result.

============  =====================================  ===========  ============
name          where the gates stand                  parameters   in the gates
============  =====================================  ===========  ============
se_resnet50   in each block, before the sum          28,088,024   2,530,992
se_vgg16      behind the rectifier of each of the    138,596,784  230,792
              13 convolutions (with batch norm)
se_googlenet  behind each inception module           7,478,655    480,103
============  =====================================  ===========  ============

Without biases, which the paper's notation leaves out, the gates of se_resnet50 hold
(2 / r) Σ N C² = 2,514,944 weights, its "2.5 million"; 16,048 biases come on top. The authors
put gates on BN-Inception, a later GoogLeNet with batch normalisation; se_googlenet has them on
the first. Gates of se_googlenet start as their layers do, those of the other two as He's, like the
filters around them.
"""

from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.building import is_whole
from tinygrad_cnn.models.googlenet import GoogLeNet, auxiliary_loss
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.models.resnet import ResNet
from tinygrad_cnn.models.vgg import VGG
from tinygrad_cnn.nn import Module

__all__ = ["Gates", "se_googlenet", "se_resnet50", "se_vgg16"]

PAPER = "Hu et al., CVPR 2018"


class Gates:
    """Makes a squeeze-and-excitation module for so many maps.

    Parameters
    ----------
    reduction : int
        The paper's r: so many times fewer values stand between the two affine layers.

    Raises
    ------
    OptionError
        If it is not positive.
    """

    def __init__(self, reduction: int) -> None:
        if not is_whole(reduction, 1):
            raise OptionError(f"senet: reduction is a positive integer; got {reduction!r}")
        self.reduction = reduction

    def __call__(self, channels: int) -> Module:
        """Return a gate."""
        return nn.SqueezeExcitation(channels, max(1, channels // self.reduction))


def se_resnet50(
    num_classes: int = 1000,
    reduction: int = 16,
    stride_in: str = "3x3",
    layers: tuple[int, ...] = (3, 4, 6, 3),
    width: float = 1.0,
) -> Module:
    """Build ResNet-50 with a gate in each block.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    reduction : int
        The paper's r.
    stride_in, layers, width
        See :class:`~tinygrad_cnn.models.resnet.ResNet`.
    """
    return ResNet(
        num_classes,
        "bottleneck",
        layers,
        stride_in=stride_in,
        width=width,
        gate=Gates(reduction),
    )


def se_googlenet(
    num_classes: int = 1000, reduction: int = 16, aux: bool = False, width: float = 1.0
) -> Module:
    """Build GoogLeNet with a gate behind each inception module.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    reduction : int
        The paper's r.
    aux, width
        See :class:`~tinygrad_cnn.models.googlenet.GoogLeNet`.
    """
    return GoogLeNet(num_classes, aux, width, gate=Gates(reduction))


def se_vgg16(
    num_classes: int = 1000,
    reduction: int = 16,
    width: float = 1.0,
    pooled: int = 7,
    dropout: float = 0.5,
) -> Module:
    """Build VGG-16 with batch normalisation and a gate behind each rectifier of a convolution.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    reduction : int
        The paper's r.
    width, pooled, dropout
        See :class:`~tinygrad_cnn.models.vgg.VGG`.
    """
    return VGG(num_classes, "D", "batch", width, pooled, dropout, gate=Gates(reduction))


register(
    Network(
        "se_resnet50",
        se_resnet50,
        PAPER,
        input_shape=(3, 224, 224),
        num_classes=1000,
        twin={"width": 1 / 8, "layers": (1, 1, 1, 1), "reduction": 4},
        twin_input=(3, 32, 32),
    )
)
register(
    Network(
        "se_vgg16",
        se_vgg16,
        PAPER,
        input_shape=(3, 224, 224),
        num_classes=1000,
        twin={"width": 1 / 12, "pooled": 1, "reduction": 1},
        twin_input=(3, 32, 32),
    )
)
register(
    Network(
        "se_googlenet",
        se_googlenet,
        PAPER,
        input_shape=(3, 224, 224),
        num_classes=1000,
        twin={"width": 1 / 6, "reduction": 4},
        twin_input=(3, 32, 32),
        loss=auxiliary_loss,
    )
)
