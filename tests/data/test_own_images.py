"""One's own image files as a data set: divided, cut to one size, loaded by name."""

import shutil

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.data import load_own_images
from tinygrad_cnn.errors import DataError, MissingDataError, OptionError

Image = pytest.importorskip("PIL.Image")


def paint(path, red, size=(9, 7), mode="RGB"):
    """Save an image whose middle is red to this degree, and whose left and right end is white."""
    pixels = np.full((size[1], size[0], 3), 255, np.uint8)
    pixels[:, 1:-1] = (red, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def undivided(tmp_path):
    for name, first in (("cat", 0), ("dog", 100)):
        for number in range(7):
            paint(tmp_path / name / f"{number}.png", first + number)
    return tmp_path


@pytest.fixture
def divided(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for name, first in (("cat", 0), ("dog", 100)):
            for number in range(count):
                paint(tmp_path / part / name / f"{number}.png", first + number)
    return tmp_path


def test_every_fifth_image_of_a_class_is_a_test_image(undivided):
    train, test = load_own_images(undivided, image_size=7)
    assert train.images[:, 0, 3, 3].tolist() == [0, 1, 2, 3, 5, 6, 100, 101, 102, 103, 105, 106]
    assert test.images[:, 0, 3, 3].tolist() == [4, 104]
    assert test.labels.tolist() == [0, 1]
    assert train.class_names == ("cat", "dog")


def test_folders_that_divide_them_are_kept_to(divided):
    train, test = load_own_images(divided, image_size=7)
    assert train.images[:, 0, 3, 3].tolist() == [0, 1, 2, 100, 101, 102]
    assert test.images[:, 0, 3, 3].tolist() == [0, 1, 100, 101]


def test_the_middle_is_cut_out(undivided):
    train, _ = load_own_images(undivided, image_size=7)
    assert train.images.shape == (12, 3, 7, 7)
    np.testing.assert_array_equal(train.images[6], np.multiply.outer([100, 0, 0], np.ones((7, 7))))
    grey, _ = load_own_images(undivided, image_size=14, mode="grey")
    assert grey.images.shape == (12, 1, 14, 14)


def test_every_kind_and_size_of_image_in_one_class_will_do(undivided):
    for mode in ("L", "RGBA", "P", "LA"):
        paint(undivided / "cat" / f"{mode}.png", 200, (8, 30), mode)
    train, test = data.load("folder", undivided, image_size=16)
    assert train.images.shape[1:] == test.images.shape[1:] == (3, 16, 16)
    np.testing.assert_allclose(train.images.mean((0, 2, 3), np.float64), 0.0, atol=1e-5)
    grey = data.load("folder", undivided, image_size=16, split="grey")
    assert grey.train.images.shape[1:] == (1, 16, 16)


def test_a_folder_is_described_when_it_is_named(undivided):
    about = data.describe("folder", undivided)
    assert (about.counts, about.class_names) == ((12, 2), ("cat", "dog"))
    assert about.found_in == undivided
    assert data.describe("folder").counts == (0, 0)
    assert data.fetch("folder", undivided) == ()


def test_what_is_no_data_set_is_refused(undivided):
    with pytest.raises(OptionError, match="image_size is 1 pixel or more; got 0"):
        load_own_images(undivided, image_size=0)
    with pytest.raises(OptionError, match="mode is one of colour, grey; got 'L'"):
        load_own_images(undivided, mode="L")
    with pytest.raises(MissingDataError, match=r"lie in a folder; got none\. Name it with --data"):
        data.load("folder")
    paint(undivided / "lynx" / "only.png", 1)
    with pytest.raises(DataError, match=r"every 5th image .* got 1 of lynx in .*\. Add images, or"):
        load_own_images(undivided)
    (undivided / "lynx" / "only.png").rename(undivided / "cat" / "0.png")
    (undivided / "lynx").rmdir()
    (undivided / "cat" / "1.png").write_bytes(b"<html>")
    with pytest.raises(
        DataError, match=r"open_image: .* known format; got another one in .*1\.png"
    ):
        load_own_images(undivided)


def test_one_class_is_refused(undivided):
    shutil.rmtree(undivided / "dog")
    with pytest.raises(DataError, match="at least two classes to tell apart; got only cat in "):
        load_own_images(undivided)


def test_parts_with_other_classes_are_refused(divided):
    paint(divided / "val" / "lynx" / "0.png", 1)
    with pytest.raises(DataError, match=r"for the same classes; got lynx in one of them"):
        load_own_images(divided)
