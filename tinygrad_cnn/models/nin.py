"""Network in Network for CIFAR-10: 1x1 convolutions after each, and no fully connected layer.

M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014, section 3.1, figure 2, section 4.

=======  =================================  =========  ==========
layer    what                               output     parameters
=======  =================================  =========  ==========
conv1    5x5, padding 2                     32x32x192  14,592
cccp1    1x1                                32x32x160  30,880
cccp2    1x1                                32x32x96   15,456
pool1    maximum 3x3, stride 2, rounded up  16x16x96   0
conv2    5x5, padding 2                     16x16x192  460,992
cccp3    1x1                                16x16x192  37,056
cccp4    1x1                                16x16x192  37,056
pool2    average 3x3, stride 2, rounded up  8x8x192    0
conv3    3x3, padding 1                     8x8x192    331,968
cccp5    1x1                                8x8x192    37,056
cccp6    1x1                                8x8x10     1,930
pool3    average over the map               10         0
total                                                  966,986
=======  =================================  =========  ==========

The paper gives neither filter sizes nor channels: these are of the configuration that its
authors published for CIFAR-10, with its names (cccp: cascaded cross channel parametric pooling)
and its average in pool2. A rectifier follows every convolution, also the last (equation 2).
Dropout of a half stands after pool1 and pool2. The paper does not say how weights start; here
as He's, but for cccp6: biases of 1 and a thousandth of He's variance, so that the rectifier
behind it lets the error signals of all classes through at first.
"""

from tinygrad_cnn import nn
from tinygrad_cnn.models.building import Chain, scaled
from tinygrad_cnn.models.initial_weights import draw_he, draw_rectified_scores
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module


def nin(num_classes: int = 10, width: float = 1.0, dropout: float = 0.5) -> Module:
    """Build Network in Network in its CIFAR form.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    width : float
        Factor of all channels.
    dropout : float
        Share of values that is dropped after the first two pools.

    Returns
    -------
    Module
        Maps images (N, 3, 32, 32) to scores (N, num_classes).

    Examples
    --------
    >>> nin().count_parameters()
    966986
    """
    c1, c2, c3, c = (scaled(channels, width) for channels in (192, 160, 96, 192))
    model = Chain(
        {
            "conv1": nn.Conv2d(3, c1, 5, padding=2),
            "relu_conv1": nn.ReLU(),
            "cccp1": nn.Conv2d(c1, c2, 1),
            "relu_cccp1": nn.ReLU(),
            "cccp2": nn.Conv2d(c2, c3, 1),
            "relu_cccp2": nn.ReLU(),
            "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
            "dropout1": nn.Dropout(dropout),
            "conv2": nn.Conv2d(c3, c, 5, padding=2),
            "relu_conv2": nn.ReLU(),
            "cccp3": nn.Conv2d(c, c, 1),
            "relu_cccp3": nn.ReLU(),
            "cccp4": nn.Conv2d(c, c, 1),
            "relu_cccp4": nn.ReLU(),
            "pool2": nn.AvgPool2d(3, 2, ceil_mode=True),
            "dropout2": nn.Dropout(dropout),
            "conv3": nn.Conv2d(c, c, 3, padding=1),
            "relu_conv3": nn.ReLU(),
            "cccp5": nn.Conv2d(c, c, 1),
            "relu_cccp5": nn.ReLU(),
            "cccp6": nn.Conv2d(c, num_classes, 1),
            "relu_cccp6": nn.ReLU(),
            "pool3": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
        }
    )
    draw_he(model)
    draw_rectified_scores(model)
    return model


register(
    Network(
        "nin",
        nin,
        "Lin et al., ICLR 2014",
        input_shape=(3, 32, 32),
        num_classes=10,
        twin={"width": 1 / 12},
        twin_input=(3, 16, 16),
    )
)
