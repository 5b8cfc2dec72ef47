"""CIFAR-10 and CIFAR-100: both forms, found, unpacked and fetched.

The batches of most tests are small ones made here; those marked "data" read the published ones.
"""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.data import CIFAR10, CIFAR100, Normalise, load_cifar10, load_cifar100
from tinygrad_cnn.data.cifar import load_cifar_source
from tinygrad_cnn.data.cifar_classes import CIFAR10_CLASSES
from tinygrad_cnn.data.download import is_published
from tinygrad_cnn.errors import DataError, MissingDataError, OptionError

from . import made
from .made import COARSE, COLOURS, FINE, lay_out

# Read now: the fixture hides the variable from the tests with made files.
REAL_DATA = os.environ.get("TINYGRAD_CNN_DATA", "")
pytestmark = pytest.mark.usefixtures("cache")

FORMS_10 = (made.TINY_CIFAR10, made.TINY_CIFAR10_BINARY)
FORMS_100 = (made.TINY_CIFAR100, made.TINY_CIFAR100_BINARY)


def assert_is_the_made_set(split, labels=FINE):
    assert (len(split.train), len(split.test)) == (10, 4)
    for part, place in ((split.train, made.TRAIN), (split.test, made.TEST)):
        np.testing.assert_array_equal(part.images, COLOURS[place])
        np.testing.assert_array_equal(part.labels, labels[place])
        assert part.images.dtype == np.uint8
        assert part.images.flags.writeable


# Where the batches lie.


@pytest.mark.parametrize(
    "place", [".", "cifar10", "cifar-10-batches-py", "cifar10/cifar-10-batches-py"]
)
def test_python_batches_are_found_as_anyone_lays_them_out(tmp_path, place):
    lay_out(tmp_path / place, made.PYTHON_BATCHES)
    split = load_cifar_source(FORMS_10, "labels", CIFAR10_CLASSES, tmp_path, download=False)
    assert_is_the_made_set(split)
    assert split.class_names[6] == "frog"


@pytest.mark.parametrize("place", [".", "cifar10", "cifar-10-batches-bin"])
def test_binary_batches_are_as_good(tmp_path, place):
    lay_out(tmp_path / place, made.BINARY_BATCHES)
    split = load_cifar_source(FORMS_10, "labels", CIFAR10_CLASSES, tmp_path, download=False)
    assert_is_the_made_set(split)


@pytest.mark.parametrize(
    ("folder", "contents"),
    [("cifar-100-python", made.PYTHON_100), ("cifar-100-binary", made.BINARY_100)],
    ids=["python", "binary"],
)
@pytest.mark.parametrize(
    ("labels", "expected", "classes"), [("fine", FINE, 100), ("coarse", COARSE, 20)]
)
def test_both_labels_of_cifar100_are_read_in_both_forms(
    tmp_path, folder, contents, labels, expected, classes
):
    lay_out(tmp_path / folder, contents)
    split = load_cifar100(tmp_path, download=False, labels=labels)
    assert_is_the_made_set(split, expected)
    assert len(split.class_names) == classes


