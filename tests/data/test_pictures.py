"""Image files brought to the size and place that the makers of a data set gave theirs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.data import find_pictures, read_picture
from tinygrad_cnn.errors import DataError, MissingDataError, ShapeError, TinygradCnnError

Image = pytest.importorskip("PIL.Image")


def save(path: Path, pixels: Any) -> Path:
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def a_stroke(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    pixels = np.zeros((height, width), np.uint8)
    top, left, rows, columns = box
    pixels[top : top + rows, left : left + columns] = 255
    return pixels


def test_an_image_of_the_data_set_comes_out_as_it_does(tmp_path: Path) -> None:
    raw, (_, ready) = data.load_digits().test, data.load("digits")
    for index in range(4):
        grey = np.round(raw.images[index, 0] * (255 / 16))
        picture = read_picture(
            save(tmp_path / "digit.png", grey), "digits", (1, 32, 32), ready.standardise
        )
        assert not picture.looks_inverted
        # 255 levels for the 17 of the digits
        np.testing.assert_allclose(picture.pixels, ready.images[index], atol=0.01)


# data set, size of the sheet, box of ink (top, left, rows, columns), box expected in 32x32
PLACED = [
    ("mnist", (100, 200), (10, 150, 40, 20), (6, 11, 20, 10)),
    ("emnist", (40, 40), (0, 0, 10, 20), (11, 6, 10, 20)),
    ("fashion_mnist", (60, 60), (3, 7, 28, 14), (2, 9, 28, 14)),
    ("kmnist", (500, 60), (30, 10, 14, 28), (9, 2, 14, 28)),
    ("digits", (80, 80), (5, 5, 64, 32), (4, 10, 24, 12)),
]


@pytest.mark.parametrize(("name", "sheet", "box", "expected"), PLACED)
def test_strokes_fill_their_box_in_the_middle(
    name: str, sheet: tuple[int, int], box: Any, expected: Any, tmp_path: Path
) -> None:
    path = save(tmp_path / "stroke.png", a_stroke(*sheet, box))
    pixels = read_picture(path, name, (1, 32, 32)).pixels
    wanted = a_stroke(32, 32, expected) / 255
    inside = pixels[0] > 0.4  # upsample rounds corners off
    assert pixels.shape == (1, 32, 32)
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(inside, wanted > 0.5)


def test_mnist_is_centred_by_its_mass(tmp_path: Path) -> None:
    pixels = a_stroke(90, 90, (20, 10, 40, 10))
    pixels[54:60, 10:30] = 255  # an L: heavy at the bottom
    field = read_picture(save(tmp_path / "l.png", pixels), "mnist", (1, 32, 32)).pixels[0]
    for axis in (0, 1):
        line = field.sum(1 - axis)
        assert np.average(np.arange(32) + 0.5, weights=line) == pytest.approx(16, abs=0.5)


@pytest.mark.parametrize("kind", ["L", "RGB", "RGBA", "LA", "P", "1", "CMYK"])
def test_all_kinds_of_pixels_give_the_same(kind: str, tmp_path: Path) -> None:
    pixels = a_stroke(60, 40, (10, 10, 40, 10))
    plain = read_picture(save(tmp_path / "plain.png", pixels), "mnist", (1, 32, 32)).pixels
    path = tmp_path / ("other.tif" if kind == "CMYK" else "other.png")
    Image.fromarray(pixels).convert("RGB").convert(kind).save(path)
    np.testing.assert_allclose(read_picture(path, "mnist", (1, 32, 32)).pixels, plain, atol=0.02)


@pytest.mark.parametrize(("ink", "invert"), [(255, False), (0, True)])
def test_what_is_transparent_becomes_ground(ink: int, invert: bool, tmp_path: Path) -> None:
    stroke = a_stroke(60, 40, (10, 10, 40, 10))
    pixels = np.stack([np.full_like(stroke, ink)] * 3 + [stroke], -1)  # alpha is the stroke
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    picture = read_picture(tmp_path / "clear.png", "mnist", (1, 32, 32), invert=invert)
    plain = read_picture(save(tmp_path / "plain.png", stroke), "mnist", (1, 32, 32))
    np.testing.assert_allclose(picture.pixels, plain.pixels, atol=1e-6)
    assert not picture.looks_inverted


def test_ink_on_paper_is_noticed_and_inverted(tmp_path: Path) -> None:
    stroke = a_stroke(60, 40, (10, 10, 40, 10))
    paper = save(tmp_path / "paper.png", 230 - 0.8 * stroke)  # grey paper, grey ink
    assert read_picture(paper, "mnist", (1, 32, 32)).looks_inverted
    inverted = read_picture(paper, "mnist", (1, 32, 32), invert=True)
    assert not inverted.looks_inverted
    plain = read_picture(save(tmp_path / "plain.png", stroke), "mnist", (1, 32, 32))
    np.testing.assert_allclose(inverted.pixels, plain.pixels, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 1), (27, 29)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_an_image_without_a_stroke_is_an_image_too(
    height: int, width: int, grey: int, tmp_path: Path
) -> None:
    path = save(tmp_path / "even.png", np.full((height, width), grey))
    for name, shape in (("digits", (1, 32, 32)), ("mnist", (1, 32, 32)), ("cifar10", (3, 32, 32))):
        pixels = read_picture(path, name, shape).pixels
        assert pixels.shape == shape
        assert np.isfinite(pixels).all()


def test_photographs_are_scaled_and_cut(tmp_path: Path) -> None:
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, :40] = 255, 0, 0
    pixels[:, 40:80] = 0, 255, 0
    path = save(tmp_path / "flag.png", pixels)
    middle = read_picture(path, "cifar10", (3, 32, 32)).pixels
    np.testing.assert_array_equal(middle[:, 8, 16], [0, 1, 0])
    assert read_picture(path, "folder", (3, 64, 64)).pixels.shape == (3, 64, 64)
    assert read_picture(path, "folder", (1, 64, 64)).pixels.shape == (1, 64, 64)
    np.testing.assert_array_equal(
        read_picture(path, "cifar10", (3, 32, 32), invert=True).pixels, 1 - middle
    )


def test_the_data_set_s_own_mean_is_taken_off(tmp_path: Path) -> None:
    path = save(tmp_path / "even.png", np.full((32, 32, 3), 255))
    normalise = data.Normalise((0.5, 0.25, 0.0), (0.5, 0.5, 0.25))
    pixels = read_picture(path, "cifar10", (3, 32, 32), normalise).pixels
    np.testing.assert_allclose(pixels[:, 3, 3], [1.0, 1.5, 4.0], rtol=1e-6)


def test_finding_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("deep/er/b.PNG", "deep/a.jpg", "deep/notes.txt", "any.name"):
        (tmp_path / name).touch()
    places = [tmp_path / name for name in ("any.name", "deep", "empty", "nowhere")]
    paths, mistakes = find_pictures(places)
    found = [path.relative_to(tmp_path).as_posix() for path in paths]
    assert found == ["any.name", "deep/a.jpg", "deep/er/b.PNG"]
    assert [type(mistake) for mistake in mistakes] == [DataError, MissingDataError]


REFUSED = [
    ((1, 32, 28), ShapeError, r"square images .* got \(1, 32, 28\)"),
    ((4, 32, 32), ShapeError, r"one or three channels"),
    ((36,), ShapeError, r"got \(36,\)"),
]


@pytest.mark.parametrize(("shape", "kind", "message"), REFUSED)
def test_shapes_that_no_image_has(
    shape: tuple[int, ...], kind: type[TinygradCnnError], message: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "dot.png", [[0]])
    with pytest.raises(kind, match=message):
        read_picture(path, "mnist", shape)
