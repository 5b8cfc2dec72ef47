"""LeNet-5, the Lab's nets, DeepLearnToolbox's, AlexNet, ZFNet, NIN, VGG, All-CNN.

Layers have the names of our state dictionaries. Numbers that are scaled in twins are arguments.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import nn
from torch.nn import functional as T

# Table I of LeCun et al. 1998, by columns: the maps of S2 that a map of C3 sees.
TABLE_I = (
    "012", "123", "234", "345", "045", "015", "0123", "1234", "2345", "0345", "0145", "0125",
    "0134", "1245", "0235", "012345",
)  # fmt: skip


def named(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


class LeNet5(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.C1, self.C3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.C5, self.F6 = nn.Linear(400, 120), nn.Linear(120, 84)
        self.output = nn.Linear(84, 10)

    def forward(self, x: Any) -> Any:
        x = T.avg_pool2d(self.C1(x).sigmoid(), 2)
        x = T.avg_pool2d(self.C3(x).sigmoid(), 2).flatten(1)
        return self.output(self.F6(self.C5(x).sigmoid()).sigmoid())


class Subsampling(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Any) -> Any:
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).sum((3, 5)) * self.weight + self.bias


class TableConv(nn.Module):
    """One filter for each connection, in the order of the table."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(60, 5, 5))
        self.bias = nn.Parameter(torch.zeros(16))

    def forward(self, x: Any) -> Any:
        maps, first = [], 0
        for row in TABLE_I:
            seen = x[:, [int(c) for c in row]]
            maps.append(T.conv2d(seen, self.weight[first : first + len(row)][None]))
            first += len(row)
        return torch.cat(maps, 1) + self.bias[:, None, None]


class Codes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codes", torch.zeros(10, 84))

    def forward(self, x: Any) -> Any:
        return -((x[:, None] - self.codes) ** 2).sum(2)


class LeNet5Original(nn.Module):
    def __init__(self, rbf: bool = True) -> None:
        super().__init__()
        self.C1, self.C3 = nn.Conv2d(1, 6, 5), TableConv()
        self.S2, self.S4 = Subsampling(6), Subsampling(16)
        self.C5, self.F6 = nn.Linear(400, 120), nn.Linear(120, 84)
        self.output = Codes() if rbf else nn.Linear(84, 10)

    def forward(self, x: Any) -> Any:
        for layer in (self.C1, self.S2, self.C3, self.S4, torch.flatten, self.C5, self.F6):
            x = layer(x, 1) if layer is torch.flatten else 1.7159 * torch.tanh(layer(x) * 2 / 3)
        return self.output(x)


