"""The All-CNN study: what becomes of a network whose pooling is replaced by strides.

J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for simplicity: the all
convolutional net", ICLR 2015 (workshop), tables 1 and 2.

=====  ===========================  ===========================  ================
part   A                            B                            C
=====  ===========================  ===========================  ================
input  32x32x3                      32x32x3                      32x32x3
one    5x5 96                       5x5 96, 1x1 96               3x3 96, 3x3 96
down   maximum 3x3, stride 2        maximum 3x3, stride 2        maximum 3x3 / 2
two    5x5 192                      5x5 192, 1x1 192             3x3 192, 3x3 192
down   maximum 3x3, stride 2        maximum 3x3, stride 2        maximum 3x3 / 2
top    3x3 192, 1x1 192, 1x1 10, the average over 6x6 of each of the ten maps
=====  ===========================  ===========================  ================

==========  ==============================================  =========  =========  =========
kind        how it goes down                                A          B          C
==========  ==============================================  =========  =========  =========
base        pooling                                         839,242    885,610    954,730
strided     no pooling; the layer before it has stride 2    839,242    885,610    954,730
convpool    one more 3x3 convolution before each pooling    1,254,250  1,300,618  1,369,738
allcnn      that convolution, with stride 2, and no pool    1,254,250  1,300,618  1,369,738
==========  ==============================================  =========  =========  =========

In strided_b the layer before a pool, which takes its stride, is the 1x1 convolution. A rectifier
follows every convolution, also the last. The paper drops 20 % of the input and half
of the values after each way down. Chosen here, where the tables are silent: borders that keep
the size (pooling takes 32 to 16 to 8), none in the 3x3 convolution at the top, so that the last
average runs over 6x6 as the paper says; He's weights, but for the last convolution: biases of
1 and a thousandth of He's variance, so that the rectifier behind it lets the error signals of
all classes through at first. With biases of zero it may cut all of a class's map, which is then
never learnt.
"""

from typing import Any

from tinygrad_cnn import nn
from tinygrad_cnn.models.building import Chain, one_of, scaled
from tinygrad_cnn.models.initial_weights import draw_he, draw_rectified_scores
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module

KINDS = ("base", "strided", "convpool", "allcnn")
# Kernel sizes of the convolutions of a part.
BASES: dict[str, tuple[int, ...]] = {"a": (5,), "b": (5, 1), "c": (3, 3)}


def all_cnn(
    num_classes: int = 10,
    kind: str = "allcnn",
    base: str = "c",
    width: float = 1.0,
    input_dropout: float = 0.2,
    dropout: float = 0.5,
) -> Module:
    """Build one of the twelve networks of the study.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    kind : {"base", "strided", "convpool", "allcnn"}
        How it goes down in resolution.
    base : {"a", "b", "c"}
        Its convolutions.
    width : float
        Factor of all channels.
    input_dropout, dropout : float
        Shares of the input and of the values after each way down that are dropped.

    Returns
    -------
    Module
        Maps images (N, 3, 32, 32) to scores (N, num_classes).

    Raises
    ------
    OptionError
        If an option makes no sense.

    Examples
    --------
    >>> all_cnn(kind="strided", base="a").count_parameters()
    839242
    """
    one_of("all_cnn", "kind", kind, KINDS)
    one_of("all_cnn", "base", base, BASES)
    narrow, wide = scaled(96, width), scaled(192, width)
    layers: dict[str, Module] = {"dropout0": nn.Dropout(input_dropout)}
    channels, count = 3, 0

    def convolve(out: int, kernel: int, **options: Any) -> None:
        nonlocal channels, count
        count += 1
        layers[f"conv{count}"] = nn.Conv2d(channels, out, kernel, **options)
        layers[f"relu{count}"] = nn.ReLU()
        channels = out

    for part, out in enumerate((narrow, wide), start=1):
        kernels = BASES[base]
        for position, kernel in enumerate(kernels, start=1):
            last = position == len(kernels)
            stride = 2 if last and kind == "strided" else 1
            convolve(out, kernel, stride=stride, padding=kernel // 2)
        if kind in ("convpool", "allcnn"):
            convolve(out, 3, stride=2 if kind == "allcnn" else 1, padding=1)
        if kind in ("base", "convpool"):
            layers[f"pool{part}"] = nn.MaxPool2d(3, 2, 1)
        layers[f"dropout{part}"] = nn.Dropout(dropout)
    convolve(wide, 3)
    convolve(wide, 1)
    convolve(num_classes, 1)
    layers |= {"average": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    model = Chain(layers)
    draw_he(model)
    draw_rectified_scores(model)
    return model


for _kind in KINDS:
    for _base in BASES:
        register(
            Network(
                f"{_kind}_{_base}",
                all_cnn,
                "Springenberg et al., ICLR 2015",
                input_shape=(3, 32, 32),
                num_classes=10,
                options={"kind": _kind, "base": _base},
                twin={"width": 1 / 8},
                twin_input=(3, 16, 16),
            )
        )
