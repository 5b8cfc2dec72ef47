"""VGG: nothing but 3x3 convolutions, deeper and deeper.

K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition",
ICLR 2015, table 1; parameters in millions as its table 2 has them, and exactly.

======  ==========  ========  ======  ======  =======  ======  ======
part    A           A-LRN     B       C       D        E       output
======  ==========  ========  ======  ======  =======  ======  ======
64      1           1, LRN    2       2       2        2       224
128     1           1         2       2       2        2       112
256     2           2         2       2, 1x1  3        4       56
512     2           2         2       2, 1x1  3        4       28
512     2           2         2       2, 1x1  3        4       14
======  ==========  ========  ======  ======  =======  ======  ======

Each part ends with a maximum over 2x2; then come 25,088 (7x7x512) to 4,096, to 4,096, to 1,000.

==========  =======  ===========  =====  ==================
name        column   parameters   paper  with batch norm
==========  =======  ===========  =====  ==================
vgg11       A        132,863,336  133M   132,868,840
vgg11_lrn   A-LRN    132,863,336  133M
vgg13       B        133,047,848  133M   133,053,736
vgg16_1x1   C        133,638,952  134M
vgg16       D        138,357,544  138M   138,365,992
vgg19       E        143,667,240  144M   143,678,248
==========  =======  ===========  =====  ==================

Names of parameters are torchvision's, and so are the initial weights: He's for what leaves a
convolution, N(0, 0.01²) for the fully connected layers. The paper draws A from N(0, 0.01²) and
starts the deeper ones from a trained A. Batch normalisation is torchvision's addition.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.models.alexnet import response_norm
from tinygrad_cnn.models.building import one_of, require_gate, require_pixels, scaled
from tinygrad_cnn.models.initial_weights import draw_filters, draw_normal
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor

PARTS = (64, 128, 256, 512, 512)  # channels
# Kernel sizes of the convolutions of each part.
COLUMNS: dict[str, tuple[tuple[int, ...], ...]] = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
NORMS = ("none", "batch", "local_response")


class VGG(Module):
    """A column of the paper's table 1.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    column : {"A", "B", "C", "D", "E"}
        Which one.
    norm : {"none", "batch", "local_response"}
        Batch normalisation after each convolution, or local response normalisation after the
        first rectifier (A-LRN).
    width : float
        Factor of all channels and hidden units.
    pooled : int, in pixels
        Side of the maps that the classifier sees.
    dropout : float
        Share of the hidden units of the classifier that is dropped.
    gate : callable, optional
        Given the number of channels, returns a module that stands behind the rectifier of
        each convolution.

    Raises
    ------
    OptionError
        If an option makes no sense.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        column: str = "D",
        norm: str = "none",
        width: float = 1.0,
        pooled: int = 7,
        dropout: float = 0.5,
        gate: Callable[[int], Module] | None = None,
    ) -> None:
        super().__init__()
        one_of("vgg", "column", column, COLUMNS)
        one_of("vgg", "norm", norm, NORMS)
        require_pixels("vgg", "pooled", pooled)
        require_gate("vgg", gate)
        channels = [scaled(c, width) for c in PARTS]
        hidden = scaled(4096, width)
        self.features = nn.Sequential(*_features(COLUMNS[column], channels, norm, gate))
        self.avgpool = nn.AdaptiveAvgPool2d(pooled)
        self.classifier = nn.Sequential(
            nn.Linear(channels[-1] * pooled**2, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        draw_filters(self)
        draw_normal(self.classifier, 0.01)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 3, 224, 224) to scores (N, num_classes)."""
        return self.classifier(F.flatten(self.avgpool(self.features(x)), 1))


def _features(
    column: Sequence[Sequence[int]],
    channels: Sequence[int],
    norm: str,
    gate: Callable[[int], Module] | None,
) -> list[Module]:
    layers: list[Module] = []
    before = 3
    for kernels, out in zip(column, channels, strict=True):
        for kernel in kernels:
            layers.append(nn.Conv2d(before, out, kernel, padding=kernel // 2))
            if norm == "batch":
                layers.append(nn.BatchNorm2d(out))
            layers.append(nn.ReLU())
            if gate is not None:
                layers.append(gate(out))
            if norm == "local_response" and before == 3:
                layers.append(response_norm())
            before = out
        layers.append(nn.MaxPool2d(2, 2))
    return layers


for _name, _column, _norm in (
    ("vgg11", "A", "none"),
    ("vgg11_bn", "A", "batch"),
    ("vgg11_lrn", "A", "local_response"),
    ("vgg13", "B", "none"),
    ("vgg13_bn", "B", "batch"),
    ("vgg16_1x1", "C", "none"),
    ("vgg16", "D", "none"),
    ("vgg16_bn", "D", "batch"),
    ("vgg19", "E", "none"),
    ("vgg19_bn", "E", "batch"),
):
    register(
        Network(
            _name,
            VGG,
            "Simonyan and Zisserman, ICLR 2015",
            input_shape=(3, 224, 224),
            num_classes=1000,
            options={"column": _column, "norm": _norm},
            twin={"width": 1 / 16, "pooled": 1},
            twin_input=(3, 32, 32),
        )
    )
