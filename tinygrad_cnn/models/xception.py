"""Xception: depthwise separable convolutions, and shortcuts around them.

F. Chollet, "Xception: deep learning with depthwise separable convolutions", CVPR 2017, figure 5.
A separable convolution is 3x3 within each map, then 1x1 across the maps; normalisation follows
every convolution.

======  ============  ==============================================  ==========
flow    output        what                                            parameters
======  ============  ==============================================  ==========
entry   149x149x32    3x3, stride 2, without padding                  928
        147x147x64    3x3, without padding                            18,560
        74x74x128     separable 128, 128, maximum 3x3 of stride 2     35,264
        37x37x256     separable 256, 256, maximum 3x3 of stride 2     136,064
        19x19x728     separable 728, 728, maximum 3x3 of stride 2     915,944
middle  19x19x728     8 times separable 728, 728, 728                 12,911,808
exit    10x10x1024    separable 728, 1024, maximum 3x3 of stride 2    2,039,584
        10x10x2048    separable 1536, 2048                            4,748,800
        1000          average over the map, dropout 50 %              2,049,000
total                                                                 22,855,952
======  ============  ==============================================  ==========

Beside each row of separable convolutions runs a shortcut, a 1x1 convolution of stride 2 where
the size changes. The figure's total as Keras counts it is 22,910,480: its 54,528 running means
and variances included. The paper says 22,855,952.

Where sides are even, pools of stride 2 begin at the first pixel and reach over the last, as
TensorFlow pads; so weights from Keras would compute the same. ε is Keras's 0.001. The paper does
not say how weights start; here they are He's.
"""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.building import is_whole, scaled
from tinygrad_cnn.models.initial_weights import draw_he
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor

__all__ = ["SeparableConv2d", "Xception", "XceptionBlock"]

EPSILON = 0.001


class SeparableConv2d(Module):
    """A 3x3 convolution within each map, then one of 1x1 across them; no biases.

    Parameters
    ----------
    in_channels, out_channels : int
    """

    chains = (("depthwise", "pointwise"),)

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, H, W)."""
        return self.pointwise(self.depthwise(x))


class XceptionBlock(Module):
    """Rectifiers, separable convolutions and normalisation, beside a shortcut.

    Parameters
    ----------
    in_channels : int
    channels : sequence of int
        Of the separable convolutions.
    shrinks : bool
        Ends with a pool of stride 2, and has a 1x1 convolution of stride 2 as shortcut.
    rectify_first : bool
        Whether a rectifier stands before the first convolution, too.
    """

    def __init__(
        self,
        in_channels: int,
        channels: tuple[int, ...],
        shrinks: bool = True,
        rectify_first: bool = True,
    ) -> None:
        super().__init__()
        self.rectify_first, self.count = rectify_first, len(channels)
        self.skip = self.skip_norm = None
        if shrinks:
            self.skip = nn.Conv2d(in_channels, channels[-1], 1, stride=2, bias=False)
            self.skip_norm = nn.BatchNorm2d(channels[-1], eps=EPSILON)
        for number, out in enumerate(channels, start=1):
            if number > 1 or rectify_first:
                setattr(self, f"relu{number}", nn.ReLU())
            setattr(self, f"conv{number}", SeparableConv2d(in_channels, out))
            setattr(self, f"norm{number}", nn.BatchNorm2d(out, eps=EPSILON))
            in_channels = out

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:  # type: ignore[override]
        """The convolutions with what stands between them, and the shortcut."""
        branch: list[str] = []
        for number in range(1, self.count + 1):
            if number > 1:
                branch.append(f"relu{number}")
            conv = f"conv{number}"
            branch += [f"{conv}.depthwise", f"{conv}.pointwise", f"norm{number}"]
        return tuple(branch), ("skip", "skip_norm")

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, O, H / 2, W / 2), rounded up, or to (N, C, H, W)."""
        y: Any = x
        for number in range(1, self.count + 1):
            if number > 1 or self.rectify_first:
                y = getattr(self, f"relu{number}")(y)
            y = getattr(self, f"norm{number}")(getattr(self, f"conv{number}")(y))
        if self.skip is None or self.skip_norm is None:
            return y + x
        # Of even sides the last window reaches one pixel over the edge, of odd ones both
        # outer windows do.
        odd = (x.shape[2] % 2, x.shape[3] % 2)
        y = F.max_pool2d(y, 3, 2, odd, ceil_mode=True)
        return y + self.skip_norm(self.skip(x))


class Xception(Module):
    """The paper's figure 5.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    middle : int
        Blocks of the middle flow.
    width : float
        Factor of all channels.
    dropout : float
        Share of the 2048 values before the last layer that is dropped; the paper has 0.5 on
        ImageNet.

    Raises
    ------
    OptionError
        If there is no middle flow.
    """

    chains = (
        ("conv1", "norm1", "relu1", "conv2", "norm2", "relu2"),
        ("conv3.pointwise", "norm3", "relu3"),
        ("conv4.pointwise", "norm4", "relu4"),
    )

    def __init__(
        self,
        num_classes: int = 1000,
        middle: int = 8,
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if not is_whole(middle, 1):
            raise OptionError(f"xception: the middle flow has at least one block; got {middle!r}")
        c32, c64, c128, c256, c728, c1024, c1536, c2048 = (
            scaled(c, width) for c in (32, 64, 128, 256, 728, 1024, 1536, 2048)
        )
        self.conv1 = nn.Conv2d(3, c32, 3, stride=2, bias=False)
        self.norm1 = nn.BatchNorm2d(c32, eps=EPSILON)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(c32, c64, 3, bias=False)
        self.norm2 = nn.BatchNorm2d(c64, eps=EPSILON)
        self.relu2 = nn.ReLU()
        self.entry = nn.Sequential(
            XceptionBlock(c64, (c128, c128), rectify_first=False),
            XceptionBlock(c128, (c256, c256)),
            XceptionBlock(c256, (c728, c728)),
        )
        self.middle = nn.Sequential(
            *(XceptionBlock(c728, (c728, c728, c728), shrinks=False) for _ in range(middle))
        )
        self.exit = XceptionBlock(c728, (c728, c1024))
        self.conv3 = SeparableConv2d(c1024, c1536)
        self.norm3 = nn.BatchNorm2d(c1536, eps=EPSILON)
        self.relu3 = nn.ReLU()
        self.conv4 = SeparableConv2d(c1536, c2048)
        self.norm4 = nn.BatchNorm2d(c2048, eps=EPSILON)
        self.relu4 = nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(c2048, num_classes)
        draw_he(self)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 3, 299, 299) to scores (N, num_classes)."""
        x = self.relu1(self.norm1(self.conv1(x)))
        x = self.relu2(self.norm2(self.conv2(x)))
        x = self.exit(self.middle(self.entry(x)))
        x = self.relu3(self.norm3(self.conv3(x)))
        x = self.relu4(self.norm4(self.conv4(x)))
        return self.fc(self.dropout(F.flatten(self.avgpool(x), 1)))


register(
    Network(
        "xception",
        Xception,
        "Chollet, CVPR 2017",
        input_shape=(3, 299, 299),
        num_classes=1000,
        twin={"width": 1 / 32, "middle": 2},
        twin_input=(3, 64, 64),
    )
)
