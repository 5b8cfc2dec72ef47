"""Pictures by what can be known of them: PNG, a size, something drawn, the same each time."""

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.data import ArrayDataset, Normalise, Split, Standardise
from tinygrad_cnn.errors import OptionError, RunDirectoryError, ShapeError
from tinygrad_cnn.train import EpochRecord
from tinygrad_cnn.train.metrics import confusion_matrix
from tinygrad_cnn.train.plots import (
    draw_confusion,
    draw_examples,
    draw_feature_maps,
    draw_filters,
    draw_mistakes,
    draw_report,
)
from tinygrad_cnn.train.plots.canvas import as_shown, mosaic

NAMES = ("cat", "dog", "owl")


def size(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", content[16:24])


def is_drawn(path: Path) -> bool:
    """Tell whether a picture has more than one colour in its middle part."""
    from matplotlib.image import imread

    pixels = imread(path)
    height, width = pixels.shape[:2]
    return len(np.unique(pixels[height // 4 : -height // 4, width // 4 : -width // 4])) > 1


def images(channels: int = 1, count: int = 30) -> ArrayDataset:
    draw = np.random.default_rng(2)
    pixels = draw.normal(size=(count, channels, 8, 8)).astype(np.float32)
    mean = Standardise(0.5, 0.2) if channels == 1 else Normalise((0.5,) * 3, (0.2,) * 3)
    return ArrayDataset(pixels, draw.integers(0, 3, count), NAMES, mean)


def network(channels: int = 1) -> nn.Module:
    tg.manual_seed(3)
    layers = (nn.Conv2d(channels, 20, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(180, 3))


def some_probabilities(count: int = 30) -> np.ndarray:
    draw = np.random.default_rng(4).random((count, 3))
    return draw / draw.sum(1, keepdims=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_report_has_all_pictures(channels: int, tmp_path: Path) -> None:
    dataset, history = images(channels), [EpochRecord(1, 0.1, 2.0, 1, 4, 1.0, 2, 4, 0.1)]
    report = {
        where: draw_report(
            tmp_path / "deep" / where,
            network(channels),
            Split(dataset, dataset),
            history=history,
            title="a net on animals",
        )
        for where in ("first", "second")
    }
    names = ["curves", "confusion", "mistakes", "filters", "feature_maps"]
    assert [path.stem for path in report["first"]] == names
    for path, again in zip(*report.values(), strict=True):
        assert min(size(path)) > 100
        assert is_drawn(path)
        assert path.read_bytes() == again.read_bytes()
    assert len(list((tmp_path / "deep" / "first").iterdir())) == len(names)


def test_a_network_without_filters_has_a_report(tmp_path: Path) -> None:
    dataset = images()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    paths = draw_report(tmp_path, model, Split(dataset, dataset))
    assert [path.stem for path in paths] == ["confusion", "mistakes"]


def test_probabilities_of_others_can_be_drawn(tmp_path: Path) -> None:
    dataset = images()
    right = np.eye(3)[dataset.labels]
    own, given = tmp_path / "own", tmp_path / "given"
    draw_report(own, network(), Split(dataset, dataset))
    draw_report(given, network(), Split(dataset, dataset), probabilities=right)
    for name in ("confusion.png", "mistakes.png"):
        assert (own / name).read_bytes() != (given / name).read_bytes()
    assert (own / "filters.png").read_bytes() == (given / "filters.png").read_bytes()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    dataset = images()
    with pytest.raises(RunDirectoryError, match="has to be written; got"):
        draw_report(tmp_path / "file" / "in", network(), Split(dataset, dataset))


@pytest.mark.parametrize("classes", [1, 3, 26, 40, 100])
def test_confusion_of_few_and_many_classes(classes: int, tmp_path: Path) -> None:
    truth = np.random.default_rng(0).integers(0, classes, 500)
    path = tmp_path / "confusion.png"
    draw_confusion(path, confusion_matrix(truth, np.sort(truth), classes), (), "title")
    width, height = size(path)
    assert 400 < width == height < 2000
    assert is_drawn(path)


def test_long_class_names_and_empty_rows(tmp_path: Path) -> None:
    names = ("a class with a long name", "b", "c")
    draw_confusion(tmp_path / "confusion.png", np.diag([3, 0, 2]), names)
    assert is_drawn(tmp_path / "confusion.png")


def test_outputs_without_a_class_have_numbers(tmp_path: Path) -> None:
    dataset = images()
    wide = np.hstack([np.zeros((30, 3)), np.ones((30, 1))])  # the answer is always class 3
    draw_report(tmp_path, network(), Split(dataset, dataset), probabilities=wide)
    assert is_drawn(tmp_path / "confusion.png")


def test_mistakes_are_counted(tmp_path: Path) -> None:
    dataset, shares = images(), some_probabilities()
    path = tmp_path / "mistakes.png"
    expected = np.count_nonzero(shares.argmax(1) != dataset.labels)
    assert 0 < expected < 30
    assert draw_mistakes(path, dataset, shares, most=4) == expected
    assert size(path)[0] == 1100
    assert draw_mistakes(path, dataset, np.eye(3)[dataset.labels]) == 0  # an empty page
    with pytest.raises(ShapeError, match=r"got 29 rows for 30 images"):
        draw_mistakes(path, dataset, shares[1:])


@pytest.mark.parametrize(("most", "drawn"), [(1, 1), (7, 7), (60, 30)])
def test_examples(most: int, drawn: int, tmp_path: Path) -> None:
    assert draw_examples(tmp_path / "page.png", images(), most) == drawn
    assert size(tmp_path / "page.png")[0] == 1100


def test_examples_show_each_class_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions: list[list[str]] = []
    monkeypatch.setattr(
        "tinygrad_cnn.train.plots.samples._draw", lambda *given: captions.append(given[2])
    )
    labels = [0, 0, 0, 2, 2, 1]
    dataset = ArrayDataset(np.zeros((6, 1, 2, 2)), labels, NAMES)
    draw_examples(tmp_path / "page.png", dataset)
    assert captions == [["cat", "dog", "owl", "cat", "owl", "cat"]]


def test_long_names_of_classes_do_not_run_into_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Any] = []
    monkeypatch.setattr(
        "tinygrad_cnn.train.plots.samples.write_figure", lambda path, figure: figures.append(figure)
    )
    dataset = images()
    dataset.class_names = ("automobile", "aquarium_fish", "the_name_of_a_folder_of_ones_own")
    draw_mistakes(tmp_path / "mistakes.png", dataset, some_probabilities())
    draw_examples(tmp_path / "examples.png", dataset)
    for figure in figures:
        figure.canvas.draw()
        lines: dict[int, list[Any]] = {}
        for axes in figure.axes:
            for text in axes.texts:
                box = text.get_window_extent()
                lines.setdefault(round(box.y1), []).append(box)
        for boxes in lines.values():
            boxes.sort(key=lambda box: box.x0)
            for left, right in itertools.pairwise(boxes):
                assert left.x1 < right.x0


def test_filters_and_maps_say_what_they_show(tmp_path: Path) -> None:
    path, dataset = tmp_path / "picture.png", images()
    assert draw_filters(path, network()) == "0.weight"
    assert draw_feature_maps(path, network(), dataset.images[0]) == ["0", "1", "2"]
    deep = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(20)))
    layers = draw_feature_maps(path, deep, dataset.images[0])
    assert layers == ["0", "3", "5", "8", "11", "14", "16", "19"]
    assert deep.training
    assert not deep[0]._forward_hooks


def test_filters_over_other_channels(tmp_path: Path) -> None:
    assert draw_filters(tmp_path / "filters.png", nn.Conv2d(5, 30, 3)) == "weight"
    assert is_drawn(tmp_path / "filters.png")


REFUSED = [
    (lambda p: draw_filters(p, nn.Linear(2, 2)), OptionError, r"got Linear without any"),
    (lambda p: draw_feature_maps(p, network(), np.zeros((8, 8), np.float32)), ShapeError,
     r"shape \(C, H, W\); got \(8, 8\)"),
    (lambda p: draw_feature_maps(p, nn.Flatten(), np.zeros((1, 8, 8), np.float32)), OptionError,
     r"got Flatten without any"),
    (lambda p: draw_examples(p, images(), 0), OptionError, r"got most=0 of 30"),
    (lambda p: draw_examples(p, ArrayDataset(np.zeros((2, 4)), [0, 1])), ShapeError,
     r"one or three channels can be shown, \(N, C, H, W\); got \(2, 4\)"),
    (lambda p: as_shown(np.zeros((1, 2, 3, 3))), ShapeError, r"got \(1, 2, 3, 3\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED)
def test_refusals_leave_nothing(
    call: Any, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        call(tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_shown_as_they_were(channels: int) -> None:
    pixels = np.random.default_rng(1).random((5, channels, 4, 6)).astype(np.float32)
    mean = Standardise(0.3, 0.4) if channels == 1 else Normalise((0.3, 0.1, 0.2), (0.4, 0.5, 0.6))
    shown = as_shown(mean(pixels), mean)
    expected = pixels[:, 0] if channels == 1 else pixels.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(shown, expected, atol=1e-6)


@pytest.mark.parametrize("tail", [(), (3,)])
def test_a_mosaic_holds_every_tile_once(tail: tuple[int, ...]) -> None:
    tiles = np.arange(7 * 6 * (3 if tail else 1), dtype=float).reshape(7, 2, 3, *tail)
    field = mosaic(tiles, 4, gap=2)
    assert field.shape == (2 * 2 + 2, 4 * 3 + 3 * 2, *tail)
    np.testing.assert_array_equal(np.sort(field[~np.isnan(field)]), np.sort(tiles.ravel()))
    np.testing.assert_array_equal(field[4:6, 5:8], tiles[5])


def test_a_layer_that_does_nothing_in_evaluation_has_no_maps(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(0.5), nn.ReLU())
    drawn = draw_feature_maps(tmp_path / "maps.png", model, np.ones((1, 6, 6), np.float32))
    assert drawn == ["0", "2"]
