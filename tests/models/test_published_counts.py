"""The figures of the papers and of the lectures: parameters by layer, for the classic networks.

Where a published figure differs from what its own layers add up to, both stand here.
"""

from functools import cache
from typing import Any

import pytest

from tinygrad_cnn import models, nn


@cache
def full_size(name: str) -> nn.Module:
    return models.build(name, allocate=False)


def by_layer(model: nn.Module) -> dict[str, int]:
    """Return the parameters of each layer that has its own."""
    counts: dict[str, int] = {}
    for path, parameter in model.named_parameters():
        layer = path.rpartition(".")[0]
        counts[layer] = counts.get(layer, 0) + parameter.numel()
    return counts


def weights_only(name: str) -> list[int]:
    return [p.numel() for path, p in full_size(name).named_parameters() if path.endswith("weight")]


TOTALS = {
    "lenet5": 61_706,
    "lenet5_original": 60_000,
    "lab11_cnn2": 50_186,
    "lab11_cnn3": 1_379_557,
    "dlt_cnn": 3_898,
    "alexnet": 62_378_344,
    "alexnet_original": 60_965_224,
    "alexnet_torchvision": 61_100_840,
    "zfnet": 62_357_608,
    "nin": 966_986,
    "vgg11": 132_863_336,
    "vgg11_lrn": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16_1x1": 133_638_952,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    **{f"{kind}_a": 839_242 for kind in ("base", "strided")},
    **{f"{kind}_b": 885_610 for kind in ("base", "strided")},
    **{f"{kind}_c": 954_730 for kind in ("base", "strided")},
    **{f"{kind}_a": 1_254_250 for kind in ("convpool", "allcnn")},
    **{f"{kind}_b": 1_300_618 for kind in ("convpool", "allcnn")},
    **{f"{kind}_c": 1_369_738 for kind in ("convpool", "allcnn")},
}


@pytest.mark.parametrize(("name", "total"), TOTALS.items())
def test_parameters_in_all(name: str, total: int) -> None:
    assert full_size(name).count_parameters() == total


FC = {"fc6": 37_752_832, "fc7": 16_781_312, "fc8": 4_097_000}
LAYERS: dict[str, dict[str, int]] = {
    "lenet5_original": {
        "C1": 156, "S2": 12, "C3": 1_516, "S4": 32, "C5": 48_120, "F6": 10_164,
    },
    "lab11_cnn2": {"conv1": 320, "conv2": 18_496, "fc": 31_370},
    "lab11_cnn3": {
        "conv1": 320, "conv2": 18_496, "conv3": 73_856, "fc4": 1_280_625, "fc5": 6_260,
    },
    "dlt_cnn": {
        "C1": 6 * (5 * 5 + 1), "C3": 12 * (6 * 5 * 5 + 1), "output": 10 * (12 * 4 * 4 + 1),
    },
    "alexnet": {
        "conv1": 34_944, "conv2": 614_656, "conv3": 885_120, "conv4": 1_327_488,
        "conv5": 884_992, **FC,
    },
    "alexnet_original": {
        "conv1": 34_944, "conv2": 307_456, "conv3": 885_120, "conv4": 663_936,
        "conv5": 442_624, **FC,
    },
    "alexnet_torchvision": {
        "features.0": 23_296, "features.3": 307_392, "features.6": 663_936,
        "features.8": 884_992, "features.10": 590_080, "classifier.1": FC["fc6"],
        "classifier.4": FC["fc7"], "classifier.6": FC["fc8"],
    },
    "zfnet": {
        "conv1": 14_208, "conv2": 614_656, "conv3": 885_120, "conv4": 1_327_488,
        "conv5": 884_992, **FC,
    },
    "nin": {
        "conv1": 14_592, "cccp1": 30_880, "cccp2": 15_456, "conv2": 460_992, "cccp3": 37_056,
        "cccp4": 37_056, "conv3": 331_968, "cccp5": 37_056, "cccp6": 1_930,
    },
    "base_a": {
        "conv1": 7_296, "conv2": 460_992, "conv3": 331_968, "conv4": 37_056, "conv5": 1_930,
    },
    "base_b": {
        "conv1": 7_296, "conv2": 9_312, "conv3": 460_992, "conv4": 37_056, "conv5": 331_968,
        "conv6": 37_056, "conv7": 1_930,
    },
    "allcnn_c": {
        "conv1": 2_688, "conv2": 83_040, "conv3": 83_040, "conv4": 166_080, "conv5": 331_968,
        "conv6": 331_968, "conv7": 331_968, "conv8": 37_056, "conv9": 1_930,
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "layers"), LAYERS.items())
def test_parameters_by_layer(name: str, layers: dict[str, int]) -> None:
    assert by_layer(full_size(name)) == layers