@pytest.mark.parametrize(
    ("forms", "archive", "place"),
    [
        (FORMS_10, made.CIFAR10_ARCHIVE, "cifar-10-python.tar.gz"),
        (FORMS_10, made.CIFAR10_ARCHIVE, "cifar10/cifar-10-python.tar.gz"),
        (FORMS_10, made.CIFAR10_BINARY_ARCHIVE, "cifar-10-binary.tar.gz"),
    ],
)
def test_an_archive_that_lies_there_is_unpacked(tmp_path, forms, archive, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(archive)
    split = load_cifar_source(forms, "labels", CIFAR10_CLASSES, tmp_path, download=False)
    assert_is_the_made_set(split)
    (tmp_path / place).unlink()
    assert_is_the_made_set(
        load_cifar_source(forms, "labels", CIFAR10_CLASSES, tmp_path, download=False)
    )


def test_a_missing_set_is_fetched_and_unpacked(tmp_path, mirror, cache):
    mirror.contents["cifar-10-python.tar.gz"] = made.CIFAR10_ARCHIVE
    mirrors = (mirror.address + "truncated/", mirror.address + "good/")
    forms = (replace(FORMS_10[0], mirrors=mirrors), FORMS_10[1])
    assert_is_the_made_set(load_cifar_source(forms, "labels", CIFAR10_CLASSES))
    there = {path.name for path in (cache / "cifar-10-batches-py").iterdir()}
    assert there == {*made.PYTHON_BATCHES, "cifar-10-python.tar.gz"}
    assert mirror.asked == [f"/{how}/cifar-10-python.tar.gz" for how in ("truncated", "good")]


def test_what_is_nowhere_is_named(tmp_path):
    with pytest.raises(MissingDataError) as caught:
        load_cifar10(tmp_path, download=False)
    message = str(caught.value)
    assert message.startswith("load cifar10: the 6 files of CIFAR-10 are needed; got no folder")
    for part in (
        str(tmp_path / "cifar-10-batches-py"),
        str(tmp_path / "cifar-10-batches-bin"),
        "put cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/ into",
    ):
        assert part in message


def test_other_labels_are_refused():
    with pytest.raises(OptionError, match="labels are one of fine, coarse; got 'both'"):
        load_cifar100(labels="both")


def test_a_label_beyond_the_classes_is_refused(tmp_path):
    batch = made.python_batch(made.TEST, labels=FINE + 3)
    lay_out(tmp_path / "cifar10", {**made.PYTHON_BATCHES, "test_batch": batch})
    with pytest.raises(
        DataError, match=r"load cifar10: labels are 0 to 9; got 1\d in .*test_batch"
    ):
        load_cifar_source(FORMS_10, "labels", CIFAR10_CLASSES, tmp_path)


# Loading by name.


def test_colour_is_standardised_by_channel_and_padded_where_more_is_asked_for(tmp_path):
    lay_out(tmp_path / "cifar-10-batches-bin", made.BINARY_BATCHES)
    split = data.load("cifar10", tmp_path, download=False)
    assert split.train.images.shape == (10, 3, 32, 32)
    assert split.train.images.dtype == np.float32
    pixels = COLOURS[made.TRAIN] / 255
    assert isinstance(split.standardise, Normalise)
    np.testing.assert_allclose(split.standardise.mean, pixels.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(split.standardise.deviation, pixels.std((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(split.standardise.undo(split.train.images), pixels, atol=1e-6)
    larger = data.load("cifar10", tmp_path, image_size=36, download=False)
    assert larger.standardise.mean == split.standardise.mean
    np.testing.assert_array_equal(larger.test.images[..., 2:34, 2:34], split.test.images)
    border = larger.standardise.undo(larger.test.images)[..., :2, :]
    np.testing.assert_allclose(border, 0.0, atol=1e-6)
    with pytest.raises(OptionError, match="got images of 32x32 and size 28"):
        data.load("cifar10", tmp_path, image_size=28, download=False)


def test_the_labels_of_cifar100_are_a_split_by_name(tmp_path):
    lay_out(tmp_path / "cifar100", made.BINARY_100)
    assert len(data.load("cifar100", tmp_path, download=False).class_names) == 100
    coarse = data.load("cifar100", tmp_path, split="coarse", download=False)
    np.testing.assert_array_equal(coarse.test.labels, COARSE[made.TEST])


# The published files.


def published_batches():
    """The folder of the published sets, or a reason to skip."""
    if not Path(REAL_DATA, "cifar-10-batches-py").is_dir():
        pytest.skip("TINYGRAD_CNN_DATA names no folder with CIFAR-10")
    return Path(REAL_DATA)


@pytest.mark.data
def test_the_published_batches_hold_what_is_known_of_them():
    root = published_batches()
    train, test = load_cifar10(root, download=False)
    assert np.bincount(train.labels).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    first = [train.class_names[label] for label in train.labels[:5]]
    assert first == ["frog", "truck", "truck", "deer", "automobile"]
    assert [test.class_names[label] for label in test.labels[:3]] == ["cat", "ship", "ship"]
    measured = Normalise.fit(train.images)
    mean, deviation = np.array([measured.mean, measured.deviation]) / 255
    assert mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=1e-4)
    assert deviation == pytest.approx((0.2470, 0.2435, 0.2616), abs=1e-4)


# MD5 sums of the batches: pytorch/vision, torchvision/datasets/cifar.py.
MD5 = (
    "c99cafc152244af753f735de768cd75f",
    "d4bba439e000b95fd0a9bffe97cbabec",
    "54ebc095f3ab1f0389bbae665268c751",
    "634d18415352ddfa80567beed471001a",
    "482c414d41f54cd18b22e5b47cb7c3cb",
    "40351d587109b95175f43aff81a1287e",
)


@pytest.mark.data
def test_the_checksums_are_those_of_the_published_batches():
    folder = published_batches() / "cifar-10-batches-py"
    for file, md5 in zip(CIFAR10[0].files, MD5, strict=True):
        assert file.measured
        assert is_published(folder / file.name, file)
        assert is_published(folder / file.name, replace(file, checksum=f"md5:{md5}"))


@pytest.mark.data
def test_the_published_names_of_the_classes_are_those_of_the_table():
    with Path(published_batches(), "cifar-10-batches-py", "batches.meta").open("rb") as stream:
        names = pickle.load(stream, encoding="latin1")["label_names"]
    assert tuple(names) == CIFAR10_CLASSES


def test_a_checksum_that_nobody_here_could_measure_says_whose_it_is():
    for form in (*CIFAR10, *CIFAR100):
        assert not form.archive.measured
        assert form.archive.stated_by.startswith(("https://www.cs.toronto.edu/", "pytorch/vision"))
    for file in (*CIFAR10[1].files, *CIFAR100[0].files, *CIFAR100[1].files):
        assert not file.measured
