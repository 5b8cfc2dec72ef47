"""Averages against the plainest sums in float64; views against pixels moved one by one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.data import ArrayDataset, Split
from tinygrad_cnn.errors import TinygradCnnError
from tinygrad_cnn.train import Recipe, evaluate
from tinygrad_cnn.train.answers import probabilities, softmax
from tinygrad_cnn.train.ensemble import ensemble, judged, unseen_views, viewed_probabilities, views

Build = Callable[[], nn.Module]


@pytest.fixture
def members(build: Build) -> list[nn.Module]:
    models = [build() for _ in range(3)]
    draw = np.random.default_rng(8)
    for model in models:
        model.load_state_dict(
            {n: a + draw.normal(size=a.shape) for n, a in model.state_dict().items()}
        )
    return models


def scores(model: nn.Module, images: np.ndarray) -> np.ndarray:
    with tg.no_grad():
        return model(tg.Tensor(np.ascontiguousarray(images))).numpy().astype(np.float64)


def shares(model: nn.Module, images: np.ndarray) -> np.ndarray:
    powers = np.exp(scores(model, images))
    return powers / powers.sum(1, keepdims=True)


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    height, width = image.shape[1:]
    result = np.empty_like(image)
    for row in range(height):
        for column in range(width):
            source = np.clip(row - down, 0, height - 1), np.clip(column - right, 0, width - 1)
            result[:, row, column] = image[:, *source]
    return result


def plain_views(image: np.ndarray, crops: int, by: int) -> list[np.ndarray]:
    if crops == 2:
        return [image, image[..., ::-1]]
    five = [moved(image, d, r) for d, r in ((by, by), (by, -by), (-by, by), (-by, -by), (0, 0))]
    return {1: [image], 5: five, 10: five + [view[..., ::-1] for view in five]}[crops]


@pytest.mark.parametrize("by", [1, 2, 5])
@pytest.mark.parametrize("crops", [1, 2, 5, 10])
def test_views(crops: int, by: int) -> None:
    images = np.random.default_rng(0).random((3, 2, 4, 5))
    expected = [plain_views(image, crops, by) for image in images]
    np.testing.assert_array_equal(views(images, crops, by), expected, strict=True)


@pytest.mark.parametrize("crops", [1, 2, 5, 10])
def test_the_average(crops: int, members: list[nn.Module], split: Split) -> None:
    images, labels = split.train.images, split.train.labels
    each = [
        np.mean([shares(model, views(images, crops)[:, v]) for v in range(crops)], axis=0)
        for model in members
    ]
    heard: list[int] = []
    result = ensemble(members, split.train, crops, after_member=heard.append)
    np.testing.assert_allclose(result.probabilities, np.mean(each, axis=0), rtol=1e-4)
    for member, own in zip(result.members, each, strict=True):
        assert member.correct == np.count_nonzero(own.argmax(1) == labels)
        assert member.loss == pytest.approx(-np.log(own[np.arange(40), labels]).mean(), rel=1e-4)
    np.testing.assert_array_equal(result.members_right, np.argmax(each, 2) == labels)
    np.testing.assert_array_equal(result.right, np.mean(each, axis=0).argmax(1) == labels)
    right = np.count_nonzero(result.right)
    assert (result.average.correct, result.average.total) == (right, 40)
    accuracies = [member.correct / 40 for member in result.members]
    assert result.improvement == pytest.approx(right / 40 - np.mean(accuracies))
    assert result.over_the_best == pytest.approx(right / 40 - max(accuracies))
    assert heard == [1, 2, 3]


def test_one_network_says_what_evaluate_says(members: list[nn.Module], split: Split) -> None:
    members[0].train()
    result = ensemble(members[:1], split.train)
    expected = evaluate(members[0], split.train)
    assert result.average.correct == expected.correct
    assert result.average.loss == pytest.approx(expected.loss, rel=1e-5)
    assert members[0].training
    assert result.improvement == 0.0


def test_the_loss_of_the_average_is_no_worse_than_the_mean(
    members: list[nn.Module], split: Split
) -> None:
    result = ensemble(members, split.train)  # -log is convex
    assert result.average.loss <= np.mean([member.loss for member in result.members])


@pytest.mark.parametrize("batch_size", [1, 7, 40, 100])
def test_batches_change_nothing(batch_size: int, members: list[nn.Module], split: Split) -> None:
    got = probabilities(members[0], split.train.images, batch_size)
    np.testing.assert_allclose(got, shares(members[0], split.train.images), rtol=1e-4)
    np.testing.assert_allclose(got.sum(1), 1.0)


def test_many_images_are_viewed_in_batches(members: list[nn.Module]) -> None:
    images = np.random.default_rng(1).normal(size=(300, 1, 6, 6)).astype(np.float32)
    one_by_one = [viewed_probabilities(members[0], images[n : n + 1], 5)[0] for n in (0, 255, 299)]
    together = viewed_probabilities(members[0], images, 5)
    np.testing.assert_allclose(together[[0, 255, 299]], one_by_one, rtol=1e-4)


def test_large_scores_and_probabilities_of_nothing() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[1, 0], [0.5, 0.5]])
    result = judged(np.array([[1.0, 0.0]]), np.array([1]))
    assert np.isfinite(result.loss)
    assert result.loss > 700
    many = judged(np.arange(70.0).reshape(10, 7), np.arange(10) % 7)  # class 6 is likeliest
    assert (many.correct, many.top5) == (1, 6)


def relabelled(dataset: ArrayDataset) -> ArrayDataset:
    return ArrayDataset(dataset.images, (dataset.labels + 1) % 3)


def test_each_network_may_have_the_examples_in_its_size(
    members: list[nn.Module], split: Split
) -> None:
    images, labels = split.train.images, split.train.labels
    wide = ArrayDataset(np.pad(images, ((0, 0), (0, 0), (0, 0), (2, 2))), labels)
    narrow = [nn.Sequential(Middle(), model) for model in members[:1]]
    result = ensemble([*members[1:], *narrow], [split.train, split.train, wide], 2)
    expected = ensemble([*members[1:], members[0]], split.train, 2)
    np.testing.assert_allclose(result.probabilities, expected.probabilities, rtol=1e-5)


class Middle(nn.Module):
    """Leaves out two columns on the left and on the right."""

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return x[..., 2:-2]


CROP, FLIP = ("random-crop", {"padding": 4}), ("random-flip", {})
NEVER = ("random-flip", {"probability": 0.0})
UNSEEN = [
    ({}, 1, 1, []),
    ({}, 2, 1, ["mirror images"]),
    ({}, 5, 1, ["moved images"]),
    ({}, 10, 3, ["mirror images", "moved images"]),
    ({"shift": 2}, 5, 2, []),
    ({"shift": 2}, 10, 2, ["mirror images"]),
    ({"shift": 2}, 5, 3, ["images moved by more than 2 pixels"]),
    ({"augment": (FLIP,)}, 2, 9, []),
    ({"augment": (NEVER,)}, 2, 1, ["mirror images"]),
    ({"augment": (CROP, FLIP)}, 10, 4, []),
    ({"augment": (CROP, FLIP), "shift": 1}, 10, 5, ["images moved by more than 4 pixels"]),
]


@pytest.mark.parametrize(("options", "crops", "by", "expected"), UNSEEN)
def test_views_that_training_did_not_show(
    options: dict[str, Any], crops: int, by: int, expected: list[str]
) -> None:
    assert unseen_views(Recipe("adam", 0.001, 32, 1, "cosine", **options), crops, by) == expected


def two_classes() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 2))


EMPTY = ArrayDataset(np.zeros((0, 1, 6, 6), np.float32), [])
REFUSED = [
    (lambda m, d: ensemble([], d), r"at least one network to ask; got none"),
    (lambda m, d: ensemble([*m, two_classes()], d), r"the same classes; got 3 and 2"),
    (lambda m, d: ensemble(m, d, crops=3), r"crops is one of 1, 2, 5, 10; got 3"),
    (lambda m, d: ensemble(m, d, crops=5, moved=0), r"moved by 1 pixel or more; got 0"),
    (lambda m, d: ensemble(m, [d, d]), r"one for each network; got 2 for 3"),
    (lambda m, d: ensemble(m, [d, d, relabelled(d)]), r"the same examples; got other labels"),
    (lambda m, d: ensemble(m, EMPTY), r"there are images to look at; got none"),
    (lambda m, d: ensemble(m, EMPTY, crops=5), r"there are images to look at; got none"),
    (lambda m, d: views(np.zeros((3, 4)), 2), r"shape \(N, C, H, W\) .* got \(3, 4\)"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call: Any, message: str, members: list[nn.Module], split: Split) -> None:
    with pytest.raises(TinygradCnnError, match=message):
        call(members, split.train)
