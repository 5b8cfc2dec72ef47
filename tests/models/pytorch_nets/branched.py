"""The same networks in plain torch.nn, with the same names; import this where torch is."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F


def conv(c, o, k, stride=1, padding=0, bias=False, groups=1):
    return nn.Conv2d(c, o, k, stride, padding, bias=bias, groups=groups)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels, reduction):
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


def zero_padded(x, channels, stride):
    added = channels - x.shape[1]
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, added // 2, added - added // 2))


class Block(nn.Module):
    """Basic and bottleneck blocks of both families; `plan` holds (channels, kernel, stride)."""

    def __init__(self, c, plan, option, projection="downsample", reduction=None):
        super().__init__()
        self.option, self.projection, self.count = option, projection, len(plan)
        before, self.stride = c, 1
        for k, (o, kernel, stride) in enumerate(plan, 1):
            setattr(self, f"conv{k}", conv(before, o, kernel, stride, kernel // 2))
            setattr(self, f"bn{k}", nn.BatchNorm2d(o))
            before, self.stride = o, self.stride * stride
        self.gate = Gate(before, reduction) if reduction else None
        self.out, self.changes = before, self.stride != 1 or before != c
        if option == "C" or (option == "B" and self.changes):
            made = nn.Sequential(conv(c, before, 1, self.stride), nn.BatchNorm2d(before))
            setattr(self, projection, made)

    def beside(self, x):
        if hasattr(self, self.projection):
            return getattr(self, self.projection)(x)
        return zero_padded(x, self.out, self.stride) if self.changes else x

    def forward(self, x):
        y = x
        for k in range(1, self.count + 1):
            y = getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(y))
            y = F.relu(y) if k < self.count else y
        y = self.gate(y) if self.gate else y
        return F.relu(y if self.option == "none" else y + self.beside(x))


def resnet(num_classes, block, layers, option="B", stride_in="3x3", base=64, reduction=None):
    parts = OrderedDict(
        conv1=conv(3, base, 7, 2, 3), bn1=nn.BatchNorm2d(base), relu=nn.ReLU(),
        maxpool=nn.MaxPool2d(3, 2, 1),
    )  # fmt: skip
    c = base
    for stage, blocks in enumerate(layers):
        made, o = [], base * 2**stage
        for number in range(blocks):
            s = 2 if stage and not number else 1
            first, second = (s, 1) if stride_in == "1x1" else (1, s)
            plan = [(o, 3, s), (o, 3, 1)]
            if block == "bottleneck":
                plan = [(o, 1, first), (o, 3, second), (4 * o, 1, 1)]
            made.append(Block(c, plan, option, reduction=reduction))
            c = made[-1].out
        parts[f"layer{stage + 1}"] = nn.Sequential(*made)
    parts |= {
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "fc": nn.Linear(c, num_classes),
    }
    return nn.Sequential(parts)


class PreBlock(Block):
    """Normalisation and rectifier before each convolution."""

    def __init__(self, c, plan, option, first):
        super().__init__(c, plan, option, "shortcut")
        self.bn1, self.first = nn.BatchNorm2d(c), first

    def forward(self, x):
        active = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(active))))
        x = active if self.first else x
        return y if self.option == "none" else y + self.beside(x)


def cifar_resnet(num_classes, depth, option="A", preactivation=False, base=16):
    parts = OrderedDict(conv1=conv(3, base, 3, 1, 1))
    if not preactivation:
        parts |= {"bn1": nn.BatchNorm2d(base), "relu": nn.ReLU()}
    c = base
    for stage in range(3):
        made, o = [], base * 2**stage
        for number in range((depth - 2) // 6):
            plan = [(o, 3, 2 if stage and not number else 1), (o, 3, 1)]
            if preactivation:
                made.append(PreBlock(c, plan, option, first=not stage and not number))
            else:
                made.append(Block(c, plan, option, "shortcut"))
            c = o
        parts[f"layer{stage + 1}"] = nn.Sequential(*made)
    if preactivation:
        parts |= {"norm": nn.BatchNorm2d(c), "relu": nn.ReLU()}
    parts |= {
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "linear": nn.Linear(c, num_classes),
    }
    return nn.Sequential(parts)


def normalised(c, o, k, stride=1, padding=0):
    return nn.Sequential(
        OrderedDict(
            conv=conv(c, o, k, stride, padding), bn=nn.BatchNorm2d(o, eps=0.001), relu=nn.ReLU()
        )
    )


class Branches(nn.Module):
    """Branches side by side, joined along the channels."""

    def __init__(self, **branches):
        super().__init__()
        self.names = list(branches)
        for name, branch in branches.items():
            setattr(self, name, branch)

    def forward(self, x):
        return torch.cat([getattr(self, name)(x) for name in self.names], 1)


class Module5x5(nn.Module):
    """The paper's inception module; without `reduce` its naive form."""

    def __init__(self, c, one, r3, three, r5, five, pool, reduced=True):
        super().__init__()
        self.reduced = reduced
        self.conv1x1 = nn.Conv2d(c, one, 1)
        self.conv3x3 = nn.Conv2d(r3 if reduced else c, three, 3, padding=1)
        self.conv5x5 = nn.Conv2d(r5 if reduced else c, five, 5, padding=2)
        if reduced:
            self.reduce3x3, self.reduce5x5 = nn.Conv2d(c, r3, 1), nn.Conv2d(c, r5, 1)
            self.project_pool = nn.Conv2d(c, pool, 1)

    def forward(self, x):
        a, b, p = x, x, F.max_pool2d(x, 3, 1, 1)
        if self.reduced:
            a, b = F.relu(self.reduce3x3(x)), F.relu(self.reduce5x5(x))
            p = F.relu(self.project_pool(p))
        three, five = F.relu(self.conv3x3(a)), F.relu(self.conv5x5(b))
        return torch.cat([F.relu(self.conv1x1(x)), three, five, p], 1)


