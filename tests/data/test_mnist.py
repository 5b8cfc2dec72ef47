"""MNIST: where files are looked for, how they are fetched, and what is refused.

The files of most tests are small ones made here; a server on this machine plays the mirror.
The tests marked "data" read the published files.
"""

import gc
import gzip
import hashlib
import http.server
import logging
import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.data import FASHION_MNIST, MNIST, Standardise, load_idx_source, load_mnist
from tinygrad_cnn.errors import DataError, MissingDataError, UnknownNameError

# Read now: the fixture below hides the variable from the tests with made files.
REAL_DATA = os.environ.get("TINYGRAD_CNN_DATA", "")


def packed(array):
    """The compressed IDX file of an array of uint8."""
    sizes = np.array(array.shape, ">i4").tobytes()
    content = bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
    return gzip.compress(content, mtime=0)


PIXELS = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
LABELS = np.arange(12) % 10
CONTENTS = (packed(PIXELS[:9]), packed(LABELS[:9]), packed(PIXELS[9:]), packed(LABELS[9:]))
TINY = replace(
    MNIST,
    md5=tuple(hashlib.md5(content).hexdigest() for content in CONTENTS),
    mirrors=("http://127.0.0.1:9/never-asked/",),
)


def lay_out(folder, contents=CONTENTS, names=TINY.file_names):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(names, contents, strict=True):
        (folder / name).write_bytes(content)


def assert_is_the_made_set(split):
    assert (len(split.train), len(split.test)) == (9, 3)
    assert split.train.images.dtype == np.uint8
    np.testing.assert_array_equal(split.train.images[:, 0], PIXELS[:9])
    np.testing.assert_array_equal(split.test.images[:, 0], PIXELS[9:])
    np.testing.assert_array_equal(split.train.labels, LABELS[:9])
    np.testing.assert_array_equal(split.test.labels, LABELS[9:])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep the user's own files, settings and proxies out of these tests."""
    for variable in ("TINYGRAD_CNN_DATA", "TINYGRAD_CNN_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache" / project)
    return tmp_path / "cache" / "tinygrad_cnn" / "mnist"


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves the made files well or badly, as the first part of the path says."""

    asked: list[str]
    finished: threading.Event

    def do_GET(self):
        self.asked.append(self.path)
        _, manner, name = self.path.split("/")
        content = dict(zip(TINY.file_names, CONTENTS, strict=True))[name]
        if manner == "forbidden":
            self.send_error(403)
            return
        if manner == "silent":
            self.finished.wait(10)
            return
        if manner == "other":
            content = gzip.compress(b"something else")
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        if manner == "compressing" and "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if manner == "truncated" else content)

    def log_message(self, *arguments):
        """Stay silent."""


@pytest.fixture
def mirror():
    handler = type("OneMirror", (Mirror,), {"asked": [], "finished": threading.Event()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    handler.address = f"http://127.0.0.1:{server.server_port}/"
    yield handler
    handler.finished.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def dead_address():
    """An address on this machine where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


# Finding files.


