"""State dictionaries have torchvision's names and shapes, so that its weights load.

Written down from torchvision's published files; torchvision itself is not needed.
"""

from functools import cache

import pytest

from tinygrad_cnn import models

Shapes = dict[str, tuple[int, ...]]


def convolution(path: str, out: int, channels: int, kernel: int) -> Shapes:
    return {f"{path}.weight": (out, channels, kernel, kernel), f"{path}.bias": (out,)}


def affine(path: str, out: int, features: int) -> Shapes:
    return {f"{path}.weight": (out, features), f"{path}.bias": (out,)}


def batch_norm(path: str, channels: int) -> Shapes:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{path}.{name}": (channels,) for name in vectors} | {f"{path}.num_batches_tracked": ()}


CLASSIFIERS = {
    "alexnet": affine("classifier.1", 4096, 9216)
    | affine("classifier.4", 4096, 4096)
    | affine("classifier.6", 1000, 4096),
    "vgg": affine("classifier.0", 4096, 25088)
    | affine("classifier.3", 4096, 4096)
    | affine("classifier.6", 1000, 4096),
}
ALEXNET = (
    convolution("features.0", 64, 3, 11)
    | convolution("features.3", 192, 64, 5)
    | convolution("features.6", 384, 192, 3)
    | convolution("features.8", 256, 384, 3)
    | convolution("features.10", 256, 256, 3)
    | CLASSIFIERS["alexnet"]
)

# Positions of the convolutions in `features`, and what each makes.
CHANNELS = {
    "vgg11": (64, 128, 256, 256, 512, 512, 512, 512),
    "vgg13": (64, 64, 128, 128, 256, 256, 512, 512, 512, 512),
    "vgg16": (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512),
    "vgg19": (64, 64, 128, 128, *[256] * 4, *[512] * 8),
}
POSITIONS = {
    "vgg11": (0, 3, 6, 8, 11, 13, 16, 18),
    "vgg13": (0, 2, 5, 7, 10, 12, 15, 17, 20, 22),
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
    "vgg11_bn": (0, 4, 8, 11, 15, 18, 22, 25),
    "vgg13_bn": (0, 3, 7, 10, 14, 17, 21, 24, 28, 31),
    "vgg16_bn": (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40),
    "vgg19_bn": (0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49),
}


def vgg(name: str) -> Shapes:
    shapes: Shapes = {}
    channels = (3, *CHANNELS[name.removesuffix("_bn")])
    for k, position in enumerate(POSITIONS[name]):
        shapes |= convolution(f"features.{position}", channels[k + 1], channels[k], 3)
        if name.endswith("_bn"):
            shapes |= batch_norm(f"features.{position + 1}", channels[k + 1])
    return shapes | CLASSIFIERS["vgg"]


@cache
def expected(name: str) -> Shapes:
    return ALEXNET if name == "alexnet_torchvision" else vgg(name)


@pytest.mark.parametrize("name", ["alexnet_torchvision", *POSITIONS])
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    model = models.build(name, allocate=False)
    held = dict(model.named_parameters()) | dict(model.named_buffers(persistent_only=True))
    assert {path: value.shape for path, value in held.items()} == expected(name)
    assert list(models.build_twin(name).state_dict()) == list(expected(name)), "the order, too"
