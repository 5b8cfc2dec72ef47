"""GoogLeNet, its inception modules, and torchvision's form: counts, costs, shapes, names."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models
from tinygrad_cnn.models.googlenet import MODULES, GoogLeNetOutputs, auxiliary_loss

from .at_full_size import (
    Shapes,
    affine,
    batch_norm,
    built,
    count,
    filters,
    output_of,
    state_shapes,
    summed_up,
)


def test_counts_of_both_forms() -> None:
    assert count("googlenet") == 6_998_552
    assert count("googlenet", aux=True) == 13_378_280
    assert count("googlenet_torchvision") == 6_624_904
    assert count("googlenet_torchvision", aux=True) == 13_004_888


# The column of the paper's table 1, and what its own channels make, in units of 1,024 weights.
THOUSANDS = {
    "conv1": (2.7, 9.2), "conv2": (112, 112.0), "3a": (159, 159.5), "3b": (380, 379.0),
    "4a": (364, 366.8), "4b": (437, 438.0), "4c": (463, 497.5), "4d": (580, 590.5),
    "4e": (840, 847.0), "5a": (1072, 1018.0), "5b": (1388, 1409.0), "fc": (1000, 1000.0),
}  # fmt: skip


@pytest.mark.parametrize("row", THOUSANDS)
def test_the_papers_column_of_parameters_differs_from_its_table(row: str) -> None:
    printed, added_up = THOUSANDS[row]
    parts = {"conv1": ("conv1.",), "conv2": ("reduce2.", "conv2."), "fc": ("fc.",)}
    inside = parts.get(row, (f"inception{row}.",))
    named = built("googlenet").named_parameters()
    weights = sum(p.numel() for path, p in named if path.startswith(inside) and len(p.shape) > 1)
    assert round(weights / 1024, 1) == pytest.approx(added_up, abs=0.05)
    assert (abs(printed - added_up) <= 1) == (row in ("conv2", "3a", "3b", "4b", "fc"))


def test_work_of_both_forms() -> None:
    assert summed_up("googlenet").multiply_adds == 1_582_671_872
    assert summed_up("googlenet_torchvision").multiply_adds == 1_498_376_192


def test_it_has_22_layers_with_weights_in_depth() -> None:
    depths: dict[Any, int] = {}

    def count_on(element: Any, inputs: Any, outputs: Any) -> None:
        deepest = max(depths.get(variable.node, 0) for variable in inputs)
        weighs = element.name in ("conv2d", "affine")
        depths.update({output.node: deepest + weighs for output in outputs})

    with tg.hooks.on_forward(count_on):
        scores = built("googlenet")(tg.zeros(1, 3, 224, 224, device="shapes"))
    # three in the stem, two in each of nine modules, one behind them
    assert depths[scores.node] == 22 == 3 + 2 * len(MODULES) + 1


@pytest.mark.parametrize("name", ["googlenet", "googlenet_torchvision"])
def test_auxiliary_classifiers_speak_in_training_only(name: str) -> None:
    tg.manual_seed(0)
    model = models.build(name, 5, aux=True, width=1 / 8)
    x = tg.Tensor(np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32))
    labels = np.array([0, 1, 2])
    outputs = model(x)
    assert isinstance(outputs, GoogLeNetOutputs)
    assert [scores.shape for scores in outputs] == [(3, 5)] * 3
    loss = auxiliary_loss(outputs, labels)
    parts = [F.cross_entropy(scores, labels).item() for scores in outputs]
    assert loss.item() == pytest.approx(parts[0] + 0.3 * (parts[1] + parts[2]), rel=1e-5)
    loss.backward()
    without = [path for path, p in model.named_parameters() if p.grad is None]
    assert not without
    scores = model.eval()(x)
    assert scores.shape == (3, 5)
    assert auxiliary_loss(scores, labels).item() == F.cross_entropy(scores, labels).item()


def test_auxiliary_classifiers_of_the_paper_average_over_5x5_with_stride_3() -> None:
    """torchvision divides 14x14 into 4x4 even parts instead: windows of 4x4, 3 or 4 apart."""
    head = models.googlenet.AuxiliaryHead(2, 3, width=1 / 8).eval()
    maps = np.random.default_rng(0).normal(size=(1, 2, 14, 14)).astype(np.float32)
    means = np.array(
        [[[m[3 * i : 3 * i + 5, 3 * j : 3 * j + 5].mean() for j in range(4)] for i in range(4)]
         for m in maps[0]], np.float32,
    )  # fmt: skip
    # On 4x4 maps the even parts are single pixels.
    expected = head(tg.Tensor(means[None])).numpy()
    np.testing.assert_allclose(head(tg.Tensor(maps)).numpy(), expected, rtol=1e-4, atol=1e-6)


def normalised(path: str, out: int, channels: int, kernel: int) -> Shapes:
    return filters(f"{path}.conv", out, channels, kernel) | batch_norm(f"{path}.bn", out)


@pytest.mark.parametrize("aux", [False, True])
def test_the_state_has_torchvisions_names(aux: bool) -> None:
    state = normalised("conv1", 64, 3, 7) | normalised("conv2", 64, 64, 1)
    state |= normalised("conv3", 192, 64, 3)
    channels = 192
    for name, (one, reduce3, three, reduce5, five, pool) in MODULES.items():
        path = f"inception{name}"
        state |= normalised(f"{path}.branch1", one, channels, 1)
        state |= normalised(f"{path}.branch2.0", reduce3, channels, 1)
        state |= normalised(f"{path}.branch2.1", three, reduce3, 3)
        state |= normalised(f"{path}.branch3.0", reduce5, channels, 1)
        state |= normalised(f"{path}.branch3.1", five, reduce5, 3)
        state |= normalised(f"{path}.branch4.1", pool, channels, 1)
        channels = one + three + five + pool
    for head, before in (("aux1", 512), ("aux2", 528)) if aux else ():
        state |= normalised(f"{head}.conv", 128, before, 1)
        state |= affine(f"{head}.fc1", 1024, 2048) | affine(f"{head}.fc2", 1000, 1024)
    state |= affine("fc", 1000, 1024)
    found = state_shapes("googlenet_torchvision", aux=aux)
    assert sorted(found) == sorted(state.items())


def test_images_of_imagenet_are_turned_into_those_of_the_published_weights() -> None:
    tg.manual_seed(0)
    model = models.build("googlenet_torchvision", 5, width=1 / 8).eval()
    x = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    deviation = np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    pixels = x * deviation + np.array([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    halves = ((pixels - 0.5) / 0.5).astype(np.float32)
    expected = model(tg.Tensor(halves)).numpy()
    model.transform_input = True
    np.testing.assert_allclose(model(tg.Tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)


# -- the lectures' example of costs --------------------------------------------------------


def test_the_naive_module_costs_854_million_multiply_adds() -> None:
    rows = {row.path: row for row in summed_up("inception_naive").rows if row.path}
    costs = [rows[f"inception.conv{k}x{k}"].multiply_adds for k in (1, 3, 5)]
    assert costs == [25_690_112, 346_816_512, 481_689_600]
    assert sum(costs) == 854_196_224
    assert output_of("inception_naive", "inception") == [(128 + 192 + 96 + 256, 28, 28)]


def test_the_reduced_module_costs_271_million_where_the_deck_prints_358() -> None:
    rows = {row.path: row for row in summed_up("inception_naive", reduced=True).rows if row.path}
    costs = {
        name: rows[f"inception.{name}"].multiply_adds
        for name in ("conv1x1", "reduce3x3", "conv3x3", "reduce5x5", "conv5x5", "project_pool")
    }
    assert costs == {
        "conv1x1": 25_690_112, "reduce3x3": 12_845_056, "conv3x3": 86_704_128,
        "reduce5x5": 12_845_056, "conv5x5": 120_422_400, "project_pool": 12_845_056,
    }  # fmt: skip
    assert sum(costs.values()) == 271_351_808  # the rows of the deck, too, add up to this
    assert sum(costs.values()) != 358_000_000  # what it prints
    assert output_of("inception_naive", "inception", reduced=True) == [(480, 28, 28)]