ROWS = {
    "3a": "64 96 128 16 32 32", "3b": "128 128 192 32 96 64", "4a": "192 96 208 16 48 64",
    "4b": "160 112 224 24 64 64", "4c": "128 128 256 24 64 64", "4d": "112 144 288 32 64 64",
    "4e": "256 160 320 32 128 128", "5a": "256 160 320 32 128 128", "5b": "384 192 384 48 128 128",
}  # fmt: skip


class Head(nn.Module):
    """An auxiliary classifier."""

    def __init__(self, c, num_classes, w, plain):
        super().__init__()
        self.conv = nn.Conv2d(c, w(128), 1) if plain else normalised(c, w(128), 1)
        self.fc1, self.fc2 = nn.Linear(w(128) * 16, w(1024)), nn.Linear(w(1024), num_classes)

    def forward(self, x):  # dropout left out: compared in eval mode, or with p = 0
        x = F.relu(self.conv(F.adaptive_avg_pool2d(x, 4))).flatten(1)
        return self.fc2(F.relu(self.fc1(x)))


class GoogLeNet(nn.Module):
    """Both forms: the paper's (`plain`), and torchvision's."""

    def __init__(self, num_classes, plain, width=1.0, aux=False, reduction=None):
        super().__init__()
        w = lambda channels: max(1, round(channels * width))  # noqa: E731
        self.plain, self.reduction = plain, reduction
        if plain:
            self.conv1 = nn.Conv2d(3, w(64), 7, 2, 3)
            self.reduce2 = nn.Conv2d(w(64), w(64), 1)
            self.conv2 = nn.Conv2d(w(64), w(192), 3, padding=1)
        else:
            self.conv1 = normalised(3, w(64), 7, 2, 3)
            self.conv2 = normalised(w(64), w(64), 1)
            self.conv3 = normalised(w(64), w(192), 3, padding=1)
        c = w(192)
        for name, row in ROWS.items():
            one, r3, three, r5, five, pool = (w(int(channels)) for channels in row.split())
            if plain:
                module = Module5x5(c, one, r3, three, r5, five, pool)
            else:
                pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), normalised(c, pool, 1))
                module = Branches(
                    branch1=normalised(c, one, 1),
                    branch2=nn.Sequential(normalised(c, r3, 1), normalised(r3, three, 3, 1, 1)),
                    branch3=nn.Sequential(normalised(c, r5, 1), normalised(r5, five, 3, 1, 1)),
                    branch4=pooled,
                )
            c = one + three + five + pool
            setattr(self, f"inception{name}", module)
            if reduction:
                setattr(self, f"gate{name}", Gate(c, reduction))
            if aux and name in ("4a", "4d"):
                head = Head(c, num_classes, w, plain)
                setattr(self, "aux1" if name == "4a" else "aux2", head)
        self.fc = nn.Linear(c, num_classes)

    def forward(self, x):
        if self.plain:
            x = F.local_response_norm(F.max_pool2d(F.relu(self.conv1(x)), 3, 2, ceil_mode=True), 5)
            x = F.relu(self.conv2(F.relu(self.reduce2(x))))
            x = F.local_response_norm(x, 5)
        else:
            x = self.conv3(self.conv2(F.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True)))
        heads = []
        for name in ROWS:
            if name in ("3a", "4a", "5a"):
                k = 2 if name == "5a" and not self.plain else 3
                x = F.max_pool2d(x, k, 2, ceil_mode=True)
            x = getattr(self, f"inception{name}")(x)
            x = getattr(self, f"gate{name}")(x) if self.reduction else x
            if name == "4a" and hasattr(self, "aux1"):
                heads.append(self.aux1(x))
            if name == "4d" and hasattr(self, "aux2"):
                heads.append(self.aux2(x))
        scores = self.fc(x.mean((2, 3)))
        return (scores, *heads[::-1]) if heads else scores


