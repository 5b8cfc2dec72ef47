"""Squeeze-and-excitation networks: counts, places of the gates, options."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models, nn
from tinygrad_cnn.errors import OptionError

from .at_full_size import built, count, output_of, summed_up

NAMES = ("se_resnet50", "se_vgg16", "se_googlenet")
GATED = {"se_resnet50": "resnet50", "se_vgg16": "vgg16_bn", "se_googlenet": "googlenet"}
# maps that each gate scales
RESNET50 = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
VGG16 = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
GOOGLENET = [256, 480, 512, 512, 512, 528, 832, 832, 1024]


def weights_of_gates(maps: list[int], reduction: int = 16) -> int:
    return sum(2 * c * (c // reduction) for c in maps)


def biases_of_gates(maps: list[int], reduction: int = 16) -> int:
    return sum(c + c // reduction for c in maps)


@pytest.mark.parametrize(
    ("name", "maps", "total"),
    [
        ("se_resnet50", RESNET50, 28_088_024),
        ("se_vgg16", VGG16, 138_596_784),
        ("se_googlenet", GOOGLENET, 7_478_655),
    ],
)
def test_counts_are_those_of_the_network_and_its_gates(name, maps, total) -> None:
    assert count(name) == total
    assert count(GATED[name]) + weights_of_gates(maps) + biases_of_gates(maps) == total
    gates = [m for m in built(name).modules() if isinstance(m, nn.SqueezeExcitation)]
    assert len(gates) == len(maps)


def test_the_papers_formula_leaves_the_biases_out() -> None:
    assert weights_of_gates(RESNET50) == 2_514_944  # "about 2.5 million", 10 % of 25.6
    assert count("se_resnet50") - count("resnet50") == 2_514_944 + 16_048
    assert round(count("se_resnet50") / 1e6, 2) == 28.09


def test_gates_cost_next_to_nothing() -> None:
    with_gates, without = (summed_up(n).multiply_adds for n in ("se_resnet50", "resnet50"))
    assert with_gates - without == weights_of_gates(RESNET50)
    assert (with_gates - without) / without < 0.001


def test_stages_return_the_maps_of_the_networks_without_gates() -> None:
    stages = ("layer1", "layer2", "layer3", "layer4")
    assert output_of("se_resnet50", *stages) == output_of("resnet50", *stages)
    assert output_of("se_vgg16", "features") == [(512, 7, 7)]
    assert output_of("se_googlenet", "gate3a", "gate5b") == [(256, 28, 28), (1024, 7, 7)]


def order_of(name: str) -> list[str]:
    """Return what runs in the twin, without the insides of the gates."""
    model = models.build_twin(name, 4)
    x = tg.Tensor(np.zeros((2, *models.find(name).twin_input), np.float32))
    return [f"{row.path} {row.kind}" for row in tg.summary(model, x.shape).rows]


def test_gates_stand_where_the_paper_puts_them() -> None:
    rows = [row for row in order_of("se_resnet50") if row.startswith("layer1.0")]
    places = {key: next(k for k, row in enumerate(rows) if key in row) for key in ("bn3", "gate")}
    last = max(k for k, row in enumerate(rows) if "gate" in row)
    added = next(k for k, row in enumerate(rows) if row.endswith(" Add"))
    assert places["bn3"] < places["gate"] <= last < added
    vgg = models.build_twin("se_vgg16", 4).features
    kinds = [type(layer).__name__ for layer in vgg]
    rectifiers = [k for k, kind in enumerate(kinds) if kind == "ReLU"]
    assert len(rectifiers) == 13
    assert all(kinds[k + 1] == "SqueezeExcitation" for k in rectifiers)


def test_gates_multiply_each_map_by_one_factor() -> None:
    tg.manual_seed(0)
    model = models.build_twin("se_googlenet", 4)
    channels = model.gate3a.fc1.weight.shape[1]
    maps = tg.Tensor(np.random.default_rng(0).normal(size=(2, channels, 5, 5)).astype(np.float32))
    factors = model.gate3a(maps).numpy() / maps.numpy()
    assert factors.shape == (2, channels, 5, 5)
    np.testing.assert_allclose(factors, factors[:, :, :1, :1] * np.ones((5, 5)), rtol=1e-4)
    assert factors.min() > 0
    assert factors.max() < 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reduction", [0, 1.5, True, "a"])
def test_a_reduction_below_one_is_refused(name: str, reduction: Any) -> None:
    with pytest.raises(OptionError, match=f"reduction is a positive integer; got {reduction!r}"):
        models.build(name, reduction=reduction, allocate=False)