def lab11_cnn2(c1: int, c2: int) -> nn.Module:
    return named(
        conv1=nn.Conv2d(1, c1, 3, 1, 1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(c1, c2, 3, 1, 1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(), fc=nn.Linear(49 * c2, 10),
    )  # fmt: skip


def lab11_cnn3(c1: int, c2: int, c3: int, hidden: int) -> nn.Module:
    return named(
        conv1=nn.Conv2d(1, c1, 3, 1, 1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(c1, c2, 3, 1, 1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        conv3=nn.Conv2d(c2, c3, 3, 1, 1), relu3=nn.ReLU(), pool3=nn.MaxPool2d(2, padding=1),
        flatten=nn.Flatten(), fc4=nn.Linear(16 * c3, hidden), relu4=nn.ReLU(),
        fc5=nn.Linear(hidden, 10),
    )  # fmt: skip


class FlippedConv(nn.Conv2d):
    def forward(self, x: Any) -> Any:
        return T.conv2d(x, self.weight.flip(2, 3), self.bias)


def dlt_cnn() -> nn.Module:
    return named(
        C1=FlippedConv(1, 6, 5), squash1=nn.Sigmoid(), S2=nn.AvgPool2d(2),
        C3=FlippedConv(6, 12, 5), squash3=nn.Sigmoid(), S4=nn.AvgPool2d(2),
        flatten=nn.Flatten(), output=nn.Linear(192, 10), squash5=nn.Sigmoid(),
    )  # fmt: skip


class ResponseNorm(nn.Module):
    """k = 2, n = 5, α = 1e-4, β = 0.75, as the paper's equation has it."""

    def forward(self, x: Any) -> Any:
        squares = T.pad(x**2, (0, 0, 0, 0, 2, 2))
        total = sum(squares[:, k : k + x.shape[1]] for k in range(5))
        return x / (2.0 + 1e-4 * total) ** 0.75


def alexnet(
    channels: tuple[int, ...], hidden: int, last: int, classes: int, groups: int, norm: str
) -> nn.Module:
    c1, c2, c3, c4, c5 = channels
    between: dict[int, list[nn.Module]] = {}
    for k in (1, 2):
        pool = nn.MaxPool2d(3, 2)
        between[k] = {
            "before_pool": [nn.ReLU(), ResponseNorm(), pool],
            "after_pool": [nn.ReLU(), pool, ResponseNorm()],
            "none": [nn.ReLU(), pool],
        }[norm]
    return named(
        conv1=nn.Conv2d(3, c1, 11, 4), between1=nn.Sequential(*between[1]),
        conv2=nn.Conv2d(c1, c2, 5, 1, 2, groups=groups), between2=nn.Sequential(*between[2]),
        conv3=nn.Conv2d(c2, c3, 3, 1, 1), relu3=nn.ReLU(),
        conv4=nn.Conv2d(c3, c4, 3, 1, 1, groups=groups), relu4=nn.ReLU(),
        conv5=nn.Conv2d(c4, c5, 3, 1, 1, groups=groups), relu5=nn.ReLU(), pool5=nn.MaxPool2d(3, 2),
        **connected(c5 * last**2, hidden, classes),
    )  # fmt: skip


def connected(features: int, hidden: int, classes: int) -> dict[str, nn.Module]:
    return {
        "flatten": nn.Flatten(), "fc6": nn.Linear(features, hidden), "relu6": nn.ReLU(),
        "fc7": nn.Linear(hidden, hidden), "relu7": nn.ReLU(), "fc8": nn.Linear(hidden, classes),
    }  # fmt: skip


def zfnet(channels: tuple[int, ...], hidden: int, last: int, classes: int) -> nn.Module:
    c1, c2, c3, c4, c5 = channels
    return named(
        conv1=nn.Conv2d(3, c1, 7, 2, 1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
        norm1=ResponseNorm(),
        conv2=nn.Conv2d(c1, c2, 5, 2), relu2=nn.ReLU(), pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
        norm2=ResponseNorm(),
        conv3=nn.Conv2d(c2, c3, 3, 1, 1), relu3=nn.ReLU(),
        conv4=nn.Conv2d(c3, c4, 3, 1, 1), relu4=nn.ReLU(),
        conv5=nn.Conv2d(c4, c5, 3, 1, 1), relu5=nn.ReLU(), pool5=nn.MaxPool2d(3, 2),
        **connected(c5 * last**2, hidden, classes),
    )  # fmt: skip


class Classifier(nn.Module):
    """Features, an average over a grid, and affine layers: torchvision's AlexNet and VGG."""

    def __init__(self, features: nn.Module, pooled: int, classifier: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(pooled)
        self.classifier = classifier

    def forward(self, x: Any) -> Any:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def alexnet_torchvision(
    channels: tuple[int, ...], hidden: int, pooled: int, classes: int
) -> nn.Module:
    c1, c2, c3, c4, c5 = channels
    features = nn.Sequential(
        nn.Conv2d(3, c1, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(c1, c2, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(c2, c3, 3, 1, 1), nn.ReLU(), nn.Conv2d(c3, c4, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(c4, c5, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )  # fmt: skip
    classifier = nn.Sequential(
        nn.Dropout(), nn.Linear(c5 * pooled**2, hidden), nn.ReLU(),
        nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes),
    )  # fmt: skip
    return Classifier(features, pooled, classifier)


# The paper's table 1, row by row; M is a pool, L the normalisation of A-LRN, a name with 1 a 1x1.
VGG = {
    "vgg11": "a M b M c c M d d M d d M",
    "vgg11_lrn": "a L M b M c c M d d M d d M",
    "vgg13": "a a M b b M c c M d d M d d M",
    "vgg16_1x1": "a a M b b M c c c1 M d d d1 M d d d1 M",
    "vgg16": "a a M b b M c c c M d d d M d d d M",
    "vgg19": "a a M b b M c c c c M d d d d M d d d d M",
}


def vgg(name: str, channels: tuple[int, ...], hidden: int, pooled: int, classes: int) -> nn.Module:
    widths = dict(zip("abcd", channels, strict=True))
    layers: list[nn.Module] = []
    before = 3
    for word in VGG[name.removesuffix("_bn")].split():
        if word == "M":
            layers.append(nn.MaxPool2d(2))
        elif word == "L":
            layers.append(ResponseNorm())
        else:
            out, kernel = widths[word[0]], 1 if word.endswith("1") else 3
            layers.append(nn.Conv2d(before, out, kernel, 1, kernel // 2))
            if name.endswith("_bn"):
                layers.append(nn.BatchNorm2d(out))
            layers.append(nn.ReLU())
            before = out
    classifier = nn.Sequential(
        nn.Linear(before * pooled**2, hidden), nn.ReLU(), nn.Dropout(),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes),
    )  # fmt: skip
    return Classifier(nn.Sequential(*layers), pooled, classifier)


def nin(c1: int, c2: int, c3: int, c: int) -> nn.Module:
    return named(
        conv1=nn.Conv2d(3, c1, 5, 1, 2), r1=nn.ReLU(), cccp1=nn.Conv2d(c1, c2, 1), r2=nn.ReLU(),
        cccp2=nn.Conv2d(c2, c3, 1), r3=nn.ReLU(), pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
        conv2=nn.Conv2d(c3, c, 5, 1, 2), r4=nn.ReLU(), cccp3=nn.Conv2d(c, c, 1), r5=nn.ReLU(),
        cccp4=nn.Conv2d(c, c, 1), r6=nn.ReLU(), pool2=nn.AvgPool2d(3, 2, ceil_mode=True),
        conv3=nn.Conv2d(c, c, 3, 1, 1), r7=nn.ReLU(), cccp5=nn.Conv2d(c, c, 1), r8=nn.ReLU(),
        cccp6=nn.Conv2d(c, 10, 1), r9=nn.ReLU(),
        pool3=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
    )  # fmt: skip


# Words of the All-CNN tables: kernel size, then / and a stride of 2 or M for a pool; lower case
# 96 channels (n), 192 (w); v is the 3x3 without padding.
ALL_CNN = {
    "base_a": "5n M 5w M", "strided_a": "5n/ 5w/", "convpool_a": "5n 3n M 5w 3w M",
    "allcnn_a": "5n 3n/ 5w 3w/", "base_b": "5n 1n M 5w 1w M", "strided_b": "5n 1n/ 5w 1w/",
    "convpool_b": "5n 1n 3n M 5w 1w 3w M", "allcnn_b": "5n 1n 3n/ 5w 1w 3w/",
    "base_c": "3n 3n M 3w 3w M", "strided_c": "3n 3n/ 3w 3w/",
    "convpool_c": "3n 3n 3n M 3w 3w 3w M", "allcnn_c": "3n 3n 3n/ 3w 3w 3w/",
}  # fmt: skip


def all_cnn(name: str, narrow: int, wide: int) -> nn.Module:
    layers: dict[str, nn.Module] = {}
    before, count = 3, 0
    for position, word in enumerate(f"{ALL_CNN[name]} 3v 1w 1k".split()):
        if word == "M":
            layers[f"pool at {position}"] = nn.MaxPool2d(3, 2, 1)
            continue
        kernel, count = int(word[0]), count + 1
        out = {"n": narrow, "w": wide, "v": wide, "k": 10}[word[1]]
        padding = 0 if word[1] == "v" else kernel // 2
        layers[f"conv{count}"] = nn.Conv2d(before, out, kernel, 1 + word.endswith("/"), padding)
        layers[f"relu{count}"] = nn.ReLU()
        before = out
    return named(**layers, average=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())
