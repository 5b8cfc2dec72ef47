"""DenseNets: counts, shapes and names of torchvision and of the paper's tables."""

import re

import numpy as np
import pytest

from tinygrad_cnn import models
from tinygrad_cnn.errors import OptionError

from .at_full_size import (
    affine,
    batch_norm,
    built,
    count,
    filters,
    state_shapes,
    summed_up,
)

# name: parameters, growth, maps before the first block, layers of each block
IMAGENET = {
    "densenet121": (7_978_856, 32, 64, (6, 12, 24, 16)),
    "densenet161": (28_681_000, 48, 96, (6, 12, 36, 24)),
    "densenet169": (14_149_480, 32, 64, (6, 12, 32, 32)),
    "densenet201": (20_013_928, 32, 64, (6, 12, 48, 32)),
}
# name: parameters, and as table 2 of the paper prints them in millions
CIFAR = {
    "densenet_bc100_12": (769_162, "0.8"),
    "densenet_bc250_24": (15_324_406, "15.3"),
    "densenet_bc190_40": (25_624_430, "25.6"),
}


@pytest.mark.parametrize("name", IMAGENET)
def test_counts_are_torchvisions(name: str) -> None:
    assert count(name) == IMAGENET[name][0]


@pytest.mark.parametrize("name", CIFAR)
def test_counts_are_those_of_table_2(name: str) -> None:
    parameters, printed = CIFAR[name]
    assert count(name) == parameters
    assert f"{parameters / 1e6:.1f}" == printed


@pytest.mark.parametrize("name", [*IMAGENET, *CIFAR])
def test_depth_counts_the_layers_with_weights(name: str) -> None:
    named = built(name).named_parameters()
    weights = [path for path, parameter in named if len(parameter.shape) in (2, 4)]
    depth = name.removeprefix("densenet").removeprefix("_bc").partition("_")[0]
    assert len(weights) == int(depth)


def test_work_of_the_smallest() -> None:
    assert summed_up("densenet121").multiply_adds == 2_834_161_664
    assert summed_up("densenet_bc100_12").multiply_adds == 287_929_692


@pytest.mark.parametrize("name", IMAGENET)
def test_the_state_has_torchvisions_names(name: str) -> None:
    _, growth, channels, layers = IMAGENET[name]
    state = filters("features.conv0", channels, 3, 7) | batch_norm("features.norm0", channels)
    for number, depth in enumerate(layers, start=1):
        for layer in range(1, depth + 1):
            path = f"features.denseblock{number}.denselayer{layer}"
            state |= batch_norm(f"{path}.norm1", channels)
            state |= filters(f"{path}.conv1", 4 * growth, channels, 1)
            state |= batch_norm(f"{path}.norm2", 4 * growth)
            state |= filters(f"{path}.conv2", growth, 4 * growth, 3)
            channels += growth
        if number < 4:
            path = f"features.transition{number}"
            state |= batch_norm(f"{path}.norm", channels)
            state |= filters(f"{path}.conv", channels // 2, channels, 1)
            channels //= 2
    state |= batch_norm("features.norm5", channels) | affine("classifier", 1000, channels)
    assert sorted(state_shapes(name)) == sorted(state.items())


def test_the_names_of_published_files_are_known() -> None:
    model, other = models.build_twin("densenet121"), models.build_twin("densenet121")
    former = {
        re.sub(r"(layer\d+\.)(norm|conv)(\d)", r"\1\2.\3", path): value
        for path, value in model.state_dict().items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in former
    assert "features.norm0.weight" in former
    other.load_state_dict(former)
    for path, value in model.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[path], value, path)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"stem": "mnist"}, "stem is one of imagenet, cifar; got 'mnist'"),
        ({"layers": ()}, r"layers names at least one for each block; got \(\)"),
        ({"layers": (2, 0)}, "at least one for each block"),
        ({"compression": 0.0}, r"compression lies in \(0, 1\]; got 0.0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, match) -> None:
    with pytest.raises(OptionError, match=match):
        models.densenet.DenseNet(**options)
