"""The two networks of the lectures' laboratory on MNIST ("Lab 11").

"Lab" of the Korean lecture decks: Xavier weights, ReLU, maximum pooling, cross entropy, Adam
with rate 0.001, batches of 100, 15 epochs. The deck's script trains on pixels from 0 to 1 and
tests on pixels from 0 to 255; they have to be of one range.

======  ==========================  ==========  ==========
layer   two convolutions            output      parameters
======  ==========================  ==========  ==========
conv1   32 filters 3x3, padding 1   28x28x32    320
pool1   maximum 2x2                 14x14x32    0
conv2   64 filters 3x3, padding 1   14x14x64    18,496
pool2   maximum 2x2                 7x7x64      0
fc      3,136 to 10                 10          31,370
total                                           50,186
======  ==========================  ==========  ==========

======  ==========================  ==========  ==========
layer   three convolutions          output      parameters
======  ==========================  ==========  ==========
conv1   32 filters 3x3, padding 1   28x28x32    320
pool1   maximum 2x2                 14x14x32    0
conv2   64 filters 3x3, padding 1   14x14x64    18,496
pool2   maximum 2x2                 7x7x64      0
conv3   128 filters 3x3, padding 1  7x7x128     73,856
pool3   maximum 2x2, padding 1      4x4x128     0
fc4     2,048 to 625                625         1,280,625
fc5     625 to 10                   10          6,260
total                                           1,379,557
======  ==========================  ==========  ==========

The padding of pool3 is not named in the deck; its 4·4·128 inputs of fc4 need it. Biases start
at zero, which the deck leaves open. Dropout is off unless asked for.
"""

from tinygrad_cnn import nn
from tinygrad_cnn.models.building import Chain, Step, map_size, one_of, scaled
from tinygrad_cnn.models.initial_weights import draw_xavier
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module


def lab11(
    num_classes: int = 10,
    convolutions: int = 2,
    width: float = 1.0,
    side: int = 28,
    dropout: float = 0.0,
) -> Module:
    """Build a network of Lab 11.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    convolutions : {2, 3}
        Which of the two.
    width : float
        Factor of all channels and hidden units.
    side : int, in pixels
        Height and width of the images.
    dropout : float
        Share of values that is dropped after each block and hidden layer.

    Returns
    -------
    Module
        Maps images (N, 1, side, side) to scores (N, num_classes).

    Raises
    ------
    OptionError
        If an option makes no sense, or images are too small.

    Examples
    --------
    >>> lab11(convolutions=2).count_parameters()
    50186
    """
    one_of("lab11", "convolutions", convolutions, (2, 3))
    name = f"lab11_cnn{convolutions}"
    channels = [1, *(scaled(c, width) for c in (32, 64, 128)[:convolutions])]
    layers: dict[str, Module] = {}
    for k in range(1, convolutions + 1):
        layers[f"conv{k}"] = nn.Conv2d(channels[k - 1], channels[k], 3, padding=1)
        layers[f"relu{k}"] = nn.ReLU()
        layers[f"pool{k}"] = nn.MaxPool2d(2, 2, 1 if k == 3 else 0)
        if dropout:
            layers[f"dropout{k}"] = nn.Dropout(dropout)
    pools = (Step(2, 2), Step(2, 2), Step(2, 2, padding=1))[:convolutions]
    features = channels[-1] * map_size(name, side, *pools) ** 2
    layers["flatten"] = nn.Flatten()
    if convolutions == 2:
        layers["fc"] = nn.Linear(features, num_classes)
    else:
        hidden = scaled(625, width)
        layers["fc4"] = nn.Linear(features, hidden)
        layers["relu4"] = nn.ReLU()
        if dropout:
            layers["dropout4"] = nn.Dropout(dropout)
        layers["fc5"] = nn.Linear(hidden, num_classes)
    model = Chain(layers)
    draw_xavier(model)
    return model


for _convolutions in (2, 3):
    register(
        Network(
            f"lab11_cnn{_convolutions}",
            lab11,
            "Lab 11 of the lecture decks",
            input_shape=(1, 28, 28),
            num_classes=10,
            options={"convolutions": _convolutions},
            twin={"width": 0.25},
            twin_input=(1, 28, 28),
        )
    )
