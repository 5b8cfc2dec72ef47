"""GoogLeNet as its paper describes it: nine inception modules, no batch normalisation.

C. Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1 and figure 3.

=======  ============  ===  ==========  ===  ==========  ===  ====  ==========  =======
layer    output        1x1  3x3 reduce  3x3  5x5 reduce  5x5  pool  parameters  paper
=======  ============  ===  ==========  ===  ==========  ===  ====  ==========  =======
conv1    112x112x64    7x7, stride 2                                9,472       2.7K
pool1    56x56x64      maximum 3x3, stride 2; then local response normalisation
conv2    56x56x192          64          192                         114,944     112K
pool2    28x28x192     local response normalisation; then maximum 3x3, stride 2
3a       28x28x256     64   96          128  16          32   32    163,696     159K
3b       28x28x480     128  128         192  32          96   64    388,736     380K
pool3    14x14x480     maximum 3x3, stride 2
4a       14x14x512     192  96          208  16          48   64    376,176     364K
4b       14x14x512     160  112         224  24          64   64    449,160     437K
4c       14x14x512     128  128         256  24          64   64    510,104     463K
4d       14x14x528     112  144         288  32          64   64    605,376     580K
4e       14x14x832     256  160         320  32          128  128   868,352     840K
pool4    7x7x832       maximum 3x3, stride 2
5a       7x7x832       256  160         320  32          128  128   1,043,456   1072K
5b       7x7x1024      384  192         384  48          128  128   1,444,080   1388K
fc       1000          average over the map, dropout 40 %           1,025,000   1000K
total                                                               6,998,552
=======  ============  ===  ==========  ===  ==========  ===  ====  ==========  =======

The paper's column disagrees with the channels of its own table: in units of 1,024 weights, without
biases, these make 9.2K, 112K, 159.5K, 379K, 366.8K, 438K, 497.5K, 590.5K, 847K, 1018K, 1409K and
1000K.

Auxiliary classifiers stand behind 4a and 4d: average over 5x5 with stride 3, a 1x1 convolution
to 128 maps, 1,024 hidden units, dropout 70 %, 1,000 outputs; with them 13,378,280 parameters.
Their losses count 0.3 each in training, and they are left out afterwards.

The paper gives neither initial weights nor the constants of the normalisation. Both are those of
the reproduction that the Caffe project published: weights of variance 1 / fan-in, biases of
convolutions at 0.2, which keeps rectifiers awake; n = 5, α = 1e-4, β = 0.75, k = 1. He's weights,
twice as large in variance, would add up with these biases over 22 layers to scores far from 0;
they are right behind gates, which halve all maps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.models.building import require_gate, scaled
from tinygrad_cnn.models.inception import Inception
from tinygrad_cnn.models.initial_weights import weighty
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module, init
from tinygrad_cnn.tensor import Tensor

__all__ = ["MODULES", "GoogLeNet", "GoogLeNetOutputs", "auxiliary_loss"]

# Channels of each module: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool.
MODULES: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
FIRST_BIAS = 0.2
AUXILIARY_SHARE = 0.3


class GoogLeNetOutputs(NamedTuple):
    """What GoogLeNet returns in training with auxiliary classifiers, in torchvision's order."""

    logits: Any
    aux_logits2: Any
    aux_logits1: Any


def auxiliary_loss(outputs: Any, labels: Any) -> Any:
    """Return the cross entropy of the scores, plus 0.3 times that of each auxiliary classifier.

    Parameters
    ----------
    outputs : Tensor, or GoogLeNetOutputs
        What the network returned.
    labels : ndarray of int, shape (N,)

    References
    ----------
    .. [1] C. Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 5.
    """
    if not isinstance(outputs, GoogLeNetOutputs):
        return F.cross_entropy(outputs, labels)
    main, second, first = (F.cross_entropy(scores, labels) for scores in outputs)
    return main + (first + second) * AUXILIARY_SHARE


