"""Data sets by name: what is said of them, and that all that is said is there."""

from dataclasses import replace
from pathlib import Path

import pytest

from tinygrad_cnn import data
from tinygrad_cnn.data import catalogue
from tinygrad_cnn.errors import MissingDataError, OptionError, UnknownNameError

from .made import BINARY_BATCHES, CONTENTS, TINY, lay_out

pytestmark = pytest.mark.usefixtures("cache")
EVERY_SPLIT = [
    (name, split)
    for name in data.names()
    if name != "folder"
    for split in data.describe(name).splits
]


@pytest.mark.parametrize(("name", "split"), EVERY_SPLIT)
def test_every_data_set_is_described(name, split, tmp_path):
    about = data.describe(name, tmp_path, split)
    assert (about.name, about.split) == (name, split)
    assert min(about.counts) > 0
    assert about.shape[0] in (1, 3)
    assert len(set(about.class_names)) == len(about.class_names) >= 10
    for text in (about.title, about.licence, about.citation):
        assert text.strip()
    if name != "digits":
        assert about.download_size > 1 << 20
        assert about.found_in is None
        assert any(str(folder).startswith(str(tmp_path)) for folder in about.looked_in)


def test_a_word_is_told_from_a_measurement():
    assert data.describe("mnist").unmeasured == data.describe("fashion_mnist").unmeasured == ()
    assert len(data.describe("kmnist").unmeasured) == 4
    (archive,) = data.describe("cifar10").unmeasured
    assert archive == (
        "cifar-10-python.tar.gz: md5:c58f30108f718f92721af3b95e74349a, "
        "stated by https://www.cs.toronto.edu/~kriz/cifar.html"
    )


def test_where_files_were_found_is_said(tmp_path):
    lay_out(tmp_path / "MNIST" / "raw", CONTENTS)
    assert data.describe("mnist", tmp_path).found_in == tmp_path / "MNIST" / "raw"
    lay_out(tmp_path / "cifar10", BINARY_BATCHES)
    assert data.describe("cifar10", tmp_path).found_in == tmp_path / "cifar10"


def test_fetching_what_is_there_asks_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_CNN_OFFLINE", "1")
    lay_out(tmp_path / "mnist", CONTENTS)
    paths = data.fetch("mnist", tmp_path)
    assert paths == tuple(tmp_path / "mnist" / name for name in CONTENTS)
    assert data.fetch("digits") == ()
    with pytest.raises(MissingDataError, match=r"load kmnist: .*TINYGRAD_CNN_OFFLINE forbids"):
        data.fetch("kmnist", tmp_path)


def test_fetching_is_told_on_the_way(tmp_path, monkeypatch, mirror):
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    row = replace(catalogue._ROWS["mnist"], forms={"published": (source,)})
    monkeypatch.setitem(catalogue._ROWS, "mnist", row)
    told = []
    paths = data.fetch("mnist", tmp_path, progress=lambda *report: told.append(report))
    assert all(path.is_file() for path in paths)
    assert {name for name, *_ in told} == set(CONTENTS)


@pytest.mark.parametrize("call", [data.describe, data.fetch])
def test_unknown_names_and_splits_are_refused(call):
    with pytest.raises(UnknownNameError, match=r"got 'cifar'\. Did you mean 'cifar10"):
        call("cifar")
    with pytest.raises(OptionError, match="split of cifar100 is one of fine, coarse; got 'x'"):
        call("cifar100", split="x")


def test_the_digits_are_where_the_package_is():
    about = data.describe("digits")
    assert (about.download_size, about.looked_in) == (0, ())
    assert (Path(about.found_in) / "digits.npz").is_file()