class DenseLayer(nn.Sequential):
    """New maps behind all old ones."""

    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


def densenet(num_classes, layers, growth, first, imagenet=True):
    parts = OrderedDict(conv0=conv(3, first, 3, 1, 1))
    if imagenet:
        parts = OrderedDict(
            conv0=conv(3, first, 7, 2, 3), norm0=nn.BatchNorm2d(first), relu0=nn.ReLU(),
            pool0=nn.MaxPool2d(3, 2, 1),
        )  # fmt: skip
    c = first
    for number, count in enumerate(layers, 1):
        block = OrderedDict()
        for layer in range(1, count + 1):
            block[f"denselayer{layer}"] = DenseLayer(
                OrderedDict(
                    norm1=nn.BatchNorm2d(c), relu1=nn.ReLU(), conv1=conv(c, 4 * growth, 1),
                    norm2=nn.BatchNorm2d(4 * growth), relu2=nn.ReLU(),
                    conv2=conv(4 * growth, growth, 3, 1, 1),
                )
            )  # fmt: skip
            c += growth
        parts[f"denseblock{number}"] = nn.Sequential(block)
        if number < len(layers):
            parts[f"transition{number}"] = nn.Sequential(
                OrderedDict(
                    norm=nn.BatchNorm2d(c), relu=nn.ReLU(), conv=conv(c, c // 2, 1),
                    pool=nn.AvgPool2d(2, 2),
                )
            )  # fmt: skip
            c //= 2
    parts[f"norm{len(layers) + 1}"] = nn.BatchNorm2d(c)
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(parts), relu=nn.ReLU(), avgpool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(), classifier=nn.Linear(c, num_classes),
        )
    )  # fmt: skip


def separable(c, o):
    return nn.Sequential(
        OrderedDict(depthwise=conv(c, c, 3, 1, 1, groups=c), pointwise=conv(c, o, 1))
    )


