"""Squeeze and excitation: channels weigh each other."""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn.nn.activation import ReLU
from tinygrad_cnn.nn.conv import Conv2d
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.nn.requirements import require_positive
from tinygrad_cnn.tensor import Tensor


class SqueezeExcitation(Module):
    """Multiply each channel by a gate that is computed from the means of all channels.

    Parameters
    ----------
    channels : int
    squeeze_channels : int
        Channels between the two maps; the paper's C / r with the reduction ratio r = 16.

    Raises
    ------
    OptionError
        If one of them is not a positive integer.

    Notes
    -----
    ``z = mean of x over the pixels`` (squeeze), ``s = σ(W₂ relu(W₁ z + b₁) + b₂)`` (excitation),
    ``y = s ∘ x``. The maps are 1x1 convolutions `fc1` and `fc2`, as torchvision has them.

    References
    ----------
    .. [1] J. Hu, L. Shen, G. Sun, "Squeeze-and-excitation networks", CVPR 2018, section 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> layer = tg.nn.SqueezeExcitation(32, 2)
    >>> layer(tg.ones(1, 32, 4, 4)).shape, layer.count_parameters()
    ((1, 32, 4, 4), 162)
    """

    chains = (("fc1", "relu"),)

    def __init__(self, channels: int, squeeze_channels: int) -> None:
        super().__init__()
        sizes = {"channels": channels, "squeeze_channels": squeeze_channels}
        require_positive("SqueezeExcitation", **sizes)
        self.fc1 = Conv2d(channels, squeeze_channels, 1)
        self.relu = ReLU()
        self.fc2 = Conv2d(squeeze_channels, channels, 1)

    def gate(self, x: Tensor) -> Any:
        """Return the factors of the channels, (N, C, 1, 1), each between 0 and 1."""
        return self.fc2(self.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))).sigmoid()

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to itself, channel by channel scaled."""
        return x * self.gate(x)
