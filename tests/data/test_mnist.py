"""MNIST and its kin: what their files have to hold, and what the published ones do hold.

The files of most tests are small ones made here. Those marked "data" read the published files.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.data import (
    EMNIST,
    FASHION_MNIST,
    KMNIST,
    MNIST,
    Standardise,
    load_emnist,
    load_idx_source,
    load_mnist,
)
from tinygrad_cnn.data.download import is_published
from tinygrad_cnn.errors import DataError, MissingDataError, OptionError, UnknownNameError

from . import made
from .made import CONTENTS, FILE_NAMES, LABELS, PIXELS, TINY, assert_is_the_made_set, lay_out

# Read now: the fixture hides the variable from the tests with made files.
REAL_DATA = os.environ.get("TINYGRAD_CNN_DATA", "")
pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize(
    ("name", "torchvision", "class_name"),
    [("fashion_mnist", "FashionMNIST", "Ankle boot"), ("kmnist", "KMNIST", "wo")],
)
def test_the_kin_are_found_under_their_own_names(tmp_path, name, torchvision, class_name):
    lay_out(tmp_path / name, CONTENTS)
    assert load_mnist(tmp_path, False, name).class_names[9] == class_name
    lay_out(tmp_path / "other" / torchvision / "raw", CONTENTS)
    assert len(load_mnist(tmp_path / "other", False, name=name).test) == 3


def test_another_name_is_refused():
    with pytest.raises(UnknownNameError, match="one of fashion_mnist, kmnist, mnist; got 'emnist'"):
        load_mnist(name="emnist")


# Files that do not fit together.

BAD_SETS = {
    "one label short": (1, LABELS[:8], "got 9 images in .*and 8 labels in .*fetch them again"),
    "a label too large": (3, LABELS[9:] + 9, "labels are 0 to 9; got 18 in .*t10k-labels"),
    "labels for images": (0, LABELS[:9], r"images are uint8 of shape \(N, H, W\); got uint8 of"),
    "images for labels": (1, PIXELS[:9], r"labels are uint8 of shape \(N\); got .*\(9, 28, 28\)"),
    "another size": (2, PIXELS[9:, 1:], r"one size; got \(28, 28\) in .* and \(27, 28\) in"),
}


@pytest.mark.parametrize(("place", "array", "message"), BAD_SETS.values(), ids=BAD_SETS)
def test_files_that_do_not_fit_together_are_refused(tmp_path, place, array, message):
    lay_out(tmp_path / "mnist", {**CONTENTS, FILE_NAMES[place]: made.packed(array)})
    with pytest.raises(DataError, match=f"load mnist: .*{message}"):
        load_idx_source(TINY, tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    lay_out(tmp_path / "mnist", {**CONTENTS, FILE_NAMES[0]: CONTENTS[FILE_NAMES[0]][:-20]})
    with pytest.raises(DataError, match=r"read_idx: .*cut off in .*train-images-idx3-ubyte.gz"):
        load_idx_source(TINY, tmp_path)


# EMNIST.


def test_the_letters_are_turned_upright_and_counted_from_0(tmp_path):
    source, _, contents = made.letters()
    lay_out(tmp_path / "emnist", contents)
    split = load_emnist(tmp_path, False, "letters")
    assert_is_the_made_set(split)
    assert split.class_names == tuple("abcdefghijklmnopqrstuvwxyz")
    assert split.train.images.flags.c_contiguous
    unpacked = {name.removesuffix(".gz"): made.gzip.decompress(contents[name]) for name in contents}
    lay_out(tmp_path / "torchvision" / "EMNIST" / "raw", unpacked)
    assert_is_the_made_set(load_idx_source(source, tmp_path / "torchvision", download=False))


def test_a_letter_before_a_is_refused(tmp_path):
    source, _, contents = made.letters(first_label=0)
    lay_out(tmp_path / "emnist", contents)
    with pytest.raises(DataError, match=r"labels are 1 to 26; got 0 in .*train-labels"):
        load_idx_source(source, tmp_path)


def test_the_archive_of_all_splits_is_unpacked_and_stays(tmp_path, mirror):
    source, archive, contents = made.letters()
    mirror.contents["gzip.zip"] = archive
    source = replace(source, mirrors=(mirror.address + "good/",))
    assert_is_the_made_set(load_idx_source(source, tmp_path))
    assert mirror.asked == ["/good/gzip.zip"]
    there = {path.name for path in (tmp_path / "emnist").iterdir()}
    assert there == {"gzip.zip", *contents}
    for name in contents:
        (tmp_path / "emnist" / name).unlink()
    assert_is_the_made_set(load_idx_source(source, tmp_path, download=False))


def test_there_is_a_row_for_each_split_of_emnist():
    assert {name: len(source.class_names) for name, source in EMNIST.items()} == {
        "balanced": 47, "byclass": 62, "bymerge": 47, "digits": 10, "letters": 26, "mnist": 10
    }  # fmt: skip
    # The sums that https://www.nist.gov/itl/products-and-services/emnist-dataset gives.
    assert {name: sum(source.counts) for name, source in EMNIST.items()} == {
        "balanced": 131600, "byclass": 814255, "bymerge": 814255, "digits": 280000,
        "letters": 145600, "mnist": 70000,
    }  # fmt: skip
    merged = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    assert "".join(EMNIST["bymerge"].class_names) == merged
    assert [name for name, source in EMNIST.items() if source.first_label] == ["letters"]
    with pytest.raises(OptionError, match=r"split is one of balanced, .*, mnist; got 'all'"):
        load_emnist(split="all")


# Loading by name.


def test_loading_by_name_pads_to_32_pixels_and_standardises(tmp_path):
    lay_out(tmp_path / "mnist", CONTENTS)
    split = data.load("mnist", tmp_path)
    assert split.train.images.shape == (9, 1, 32, 32)
    assert split.test.images.shape == (3, 1, 32, 32)
    expected = Standardise.fit(PIXELS[:9, None] / np.float32(255))
    assert split.standardise == expected
    pixels = split.standardise.undo(split.test.images)[:, 0] * 255
    np.testing.assert_allclose(pixels[:, 2:30, 2:30], PIXELS[9:], atol=1e-3)
    np.testing.assert_allclose(pixels[:, :2], 0.0, atol=1e-4)
    as_published = data.load("mnist", tmp_path, image_size=28)
    assert as_published.train.images.shape == (9, 1, 28, 28)
    assert as_published.standardise == expected


def test_a_split_of_emnist_is_loaded_by_name(tmp_path):
    lay_out(tmp_path / "emnist", made.letters()[2])
    split = data.load("emnist", tmp_path, split="letters", download=False)
    assert split.train.images.shape == (9, 1, 32, 32)
    assert split.class_names[25] == "z"
    with pytest.raises(MissingDataError, match="the 4 files of EMNIST balanced are needed"):
        data.load("emnist", tmp_path, download=False)


# The published files.


def published_files():
    """The folder of the published sets, or a reason to skip."""
    if not REAL_DATA:
        pytest.skip("TINYGRAD_CNN_DATA names no folder with the published data sets")
    return Path(REAL_DATA)


@pytest.mark.data
@pytest.mark.parametrize(
    ("source", "first_labels", "mean", "deviation"),
    [
        (MNIST, [5, 0, 4, 1, 9], 0.1307, 0.3081),
        (FASHION_MNIST, [9, 0, 0, 3, 0], 0.2860, 0.3530),
    ],
    ids=["mnist", "fashion_mnist"],
)
def test_the_published_files_hold_what_is_known_of_them(source, first_labels, mean, deviation):
    root = published_files()
    train, test = load_mnist(root, download=False, name=source.name)
    assert train.images.shape == (60000, 1, 28, 28)
    assert test.images.shape == (10000, 1, 28, 28)
    assert train.labels[:5].tolist() == first_labels
    assert np.bincount(test.labels).min() > 800
    standardise = Standardise.fit(train.images)
    assert standardise.mean / 255 == pytest.approx(mean, abs=1e-4)
    assert standardise.deviation / 255 == pytest.approx(deviation, abs=1e-4)


# The publisher's own MD5 sums, which pytorch/vision, torchvision/datasets/mnist.py, has too.
MD5 = {
    "mnist": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion_mnist": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
}


@pytest.mark.data
@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=["mnist", "fashion_mnist"])
def test_the_checksums_are_those_of_the_published_files(source):
    folder = published_files() / source.name
    for file, md5 in zip(source.files, MD5[source.name], strict=True):
        assert file.measured
        assert is_published(folder / file.name, file)
        assert is_published(folder / file.name, replace(file, checksum=f"md5:{md5}"))
    labels = made.gzip.decompress((folder / FILE_NAMES[3]).read_bytes())
    assert source.files[3].unpacked == made.published("", labels).checksum


def test_a_checksum_that_nobody_here_could_measure_says_whose_it_is():
    for source in (KMNIST, *EMNIST.values()):
        assert not any(file.measured for file in (*source.files, *source.fetched))
        assert all("pytorch/vision" in file.stated_by for file in source.fetched)


@pytest.mark.data
def test_published_mnist_is_loaded_by_name_through_the_variable(monkeypatch):
    monkeypatch.setenv("TINYGRAD_CNN_DATA", str(published_files()))
    train, test = data.load("mnist", download=False)
    assert train.images.shape == (60000, 1, 32, 32)
    assert train.standardise == test.standardise
    assert train.standardise.mean == pytest.approx(0.1307, abs=1e-4)
    assert train.standardise.deviation == pytest.approx(0.3081, abs=1e-4)
