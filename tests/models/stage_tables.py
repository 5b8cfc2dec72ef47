"""What every stage of every network returns, as the papers have it: layer -> shape, no image.

A stage is a layer that stands at the top of its network, or in a part of it that only holds
layers (:data:`HOLDERS`), and that can change a shape. Rectifiers, normalisation, dropout and gates
cannot; inside blocks nothing is told apart.
"""

from tinygrad_cnn import nn

from .at_full_size import Shapes, built, summed_up

HOLDERS = ("features", "classifier", "entry", "inception")
KEEP_SHAPES = (
    nn.ReLU, nn.Sigmoid, nn.Tanh, nn.BatchNorm2d, nn.LocalResponseNorm, nn.Dropout,
    nn.SqueezeExcitation,
)  # fmt: skip


def stages(name: str) -> Shapes:
    """Return what the stages of a network at full size return, in the order they end."""
    layers, found = dict(built(name).named_modules()), Shapes()
    for row in summed_up(name).rows:
        parts = row.path.split(".")
        path = ".".join(parts[: 2 if parts[0] in HOLDERS else 1])
        holds = path in HOLDERS and any(layers[path].named_children())
        if path and not holds and not isinstance(layers[path], KEEP_SHAPES):
            found.pop(path, None)
            found[path] = tuple(row.output_shape[1:])
    return found


def maps(channels: int, side: int) -> tuple[int, int, int]:
    return channels, side, side


LENET: Shapes = {
    "C1": (6, 28, 28), "S2": (6, 14, 14), "C3": (16, 10, 10), "S4": (16, 5, 5), "C5": (120,),
    "F6": (84,), "output": (10,),
}  # fmt: skip
LAB: Shapes = {
    "conv1": (32, 28, 28), "pool1": (32, 14, 14), "conv2": (64, 14, 14), "pool2": (64, 7, 7),
}  # fmt: skip
ALEXNET: Shapes = {
    "conv1": (96, 55, 55), "pool1": (96, 27, 27), "conv2": (256, 27, 27), "pool2": (256, 13, 13),
    "conv3": (384, 13, 13), "conv4": (384, 13, 13), "conv5": (256, 13, 13), "pool5": (256, 6, 6),
    "flatten": (9216,), "fc6": (4096,), "fc7": (4096,), "fc8": (1000,),
}  # fmt: skip
SHAPES: dict[str, Shapes] = {
    "lenet5": LENET,
    "lenet5_original": LENET,
    "lab11_cnn2": LAB | {"flatten": (3136,), "fc": (10,)},
    "lab11_cnn3": LAB | {
        "conv3": (128, 7, 7), "pool3": (128, 4, 4), "flatten": (2048,), "fc4": (625,),
        "fc5": (10,),
    },
    "dlt_cnn": {
        "C1": (6, 24, 24), "S2": (6, 12, 12), "C3": (12, 8, 8), "S4": (12, 4, 4),
        "flatten": (192,), "output": (10,),
    },
    "alexnet": ALEXNET,
    "alexnet_original": ALEXNET,
    "alexnet_torchvision": {
        "features.0": (64, 55, 55), "features.2": (64, 27, 27), "features.3": (192, 27, 27),
        "features.5": (192, 13, 13), "features.6": (384, 13, 13), "features.8": (256, 13, 13),
        "features.10": (256, 13, 13), "features.12": (256, 6, 6), "avgpool": (256, 6, 6),
        "classifier.1": (4096,), "classifier.4": (4096,), "classifier.6": (1000,),
    },
    "zfnet": ALEXNET | {
        "conv1": (96, 110, 110), "pool1": (96, 55, 55), "conv2": (256, 26, 26),
    },
    "nin": {
        "conv1": (192, 32, 32), "cccp1": (160, 32, 32), "cccp2": (96, 32, 32),
        "pool1": (96, 16, 16), "conv2": (192, 16, 16), "cccp3": (192, 16, 16),
        "cccp4": (192, 16, 16), "pool2": (192, 8, 8), "conv3": (192, 8, 8), "cccp5": (192, 8, 8),
        "cccp6": (10, 8, 8), "pool3": (10, 1, 1), "flatten": (10,),
    },
    "inception_naive": {
        "inception.conv1x1": (128, 28, 28), "inception.conv3x3": (192, 28, 28),
        "inception.conv5x5": (96, 28, 28), "inception.pool": (256, 28, 28),
        "avgpool": (672, 1, 1), "fc": (10,),
    },
    "xception": {
        "conv1": (32, 149, 149), "conv2": (64, 147, 147), "entry.0": (128, 74, 74),
        "entry.1": (256, 37, 37), "entry.2": (728, 19, 19), "middle": (728, 19, 19),
        "exit": (1024, 10, 10), "conv3": (1536, 10, 10), "conv4": (2048, 10, 10),
        "avgpool": (2048, 1, 1), "fc": (1000,),
    },
}  # fmt: skip

