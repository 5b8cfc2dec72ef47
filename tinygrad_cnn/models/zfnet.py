"""ZFNet: AlexNet with smaller first filters, found by looking at what its layers respond to.

M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
figure 3.

=======  ==================================  ===========  ==========
layer    what                                output       parameters
=======  ==================================  ===========  ==========
conv1    7x7, stride 2, padding 1            110x110x96   14,208
pool1    maximum 3x3, stride 2, rounded up   55x55x96     0
conv2    5x5, stride 2                       26x26x256    614,656
pool2    maximum 3x3, stride 2, rounded up   13x13x256    0
conv3    3x3, padding 1                      13x13x384    885,120
conv4    3x3, padding 1                      13x13x384    1,327,488
conv5    3x3, padding 1                      13x13x256    884,992
pool5    maximum 3x3, stride 2               6x6x256      0
fc6      9,216 to 4,096                      4096         37,752,832
fc7      4,096 to 4,096                      4096         16,781,312
fc8      4,096 to 1,000                      1000         4,097,000
total                                                     62,357,608
=======  ==================================  ===========  ==========

Left open by the paper, and chosen here: the padding of 1 in conv1 and pools that round up give
the sizes of its figure (110, 55, 26, 13, 6) from 224 pixels; its "contrast normalised across
feature maps" after the first two pools has no formula, and is AlexNet's local response
normalisation. The paper draws all weights at 0.01 and sets biases to 0.
"""

import math

from tinygrad_cnn import nn
from tinygrad_cnn.models.alexnet import response_norm
from tinygrad_cnn.models.building import Chain, Step, map_size, scaled
from tinygrad_cnn.models.initial_weights import draw_normal
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module


def zfnet(
    num_classes: int = 1000, width: float = 1.0, side: int = 224, dropout: float = 0.5
) -> Module:
    """Build ZFNet.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    width : float
        Factor of all channels and hidden units.
    side : int, in pixels
        Height and width of the images.
    dropout : float
        Share of inputs of fc7 and fc8 that is dropped.

    Returns
    -------
    Module
        Maps images (N, 3, side, side) to scores (N, num_classes).

    Raises
    ------
    OptionError
        If the images are too small.

    Examples
    --------
    >>> zfnet(width=1 / 16, side=64).count_parameters()
    342608
    """
    c1, c2, c3, c4, c5 = (scaled(c, width) for c in (96, 256, 384, 384, 256))
    hidden = scaled(4096, width)
    pool = Step(3, 2, up=True)
    last = map_size("zfnet", side, Step(7, 2, 1), pool, Step(5, 2), pool, Step(3, 2))
    model = Chain(
        {
            "conv1": nn.Conv2d(3, c1, 7, stride=2, padding=1),
            "relu1": nn.ReLU(),
            "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
            "norm1": response_norm(),
            "conv2": nn.Conv2d(c1, c2, 5, stride=2),
            "relu2": nn.ReLU(),
            "pool2": nn.MaxPool2d(3, 2, ceil_mode=True),
            "norm2": response_norm(),
            "conv3": nn.Conv2d(c2, c3, 3, padding=1),
            "relu3": nn.ReLU(),
            "conv4": nn.Conv2d(c3, c4, 3, padding=1),
            "relu4": nn.ReLU(),
            "conv5": nn.Conv2d(c4, c5, 3, padding=1),
            "relu5": nn.ReLU(),
            "pool5": nn.MaxPool2d(3, 2),
            "flatten": nn.Flatten(),
            "fc6": nn.Linear(c5 * last**2, hidden),
            "relu6": nn.ReLU(),
            "dropout6": nn.Dropout(dropout),
            "fc7": nn.Linear(hidden, hidden),
            "relu7": nn.ReLU(),
            "dropout7": nn.Dropout(dropout),
            "fc8": nn.Linear(hidden, num_classes),
        }
    )
    # A narrow twin adds up fewer values: its weights are as much larger as keeps their spread.
    draw_normal(model, 0.01 / math.sqrt(width))
    return model


register(
    Network(
        "zfnet",
        zfnet,
        "Zeiler and Fergus, ECCV 2014",
        input_shape=(3, 224, 224),
        num_classes=1000,
        twin={"width": 1 / 16, "side": 64},
        twin_input=(3, 64, 64),
    )
)
