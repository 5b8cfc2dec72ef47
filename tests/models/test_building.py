"""What builders refuse, and what they share."""

from typing import Any

import pytest

from tinygrad_cnn import models, nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.building import Chain, Step, map_size, scaled

REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("alexnet", {"norm": "first"}, "norm is one of before_pool, after_pool, none; got 'first'"),
    ("alexnet", {"side": 50}, r"images of 50x50 pixels, where one of 3x3 meets 1x1\. Take larger"),
    ("alexnet", {"groups": 2}, r"alexnet: the known options are num_classes, .*; got 'groups'"),
    ("zfnet", {"side": 5}, "images of 5x5 pixels, where one of 3x3 meets 1x1"),
    ("lab11_cnn2", {"side": 1}, "one of 2x2 meets 1x1"),
    ("alexnet", {"side": 1.5}, r"alexnet: side is a positive number of pixels; got 1\.5"),
    ("alexnet", {"side": "227"}, "side is a positive number of pixels; got '227'"),
    ("alexnet_torchvision", {"pooled": 0}, "pooled is a positive number of pixels; got 0"),
    ("vgg16", {"pooled": 1.5}, r"vgg: pooled is a positive number of pixels; got 1\.5"),
    ("se_vgg16", {"pooled": 0}, "vgg: pooled is a positive number of pixels; got 0"),
    *(
        (name, {"width": width}, f"models: width is a finite number above 0; got {width!r}")
        for name in ("vgg16", "alexnet", "resnet18", "googlenet", "nin", "xception", "lab11_cnn2")
        for width in (0, -1.0, float("nan"), float("inf"), "wide")
    ),
    *(
        (name, {"gate": 3}, "gate is a function that makes a module for so many channels; got 3")
        for name in ("resnet50", "vgg16", "googlenet")
    ),
    ("xception", {"middle": 1.5}, "the middle flow has at least one block; got 1.5"),
    ("densenet121", {"compression": "half"}, r"compression lies in \(0, 1\]; got 'half'"),
    ("resnet20", {"recompute": 1.5}, "recompute is a number of blocks; got 1.5"),
    ("resnet20", {"recompute": "all"}, "recompute is a number of blocks; got 'all'"),
    ("se_resnet50", {"layers": 3}, "at least one block for 4 stages; got 3"),
    ("lenet5", {"activation": ["relu"]}, r"activation is one of sigmoid, tanh, relu; got \["),
    ("vgg16", {"column": "F"}, r"vgg16: the known options are .*; got 'column'"),
    ("allcnn_c", {"depth": 3}, r"the known options are num_classes, width, .*; got 'depth'"),
)


@pytest.mark.parametrize(("name", "options", "match"), REFUSED)
def test_options_that_make_no_sense_are_refused(
    name: str, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(OptionError, match=match):
        models.build(name, **options)


@pytest.mark.parametrize(
    ("builder", "options", "match"),
    [
        (models.vgg.VGG, {"column": "F"}, "column is one of A, B, C, D, E; got 'F'"),
        (models.vgg.VGG, {"norm": "group"}, "norm is one of none, batch, local_response; got"),
        (models.all_cnn.all_cnn, {"kind": "pooled"}, "kind is one of base, .*; got 'pooled'"),
        (models.all_cnn.all_cnn, {"base": "d"}, "base is one of a, b, c; got 'd'"),
        (models.lab11.lab11, {"convolutions": 4}, "convolutions is one of 2, 3; got 4"),
        (models.cifar_resnet.CifarResNet, {"depth": 20.0}, r"depth is 6n \+ 2 .*; got 20\.0"),
        (models.cifar_resnet.CifarResNet, {"depth": "20"}, r"depth is 6n \+ 2 .*; got '20'"),
        (models.densenet.DenseNet, {"layers": 4}, "at least one for each block; got 4"),
        (models.resnet.ResNet, {"layers": (1.5, 1, 1, 1)}, r"4 stages; got \(1\.5, 1, 1, 1\)"),
    ],
)
def test_what_a_row_fixes_is_checked_as_well(builder: Any, options: Any, match: str) -> None:
    with pytest.raises(OptionError, match=match):
        builder(**options)


def test_dropout_of_the_laboratory_is_an_option() -> None:
    model = models.build("lab11_cnn3", dropout=0.5, width=0.25)
    assert sum(isinstance(m, nn.Dropout) for m in model.modules()) == 4
    assert not any(isinstance(m, nn.Dropout) for m in models.build_twin("lab11_cnn3").modules())


def test_widths_are_rounded_to_what_groups_divide() -> None:
    assert [scaled(96, w, 2) for w in (1.0, 0.1, 0.001)] == [96, 10, 2]


def test_pools_that_round_up_give_the_sizes_of_zfnet() -> None:
    assert map_size("x", 110, Step(3, 2)) == 54
    assert map_size("x", 110, Step(3, 2, up=True)) == 55


def test_a_chain_runs_its_layers_in_order() -> None:
    chain = Chain({"one": nn.Flatten(), "two": nn.Linear(4, 2)})
    assert [name for name, _ in chain.named_children()] == ["one", "two"]