def test_vgg16_by_layer_without_biases() -> None:
    assert weights_only("vgg16") == [
        1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 589_824, 1_179_648,
        *[2_359_296] * 5, 102_760_448, 16_777_216, 4_096_000,
    ]  # fmt: skip


def test_codes_of_the_rbf_layer_are_kept_and_not_trained() -> None:
    assert dict(full_size("lenet5_original").named_buffers())["output.codes"].shape == (10, 84)
    assert models.build("lenet5_original", output="linear").count_parameters() == 60_850


@pytest.mark.parametrize("kind", ["convpool", "allcnn"])
@pytest.mark.parametrize("base", ["a", "b", "c"])
def test_the_study_gives_both_ways_down_the_same_parameters(kind: str, base: str) -> None:
    """So that All-CNN's accuracy cannot come from more parameters than ConvPool's."""
    counts = list(by_layer(full_size(f"{kind}_{base}")).values())
    assert counts == list(by_layer(full_size(f"convpool_{base}")).values())
    plain = full_size(f"base_{base}").count_parameters()
    assert sum(counts) - plain == (9 * 96 * 96 + 96) + (9 * 192 * 192 + 192)


def fully_connected(name: str) -> int:
    return sum(n for path, n in by_layer(full_size(name)).items() if "classifier" in path)


# what is told -> (the figure, what counts the layers, what they add up to)
DISCREPANCIES: dict[str, tuple[float, Any, int]] = {
    # The All-CNN study prints its figures rounded, and generously: layers and biases add up to
    # less, to a quarter less for C.
    "base_a: 0.9M": (0.9e6, lambda: full_size("base_a").count_parameters(), 839_242),
    "base_b: 1M": (1.0e6, lambda: full_size("base_b").count_parameters(), 885_610),
    "base_c: 1.3M": (1.3e6, lambda: full_size("base_c").count_parameters(), 954_730),
    "allcnn_a: 1.28M": (1.28e6, lambda: full_size("allcnn_a").count_parameters(), 1_254_250),
    "allcnn_b: 1.35M": (1.35e6, lambda: full_size("allcnn_b").count_parameters(), 1_300_618),
    "allcnn_c: 1.4M": (1.4e6, lambda: full_size("allcnn_c").count_parameters(), 1_369_738),
    # VGG: the deck calls the fully connected layers 122M; its own three rows add up to more.
    "vgg16 classifier: 122M": (122e6, lambda: fully_connected("vgg16"), 123_642_856),
}


@pytest.mark.parametrize(("told", "counted", "exact"), DISCREPANCIES.values(), ids=DISCREPANCIES)
def test_where_a_told_figure_is_not_the_sum_of_its_layers(
    told: float, counted: Any, exact: int
) -> None:
    assert counted() == exact
    assert told != exact


def test_the_share_of_vggs_fully_connected_layers() -> None:
    """The deck says 85 %; it is 89.4 % of VGG-16 and 86.1 % of VGG-19."""
    shares = [
        fully_connected(name) / full_size(name).count_parameters() for name in ("vgg16", "vgg19")
    ]
    assert [f"{share:.1%}" for share in shares] == ["89.4%", "86.1%"]


def test_the_ratio_of_alexnets_fully_connected_layers_to_its_convolutions() -> None:
    """The deck says 2M against 65M, thirty times as many; ungrouped it is 3.7M and 58.6M."""
    layers = by_layer(full_size("alexnet"))
    convolutions = sum(n for path, n in layers.items() if path.startswith("conv"))
    connected = sum(n for path, n in layers.items() if path.startswith("fc"))
    assert (convolutions, connected) == (3_747_200, 58_631_144)
    assert f"{connected / convolutions:.1f}" == "15.6"
    original = by_layer(full_size("alexnet_original"))
    assert sum(n for path, n in original.items() if path.startswith("conv")) == 2_334_080


def test_filters_of_the_original_alexnet_see_the_maps_of_one_of_two_groups() -> None:
    shapes = {path: p.shape for path, p in full_size("alexnet_original").named_parameters()}
    assert [shapes[f"conv{k}.weight"] for k in range(1, 6)] == [
        (96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3),
    ]  # fmt: skip
