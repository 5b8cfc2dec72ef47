"""What every stage of the classic networks returns, at full size, and what it costs.

The tables are the papers'; nothing is computed: the networks run on shapes alone.
"""

from functools import cache
from typing import Any

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models


@cache
def stages(name: str) -> dict[str, Any]:
    """Return the rows of the summary by layer."""
    network = models.find(name)
    model = models.build(name, allocate=False)
    return {row.path: row for row in tg.summary(model, network.input_shape).rows}


def shape_of(name: str, layer: str) -> tuple[int, ...]:
    return tuple(stages(name)[layer].output_shape[1:])


SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "lenet5": {
        "C1": (6, 28, 28), "S2": (6, 14, 14), "C3": (16, 10, 10), "S4": (16, 5, 5), "C5": (120,),
        "F6": (84,), "output": (10,),
    },
    "lenet5_original": {
        "C1": (6, 28, 28), "S2": (6, 14, 14), "C3": (16, 10, 10), "S4": (16, 5, 5), "C5": (120,),
        "F6": (84,), "output": (10,),
    },
    "lab11_cnn2": {
        "conv1": (32, 28, 28), "pool1": (32, 14, 14), "conv2": (64, 14, 14), "pool2": (64, 7, 7),
        "flatten": (3136,), "fc": (10,),
    },
    "lab11_cnn3": {
        "conv3": (128, 7, 7), "pool3": (128, 4, 4), "flatten": (2048,), "fc4": (625,),
        "fc5": (10,),
    },
    "dlt_cnn": {
        "C1": (6, 24, 24), "S2": (6, 12, 12), "C3": (12, 8, 8), "S4": (12, 4, 4),
        "flatten": (192,), "output": (10,),
    },
    "alexnet": {
        "conv1": (96, 55, 55), "pool1": (96, 27, 27), "conv2": (256, 27, 27),
        "pool2": (256, 13, 13), "conv3": (384, 13, 13), "conv4": (384, 13, 13),
        "conv5": (256, 13, 13), "pool5": (256, 6, 6), "flatten": (9216,), "fc6": (4096,),
        "fc7": (4096,), "fc8": (1000,),
    },
    "alexnet_torchvision": {
        "features.0": (64, 55, 55), "features.2": (64, 27, 27), "features.3": (192, 27, 27),
        "features.5": (192, 13, 13), "features.6": (384, 13, 13), "features.8": (256, 13, 13),
        "features.12": (256, 6, 6), "avgpool": (256, 6, 6), "classifier.6": (1000,),
    },
    "zfnet": {
        "conv1": (96, 110, 110), "pool1": (96, 55, 55), "conv2": (256, 26, 26),
        "pool2": (256, 13, 13), "conv3": (384, 13, 13), "conv4": (384, 13, 13),
        "conv5": (256, 13, 13), "pool5": (256, 6, 6), "fc6": (4096,), "fc8": (1000,),
    },
    "nin": {
        "cccp2": (96, 32, 32), "pool1": (96, 16, 16), "cccp4": (192, 16, 16),
        "pool2": (192, 8, 8), "cccp6": (10, 8, 8), "pool3": (10, 1, 1), "flatten": (10,),
    },
    "vgg16": {
        "features.2": (64, 224, 224), "features.4": (64, 112, 112), "features.7": (128, 112, 112),
        "features.9": (128, 56, 56), "features.14": (256, 56, 56), "features.16": (256, 28, 28),
        "features.21": (512, 28, 28), "features.23": (512, 14, 14), "features.28": (512, 14, 14),
        "features.30": (512, 7, 7), "avgpool": (512, 7, 7), "classifier.0": (4096,),
        "classifier.6": (1000,),
    },
    **{
        f"{kind}_c": {
            "dropout1": (96, 16, 16), "dropout2": (192, 8, 8), "average": (10, 1, 1),
            "flatten": (10,),
        }
        for kind in ("base", "strided", "convpool", "allcnn")
    },
}  # fmt: skip
SHAPES["alexnet_original"] = SHAPES["alexnet"]


@pytest.mark.parametrize(("name", "table"), SHAPES.items())
def test_every_stage_is_as_large_as_the_paper_says(
    name: str, table: dict[str, tuple[int, ...]]
) -> None:
    assert {layer: shape_of(name, layer) for layer in table} == table


VGGS = [name for name in models.names() if "vgg" in name]


@pytest.mark.parametrize("name", VGGS)
def test_every_column_of_vgg_halves_its_maps_five_times(name: str) -> None:
    pools = [row for row in stages(name).values() if row.kind == "MaxPool2d"]
    assert [row.output_shape[1:] for row in pools] == [
        (64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7),
    ]  # fmt: skip
    layers = [row for row in stages(name).values() if row.kind in ("Conv2d", "Linear")]
    with_weights = [row for row in layers if ".fc" not in row.path]  # those of gates are apart
    depth = int(name.removeprefix("se_").removeprefix("vgg").partition("_")[0])
    assert len(with_weights) == depth
    assert [row.output_shape[1:] for row in with_weights[-3:]] == [(4096,), (4096,), (1000,)]


@pytest.mark.parametrize("base", ["a", "b", "c"])
@pytest.mark.parametrize("kind", ["base", "strided", "convpool", "allcnn"])
def test_the_study_averages_over_six_times_six(kind: str, base: str) -> None:
    name = f"{kind}_{base}"
    last = [layer for layer in stages(name) if layer.startswith("conv")][-1]
    assert shape_of(name, last) == (10, 6, 6)


MULTIPLY_ADDS: dict[str, dict[str, int]] = {
    "alexnet": {
        "conv1": 105_415_200, "conv2": 447_897_600, "conv3": 149_520_384, "conv4": 224_280_576,
        "conv5": 149_520_384, "fc6": 37_748_736, "fc7": 16_777_216, "fc8": 4_096_000,
    },
    "alexnet_original": {
        "conv1": 105_415_200, "conv2": 223_948_800, "conv3": 149_520_384, "conv4": 112_140_288,
        "conv5": 74_760_192, "fc6": 37_748_736, "fc7": 16_777_216, "fc8": 4_096_000,
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "table"), MULTIPLY_ADDS.items())
def test_alexnet_by_layer(name: str, table: dict[str, int]) -> None:
    found = {layer: stages(name)[layer].multiply_adds for layer in table}
    assert found == table


def test_vgg16_takes_fifteen_and_a_half_billion_multiply_adds() -> None:
    works = [row.multiply_adds for row in stages("vgg16").values()]
    assert sum(works) == 15_346_630_656 + 102_760_448 + 16_777_216 + 4_096_000


def test_the_activations_of_vgg16_are_fifteen_million_values_and_not_twenty_four() -> None:
    """One deck prints "24M values, 96 MB for each image" below rows that add up to 15.2M.

    Rows are those of the deck: the image, convolutions, pools and affine layers. With the
    rectifiers' own outputs, which the deck does not list, it would be more than 28M.
    """
    values = 3 * 224 * 224
    for layer, row in stages("vgg16").items():
        module = row.kind
        if module in ("Conv2d", "MaxPool2d", "Linear"):
            size = 1
            for extent in shape_of("vgg16", layer):
                size *= extent
            values += size
    assert values == 15_237_608
    assert round(values / 1e6, 1) == 15.2 != 24.0
    assert round(4 * values / 2**20) == 58 != 96