class XceptionBlock(nn.Module):
    """Separable convolutions beside a shortcut."""

    def __init__(self, c, channels, shrinks=True, rectify=True):
        super().__init__()
        self.rectify, self.count, self.shrinks = rectify, len(channels), shrinks
        if shrinks:
            self.skip = conv(c, channels[-1], 1, 2)
            self.skip_norm = nn.BatchNorm2d(channels[-1], eps=0.001)
        for k, o in enumerate(channels, 1):
            setattr(self, f"conv{k}", separable(c, o))
            setattr(self, f"norm{k}", nn.BatchNorm2d(o, eps=0.001))
            c = o

    def forward(self, x):
        y = x
        for k in range(1, self.count + 1):
            y = F.relu(y) if k > 1 or self.rectify else y
            y = getattr(self, f"norm{k}")(getattr(self, f"conv{k}")(y))
        if not self.shrinks:
            return x + y
        # TensorFlow's "same": as few pixels of border as the windows need, more of it at the end
        border = [max(0, (-(-side // 2) - 1) * 2 + 3 - side) for side in y.shape[2:]]
        (top, left), (down, across) = (b // 2 for b in border), border
        y = F.pad(y, (left, across - left, top, down - top), value=-torch.inf)
        return F.max_pool2d(y, 3, 2) + self.skip_norm(self.skip(x))


def xception(num_classes, middle=8, width=1.0):
    w = lambda channels: max(1, round(channels * width))  # noqa: E731
    norm = lambda channels: nn.BatchNorm2d(w(channels), eps=0.001)  # noqa: E731
    block = lambda c, row, **more: XceptionBlock(w(c), [w(o) for o in row], **more)  # noqa: E731
    return nn.Sequential(
        OrderedDict(
            conv1=conv(3, w(32), 3, 2), norm1=norm(32), relu1=nn.ReLU(),
            conv2=conv(w(32), w(64), 3), norm2=norm(64), relu2=nn.ReLU(),
            entry=nn.Sequential(
                block(64, (128, 128), rectify=False), block(128, (256, 256)),
                block(256, (728, 728)),
            ),
            middle=nn.Sequential(*(block(728, (728,) * 3, shrinks=False) for _ in range(middle))),
            exit=block(728, (728, 1024)),
            conv3=separable(w(1024), w(1536)), norm3=norm(1536), relu3=nn.ReLU(),
            conv4=separable(w(1536), w(2048)), norm4=norm(2048), relu4=nn.ReLU(),
            avgpool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(w(2048), num_classes),
        )
    )  # fmt: skip


def se_vgg16(num_classes, width=1.0, pooled=7, reduction=16):
    layers, c = [], 3
    for o, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        o = round(o * width)
        for _ in range(count):
            layers += [
                nn.Conv2d(c, o, 3, padding=1),
                nn.BatchNorm2d(o),
                nn.ReLU(),
                Gate(o, reduction),
            ]
            c = o
        layers.append(nn.MaxPool2d(2))
    hidden = round(4096 * width)
    classifier = nn.Sequential(
        nn.Linear(c * pooled**2, hidden), nn.ReLU(), nn.Identity(),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Identity(), nn.Linear(hidden, num_classes),
    )  # fmt: skip
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*layers), avgpool=nn.AdaptiveAvgPool2d(pooled),
            flat=nn.Flatten(), classifier=classifier,
        )
    )  # fmt: skip


class InceptionNetwork(nn.Module):
    """One module and a classifier."""

    def __init__(self, num_classes, c, channels, reduced):
        super().__init__()
        one, three, five, few = channels
        self.inception = Module5x5(c, one, few, three, few, five, few, reduced)
        self.fc = nn.Linear(one + three + five + (few if reduced else c), num_classes)

    def forward(self, x):
        return self.fc(self.inception(x).mean((2, 3)))