class AuxiliaryHead(Module):
    """A classifier on maps in the middle of the network.

    Parameters
    ----------
    in_channels : int
    num_classes : int
    width : float
        Factor of maps and hidden units.
    """

    chains = ("conv", "relu"), ("fc1", "relu1")

    def __init__(self, in_channels: int, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        maps, hidden = scaled(128, width), scaled(1024, width)
        self.conv = nn.Conv2d(in_channels, maps, 1)
        self.relu = nn.ReLU()
        self.fc1 = nn.Linear(maps * 4 * 4, hidden)
        self.relu1 = nn.ReLU()
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, 14, 14) to scores (N, num_classes).

        Maps of other sizes, which the paper does not have, are averaged over 4x4 even parts.
        """
        large = x.shape[2:] == (14, 14)
        x = F.avg_pool2d(x, 5, 3) if large else F.adaptive_avg_pool2d(x, 4)
        x = self.relu(self.conv(x))
        return self.fc2(self.dropout(self.relu1(self.fc1(F.flatten(x, 1)))))


class GoogLeNet(Module):
    """The paper's table 1.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    aux : bool
        With auxiliary classifiers. In training it then returns :class:`GoogLeNetOutputs`; the
        paper's loss is that of the scores plus 0.3 times those of the other two.
    width : float
        Factor of all channels.
    gate : callable, optional
        Given the number of channels, returns a module that stands behind each inception
        module.

    Raises
    ------
    OptionError
        If an option makes no sense.
    """

    chains = ("conv1", "relu1"), ("reduce2", "relu_reduce2", "conv2", "relu2")

    def __init__(
        self,
        num_classes: int = 1000,
        aux: bool = False,
        width: float = 1.0,
        gate: Callable[[int], Module] | None = None,
    ) -> None:
        super().__init__()
        require_gate("googlenet", gate)
        channels, reduced, widened = (scaled(c, width) for c in (64, 64, 192))
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.norm1 = nn.LocalResponseNorm(5)
        self.reduce2 = nn.Conv2d(channels, reduced, 1)
        self.relu_reduce2 = nn.ReLU()
        self.conv2 = nn.Conv2d(reduced, widened, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.norm2 = nn.LocalResponseNorm(5)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        channels = widened
        heads = {}
        for name, row in MODULES.items():
            module = Inception(channels, *(scaled(c, width) for c in row))
            channels = module.out_channels
            setattr(self, f"inception{name}", module)
            if gate is not None:
                setattr(self, f"gate{name}", gate(channels))
            if name in ("4a", "4d"):
                heads[name] = AuxiliaryHead(channels, num_classes, width) if aux else None
        self.pool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.pool4 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.aux1, self.aux2 = heads["4a"], heads["4d"]
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(channels, num_classes)
        self.gated = gate is not None
        self._draw_weights()

    def _draw_weights(self) -> None:
        for path, layer in weighty(self):
            if path.startswith("gate"):  # has initial weights of its own
                continue
            init.kaiming_uniform_(layer.weight, nonlinearity="relu" if self.gated else "linear")
            if layer.bias is not None:
                init.constant_(layer.bias, FIRST_BIAS if isinstance(layer, nn.Conv2d) else 0.0)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 3, 224, 224) to scores (N, num_classes), or three of them."""
        x = self.norm1(self.pool1(self.relu1(self.conv1(x))))
        x = self.relu2(self.conv2(self.relu_reduce2(self.reduce2(x))))
        x = self.pool2(self.norm2(x))
        x = self._module("3b", self._module("3a", x))
        x = self._module("4a", self.pool3(x))
        first = self.aux1(x) if self.training and self.aux1 else None
        x = self._module("4d", self._module("4c", self._module("4b", x)))
        second = self.aux2(x) if self.training and self.aux2 else None
        x = self._module("4e", x)
        x = self._module("5b", self._module("5a", self.pool4(x)))
        scores = self.fc(self.dropout(F.flatten(self.avgpool(x), 1)))
        return scores if first is None else GoogLeNetOutputs(scores, second, first)

    def _module(self, name: str, x: Any) -> Any:
        x = getattr(self, f"inception{name}")(x)
        return getattr(self, f"gate{name}")(x) if self.gated else x


register(
    Network(
        "googlenet",
        GoogLeNet,
        "Szegedy et al., CVPR 2015",
        input_shape=(3, 224, 224),
        num_classes=1000,
        twin={"width": 1 / 5},
        twin_input=(3, 32, 32),
        loss=auxiliary_loss,
    )
)
