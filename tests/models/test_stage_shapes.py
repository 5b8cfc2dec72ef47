"""What every stage of every network returns, at full size, and what it costs.

The tables are the papers'; nothing is computed: the networks run on shapes alone.
"""

import math

import pytest

from tinygrad_cnn import models

from .at_full_size import Shapes, summed_up
from .stage_tables import SHAPES, stages


def test_every_network_has_its_row() -> None:
    assert sorted(SHAPES) == list(models.names())


@pytest.mark.parametrize(("name", "table"), SHAPES.items())
def test_every_stage_is_as_large_as_the_paper_says(name: str, table: Shapes) -> None:
    """Of every network, and every stage of it: one that is not in the table fails as well."""
    assert stages(name) == table


VGGS = [name for name in models.names() if "vgg" in name]


@pytest.mark.parametrize("name", VGGS)
def test_every_column_of_vgg_halves_its_maps_five_times(name: str) -> None:
    pools = [row for row in summed_up(name).rows if row.kind == "MaxPool2d"]
    assert [row.output_shape[1:] for row in pools] == [
        (64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7),
    ]  # fmt: skip
    layers = [row for row in summed_up(name).rows if row.kind in ("Conv2d", "Linear")]
    with_weights = [row for row in layers if ".fc" not in row.path]  # those of gates are apart
    depth = int(name.removeprefix("se_").removeprefix("vgg").partition("_")[0])
    assert len(with_weights) == depth
    assert [row.output_shape[1:] for row in with_weights[-3:]] == [(4096,), (4096,), (1000,)]


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
    found = {row.path: row.multiply_adds for row in summed_up(name).rows if row.path in table}
    assert found == table


def test_vgg16_takes_fifteen_and_a_half_billion_multiply_adds() -> None:
    works = [row.multiply_adds for row in summed_up("vgg16").rows]
    assert sum(works) == 15_346_630_656 + 102_760_448 + 16_777_216 + 4_096_000


def test_the_activations_of_vgg16_are_fifteen_million_values_and_not_twenty_four() -> None:
    """One deck prints "24M values, 96 MB for each image" below rows that add up to 15.2M.

    Rows are those of the deck: the image, convolutions, pools and affine layers. With the
    rectifiers' own outputs, which the deck does not list, it would be more than 28M.
    """
    values = 3 * 224 * 224
    for row in summed_up("vgg16").rows:
        if row.kind in ("Conv2d", "MaxPool2d", "Linear"):
            values += math.prod(row.output_shape[1:])
    assert values == 15_237_608
    assert round(values / 1e6, 1) == 15.2 != 24.0
    assert round(4 * values / 2**20) == 58 != 96