# -- the All-CNN study: channels and side behind each layer, for each base and each way down ----
TOP = [(192, 6), (192, 6), (10, 6)]
BASES = {"a": 1, "b": 2, "c": 2}  # convolutions before each way down
for kind in ("base", "strided", "convpool", "allcnn"):
    for base, before in BASES.items():
        convolutions, pools = [], []
        for channels, side in ((96, 32), (192, 16)):
            convolutions += [(channels, side)] * before
            if kind in ("convpool", "allcnn"):
                convolutions.append((channels, side))
            if kind in ("strided", "allcnn"):
                convolutions[-1] = (channels, side // 2)
            else:
                pools.append((channels, side // 2))
        SHAPES[f"{kind}_{base}"] = {
            **{f"conv{k}": maps(*size) for k, size in enumerate(convolutions + TOP, start=1)},
            **{f"pool{k}": maps(*size) for k, size in enumerate(pools, start=1)},
            "average": (10, 1, 1),
            "flatten": (10,),
        }

# -- VGG: convolutions of each part, and modules from one of them to the next -------------------
VGG = {
    "vgg11": ((1, 1, 2, 2, 2), 2), "vgg13": ((2, 2, 2, 2, 2), 2), "vgg16_1x1": ((2, 2, 3, 3, 3), 2),
    "vgg16": ((2, 2, 3, 3, 3), 2), "vgg19": ((2, 2, 4, 4, 4), 2), "vgg11_bn": ((1, 1, 2, 2, 2), 3),
    "vgg13_bn": ((2, 2, 2, 2, 2), 3), "vgg16_bn": ((2, 2, 3, 3, 3), 3),
    "vgg19_bn": ((2, 2, 4, 4, 4), 3), "se_vgg16": ((2, 2, 3, 3, 3), 4),
    "vgg11_lrn": ((1, 1, 2, 2, 2), 2),
}  # fmt: skip
for name, (parts, apart) in VGG.items():
    SHAPES[name], index, side = {}, 0, 224
    for channels, count in zip((64, 128, 256, 512, 512), parts, strict=True):
        for _ in range(count):
            SHAPES[name][f"features.{index}"] = maps(channels, side)
            index += apart
        if name == "vgg11_lrn" and channels == 64:  # one normalisation, before the first pool
            index += 1
        side //= 2
        SHAPES[name][f"features.{index}"] = maps(channels, side)
        index += 1
    SHAPES[name] |= {
        "avgpool": (512, 7, 7), "classifier.0": (4096,), "classifier.3": (4096,),
        "classifier.6": (1000,),
    }  # fmt: skip

# -- ResNets and plain networks: table 1, and section 4.2 ----------------------------------------
for name in (
    "plain18", "plain34", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "se_resnet50",
):  # fmt: skip
    factor = 4 if name.endswith(("50", "101", "152")) else 1
    SHAPES[name] = {
        "conv1": (64, 112, 112), "maxpool": (64, 56, 56), "layer1": (64 * factor, 56, 56),
        "layer2": (128 * factor, 28, 28), "layer3": (256 * factor, 14, 14),
        "layer4": (512 * factor, 7, 7), "avgpool": (512 * factor, 1, 1), "fc": (1000,),
    }  # fmt: skip
for depth in (20, 32, 44, 56, 110, 1202):
    for name in (f"resnet{depth}", f"plain{depth}"):
        SHAPES[name] = {
            "conv1": (16, 32, 32), "layer1": (16, 32, 32), "layer2": (32, 16, 16),
            "layer3": (64, 8, 8), "avgpool": (64, 1, 1), "linear": (10,),
        }  # fmt: skip
del SHAPES["plain1202"]  # which the paper does not have

# -- GoogLeNet: table 1 --------------------------------------------------------------------------
INCEPTIONS: Shapes = {
    "inception3a": (256, 28, 28), "inception3b": (480, 28, 28), "{pool}3": (480, 14, 14),
    "inception4a": (512, 14, 14), "inception4b": (512, 14, 14), "inception4c": (512, 14, 14),
    "inception4d": (528, 14, 14), "inception4e": (832, 14, 14), "{pool}4": (832, 7, 7),
    "inception5a": (832, 7, 7), "inception5b": (1024, 7, 7), "avgpool": (1024, 1, 1),
    "fc": (1000,),
}  # fmt: skip
for name, second, third, pool in (
    ("googlenet", "reduce2", "conv2", "pool"),
    ("se_googlenet", "reduce2", "conv2", "pool"),
    ("googlenet_torchvision", "conv2", "conv3", "maxpool"),
):
    SHAPES[name] = {
        "conv1": (64, 112, 112), f"{pool}1": (64, 56, 56), second: (64, 56, 56),
        third: (192, 56, 56), f"{pool}2": (192, 28, 28),
        **{path.format(pool=pool): shape for path, shape in INCEPTIONS.items()},
    }  # fmt: skip

# -- DenseNet: growth, maps before the first block, layers of each block -------------------------
DENSE = {
    "densenet121": (32, 64, (6, 12, 24, 16)), "densenet161": (48, 96, (6, 12, 36, 24)),
    "densenet169": (32, 64, (6, 12, 32, 32)), "densenet201": (32, 64, (6, 12, 48, 32)),
    "densenet_bc100_12": (12, 24, (16, 16, 16)), "densenet_bc250_24": (24, 48, (41, 41, 41)),
    "densenet_bc190_40": (40, 80, (31, 31, 31)),
}  # fmt: skip
for name, (growth, channels, depths) in DENSE.items():
    if "bc" in name:
        side = 32
        SHAPES[name] = {"features.conv0": maps(channels, side)}
    else:
        side = 56
        SHAPES[name] = {
            "features.conv0": maps(channels, 112),
            "features.pool0": maps(channels, side),
        }
    for number, depth in enumerate(depths, start=1):
        channels += depth * growth
        SHAPES[name][f"features.denseblock{number}"] = maps(channels, side)
        if number < len(depths):
            channels, side = channels // 2, side // 2
            SHAPES[name][f"features.transition{number}"] = maps(channels, side)
    SHAPES[name] |= {
        "avgpool": (channels, 1, 1),
        "classifier": (10 if "bc" in name else 1000,),
    }