@pytest.mark.parametrize("place", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("kind", [str, Path])
def test_files_are_found_in_the_data_folder_as_anyone_lays_them_out(tmp_path, place, kind):
    lay_out(tmp_path / "root" / place)
    assert_is_the_made_set(load_idx_source(TINY, kind(tmp_path / "root"), download=False))


def test_files_are_found_under_the_variable_and_then_in_the_cache(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("TINYGRAD_CNN_DATA", str(tmp_path / "variable"))
    lay_out(cache)
    assert_is_the_made_set(load_idx_source(TINY, download=False))
    swapped = (CONTENTS[2], CONTENTS[3], CONTENTS[0], CONTENTS[1])
    lay_out(tmp_path / "variable" / "mnist", swapped)
    assert len(load_idx_source(TINY, download=False).train) == 3
    lay_out(tmp_path / "given")
    assert len(load_idx_source(TINY, tmp_path / "given", download=False).train) == 9


def test_files_without_compression_are_found_too(tmp_path):
    names = [name.removesuffix(".gz") for name in TINY.file_names]
    lay_out(tmp_path, map(gzip.decompress, CONTENTS), names)
    assert_is_the_made_set(load_idx_source(TINY, tmp_path, download=False))


def test_a_folder_with_some_of_the_files_does_not_count(tmp_path, cache):
    lay_out(tmp_path)
    (tmp_path / TINY.file_names[3]).unlink()
    lay_out(cache)
    assert_is_the_made_set(load_idx_source(TINY, tmp_path, download=False))


def test_fashion_mnist_is_found_under_its_own_names(tmp_path):
    lay_out(tmp_path / "fashion_mnist")
    assert load_mnist(tmp_path, False, "fashion_mnist").class_names[9] == "Ankle boot"
    lay_out(tmp_path / "other" / "FashionMNIST" / "raw")
    assert len(load_mnist(tmp_path / "other", False, name="fashion_mnist").test) == 3


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
    contents = [*CONTENTS[:place], packed(array), *CONTENTS[place + 1 :]]
    lay_out(tmp_path, contents)
    with pytest.raises(DataError, match=f"load mnist: .*{message}"):
        load_idx_source(TINY, tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    lay_out(tmp_path, (CONTENTS[0][:-20], *CONTENTS[1:]))
    with pytest.raises(DataError, match=r"read_idx: .*cut off in .*train-images-idx3-ubyte.gz"):
        load_idx_source(TINY, tmp_path)


def test_another_name_is_refused():
    with pytest.raises(UnknownNameError, match="one of fashion_mnist, mnist; got 'emnist'"):
        load_mnist(name="emnist")


# Fetching.


def test_missing_files_are_fetched_into_the_cache_once_and_quietly(mirror, cache, caplog, capfd):
    caplog.set_level(logging.INFO)
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    assert_is_the_made_set(load_idx_source(source))
    assert mirror.asked == [f"/good/{name}" for name in TINY.file_names]
    assert sorted(path.name for path in cache.iterdir()) == sorted(TINY.file_names)
    assert_is_the_made_set(load_idx_source(source))
    assert len(mirror.asked) == 4
    assert caplog.records == []
    assert "".join(capfd.readouterr()) == ""


def test_with_a_data_folder_files_are_fetched_there_and_nowhere_else(tmp_path, mirror, cache):
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    assert_is_the_made_set(load_idx_source(source, tmp_path / "mine"))
    assert sorted(path.name for path in (tmp_path / "mine" / "mnist").iterdir()) == sorted(
        TINY.file_names
    )
    assert not cache.exists()


def test_only_files_that_are_not_there_yet_are_fetched(tmp_path, mirror):
    lay_out(tmp_path / "mnist")
    (tmp_path / "mnist" / TINY.file_names[2]).unlink()
    (tmp_path / "mnist" / TINY.file_names[3]).write_bytes(b"half of a fi")
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    assert_is_the_made_set(load_idx_source(source, tmp_path))
    assert mirror.asked == [f"/good/{name}" for name in TINY.file_names[2:]]


@pytest.mark.parametrize("manner", ["forbidden", "truncated", "other"])
def test_the_next_mirror_is_asked_when_one_fails(manner, mirror, cache):
    mirrors = (mirror.address + f"{manner}/", mirror.address + "good/")
    assert_is_the_made_set(load_idx_source(replace(TINY, mirrors=mirrors)))
    assert f"/good/{TINY.file_names[0]}" in mirror.asked
    assert sorted(path.name for path in cache.iterdir()) == sorted(TINY.file_names)


def test_a_server_that_compresses_on_the_way_does_not_change_the_checksum(mirror):
    source = replace(TINY, mirrors=(mirror.address + "compressing/",))
    assert_is_the_made_set(load_idx_source(source))


def test_a_dead_mirror_is_asked_once_and_not_for_every_file(mirror, monkeypatch):
    monkeypatch.setattr("tinygrad_cnn.data.mnist._SECONDS_TO_ANSWER", 0.2)
    mirrors = (mirror.address + "silent/", mirror.address + "good/")
    assert_is_the_made_set(load_idx_source(replace(TINY, mirrors=mirrors)))
    assert [path for path in mirror.asked if "silent" in path] == [f"/silent/{TINY.file_names[0]}"]


FAILURES = {
    "forbidden": "answered with HTTP status 403",
    "truncated": "failed with ChunkedEncodingError",
    "other": "holds a file whose MD5 sum is not the published one",
    "silent": "failed with ReadTimeout",
}


@pytest.mark.parametrize(("manner", "message"), FAILURES.items())
def test_why_fetching_failed_is_told_and_nothing_is_left_behind(
    manner, message, mirror, cache, monkeypatch
):
    monkeypatch.setattr("tinygrad_cnn.data.mnist._SECONDS_TO_ANSWER", 0.2)
    address = mirror.address + f"{manner}/"
    with pytest.raises(MissingDataError, match=f"{address}train-images.*{message}") as caught:
        load_idx_source(replace(TINY, mirrors=(address,)))
    assert caught.value.__context__ is None
    assert len(mirror.asked) == 1
    assert not cache.exists()
    gc.collect()  # a connection left open would warn here


def test_without_network_one_sentence_says_what_to_do_at_once(tmp_path, dead_address, capfd):
    source = replace(TINY, mirrors=(dead_address + "a/", dead_address + "b/"))
    start = time.perf_counter()
    with pytest.raises(MissingDataError) as caught:
        load_idx_source(source, tmp_path / "mine")
    assert time.perf_counter() - start < 5.0
    message = str(caught.value)
    assert message.startswith("load mnist: the 4 files of MNIST are needed; got no folder with")
    for part in (
        str(tmp_path / "mine"),
        str(tmp_path / "mine" / "MNIST" / "raw"),
        str(tmp_path / "cache"),
        f"{dead_address}a/train-images-idx3-ubyte.gz failed with ConnectionError",
        f"{dead_address}b/train-images-idx3-ubyte.gz failed with ConnectionError",
        f"put {', '.join(TINY.file_names)} from {dead_address}a/ into",
        "or use --data digits, which needs no files",
    ):
        assert part in message
    assert "\n" not in message
    assert caught.value.__context__ is None
    assert "".join(capfd.readouterr()) == ""
    gc.collect()


def test_with_downloading_turned_off_no_server_is_asked(mirror, monkeypatch, cache):
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    with pytest.raises(MissingDataError, match="downloading was turned off"):
        load_idx_source(source, download=False)
    monkeypatch.setenv("TINYGRAD_CNN_OFFLINE", "1")
    with pytest.raises(MissingDataError, match="TINYGRAD_CNN_OFFLINE forbids downloading"):
        load_idx_source(source)
    assert mirror.asked == []
    assert not cache.exists()
    monkeypatch.setenv("TINYGRAD_CNN_OFFLINE", "0")
    assert_is_the_made_set(load_idx_source(source))


def test_a_folder_that_cannot_be_made_is_named(tmp_path, mirror):
    (tmp_path / "file").write_text("in the way")
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    with pytest.raises(MissingDataError, match=r"file.mnist cannot be made: \w+"):
        load_idx_source(source, tmp_path / "file")
    assert mirror.asked == []


def test_loading_by_name_pads_to_32_pixels_and_standardises(tmp_path):
    lay_out(tmp_path / "mnist")
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


@pytest.mark.data
@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=["mnist", "fashion_mnist"])
def test_the_checksums_are_those_of_the_published_files(source):
    root = published_files()
    found = [
        hashlib.md5((root / source.name / name).read_bytes()).hexdigest()
        for name in source.file_names
    ]
    assert found == list(source.md5)


@pytest.mark.data
def test_published_mnist_is_loaded_by_name_through_the_variable(monkeypatch):
    monkeypatch.setenv("TINYGRAD_CNN_DATA", str(published_files()))
    train, test = data.load("mnist", download=False)
    assert train.images.shape == (60000, 1, 32, 32)
    assert train.standardise == test.standardise
    assert train.standardise.mean == pytest.approx(0.1307, abs=1e-4)
    assert train.standardise.deviation == pytest.approx(0.3081, abs=1e-4)
