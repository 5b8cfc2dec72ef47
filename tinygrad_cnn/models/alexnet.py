"""AlexNet in three forms: as the lectures draw it, as the paper built it, as torchvision has it.

A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep convolutional
neural networks", NIPS 2012, section 3 and figure 2; A. Krizhevsky, "One weird trick for
parallelizing convolutional neural networks", 2014 (the form of torchvision).

=======  ==========================  ==========  ===========  ===========  ============
layer    what                        output      ungrouped    paper, two   torchvision
                                                              groups
=======  ==========================  ==========  ===========  ===========  ============
conv1    11x11, stride 4             55x55x96    34,944       34,944       23,296 (64)
pool1    maximum 3x3, stride 2       27x27x96    0            0            0
conv2    5x5, padding 2              27x27x256   614,656      307,456      307,392 (192)
pool2    maximum 3x3, stride 2       13x13x256   0            0            0
conv3    3x3, padding 1              13x13x384   885,120      885,120      663,936
conv4    3x3, padding 1              13x13x384   1,327,488    663,936      884,992 (256)
conv5    3x3, padding 1              13x13x256   884,992      442,624      590,080
pool5    maximum 3x3, stride 2       6x6x256     0            0            0
fc6      9,216 to 4,096              4096        37,752,832   37,752,832   37,752,832
fc7      4,096 to 4,096              4096        16,781,312   16,781,312   16,781,312
fc8      4,096 to 1,000              1000        4,097,000    4,097,000    4,097,000
total                                            62,378,344   60,965,224   61,100,840
=======  ==========================  ==========  ===========  ===========  ============

The paper says 224x224; its 55x55 maps need 227 pixels, or a padding of 2 as torchvision has it.
Its two GPUs each hold half of the maps of a layer, and see only those in conv2, conv4 and conv5:
two groups. Local response normalisation follows the first two rectifiers. Weights start from
N(0, 0.01²), biases at 1 in conv2, conv4, conv5 and the hidden fully connected layers, else at 0.
"""

import math
from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.models.building import (
    Chain,
    Step,
    map_size,
    one_of,
    require_pixels,
    scaled,
)
from tinygrad_cnn.models.initial_weights import draw_normal
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module, init
from tinygrad_cnn.tensor import Tensor

PAPER = "Krizhevsky et al., NIPS 2012"
WITH_BIAS_ONE = ("conv2", "conv4", "conv5", "fc6", "fc7")
NORM_PLACES = ("before_pool", "after_pool", "none")


def response_norm() -> Module:
    """Return the normalisation of section 3.3: k = 2, n = 5, α = 1e-4, β = 0.75.

    The paper multiplies the sum of the squares by α; :class:`~tinygrad_cnn.nn.LocalResponseNorm`,
    as PyTorch's, by α / n: so 5e-4 is what stands there.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def alexnet(
    num_classes: int = 1000,
    groups: int = 1,
    norm: str = "before_pool",
    width: float = 1.0,
    side: int = 227,
    dropout: float = 0.5,
) -> Module:
    """Build AlexNet with layers named as in the paper's figure.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    groups : int
        Of conv2, conv4 and conv5: 1 as the lectures draw it, 2 for the paper's two GPUs.
    norm : {"before_pool", "after_pool", "none"}
        Where local response normalisation stands in layers 1 and 2. The paper has
        ReLU, norm, pool; one of the decks has the pool first.
    width : float
        Factor of all channels and hidden units.
    side : int, in pixels
        Height and width of the images.
    dropout : float
        Share of inputs of fc7 and fc8 that is dropped, after fc6 and fc7.

    Returns
    -------
    Module
        Maps images (N, 3, side, side) to scores (N, num_classes).

    Raises
    ------
    OptionError
        If an option makes no sense, or images are too small.

    Examples
    --------
    >>> alexnet(width=1 / 16, side=67).count_parameters()
    343904
    """
    one_of("alexnet", "norm", norm, NORM_PLACES)
    c1, c2, c3, c4, c5 = (scaled(c, width, groups) for c in (96, 256, 384, 384, 256))
    hidden = scaled(4096, width)
    pool = Step(3, 2)
    last = map_size("alexnet", side, Step(11, 4), pool, pool, pool)
    layers: dict[str, Module] = {
        "conv1": nn.Conv2d(3, c1, 11, stride=4),
        "conv2": nn.Conv2d(c1, c2, 5, padding=2, groups=groups),
        "conv3": nn.Conv2d(c2, c3, 3, padding=1),
        "conv4": nn.Conv2d(c3, c4, 3, padding=1, groups=groups),
        "conv5": nn.Conv2d(c4, c5, 3, padding=1, groups=groups),
    }
    chain: dict[str, Module] = {}
    for k, (name, convolution) in enumerate(layers.items(), start=1):
        chain |= {name: convolution, f"relu{k}": nn.ReLU()}
        if k <= 2 and norm == "before_pool":
            chain[f"norm{k}"] = response_norm()
        if k in (1, 2, 5):
            chain[f"pool{k}"] = nn.MaxPool2d(3, 2)
        if k <= 2 and norm == "after_pool":
            chain[f"norm{k}"] = response_norm()
    chain |= {
        "flatten": nn.Flatten(),
        "fc6": nn.Linear(c5 * last**2, hidden),
        "relu6": nn.ReLU(),
        "dropout6": nn.Dropout(dropout),
        "fc7": nn.Linear(hidden, hidden),
        "relu7": nn.ReLU(),
        "dropout7": nn.Dropout(dropout),
        "fc8": nn.Linear(hidden, num_classes),
    }
    model = Chain(chain)
    # A narrow twin adds up fewer values: its weights are as much larger as keeps their spread.
    draw_normal(model, 0.01 / math.sqrt(width))
    for name in WITH_BIAS_ONE:
        init.ones_(getattr(model, name).bias)
    return model


class AlexNetTorchvision(Module):
    """The single-column form of 2014; names of parameters are torchvision's.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    width : float
        Factor of all channels and hidden units.
    pooled : int, in pixels
        Side of the maps that the classifier sees.
    dropout : float
        Share of inputs of the hidden layers that is dropped.

    Notes
    -----
    Weights and biases start from U(-1/√fan-in, 1/√fan-in), as PyTorch's layers do.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width: float = 1.0,
        pooled: int = 6,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        require_pixels("alexnet_torchvision", "pooled", pooled)
        c1, c2, c3, c4, c5 = (scaled(c, width) for c in (64, 192, 384, 256, 256))
        hidden = scaled(4096, width)
        self.features = nn.Sequential(
            nn.Conv2d(3, c1, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c1, c2, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c2, c3, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c3, c4, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c4, c5, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(pooled)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(c5 * pooled**2, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 3, 224, 224) to scores (N, num_classes)."""
        return self.classifier(F.flatten(self.avgpool(self.features(x)), 1))


for _name, _groups in (("alexnet", 1), ("alexnet_original", 2)):
    register(
        Network(
            _name,
            alexnet,
            PAPER,
            input_shape=(3, 227, 227),
            num_classes=1000,
            options={"groups": _groups},
            twin={"width": 1 / 16, "side": 67},
            twin_input=(3, 67, 67),
        )
    )
register(
    Network(
        "alexnet_torchvision",
        AlexNetTorchvision,
        "Krizhevsky, arXiv:1404.5997, 2014",
        input_shape=(3, 224, 224),
        num_classes=1000,
        twin={"width": 1 / 16, "pooled": 1},
        twin_input=(3, 64, 64),
    )
)
