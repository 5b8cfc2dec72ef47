"""Where files are looked for, how they are fetched, and that nothing half-written is believed.

The files are small ones made here; a server on this machine plays the mirror.
"""

import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn.data import FASHION_MNIST, KMNIST, load_idx_source
from tinygrad_cnn.data.places import obtain
from tinygrad_cnn.errors import MissingDataError

from .made import (
    CONTENTS,
    FILE_NAMES,
    PARTS,
    PLAIN,
    TINY,
    assert_is_the_made_set,
    lay_out,
    published,
)

SECONDS = "tinygrad_cnn.data.download._SECONDS_TO_ANSWER"


@pytest.fixture(autouse=True)
def own_cache(cache):
    return cache


# Finding files.


@pytest.mark.parametrize("place", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("by_variable", [False, True])
def test_files_are_found_in_the_data_folder_as_anyone_lays_them_out(
    tmp_path, place, kind, by_variable, monkeypatch
):
    lay_out(tmp_path / "root" / place, CONTENTS)
    root = kind(tmp_path / "root")
    if by_variable:
        monkeypatch.setenv("TINYGRAD_CNN_DATA", str(root))
    assert_is_the_made_set(load_idx_source(TINY, None if by_variable else root, download=False))


def test_files_are_found_under_the_variable_and_then_in_the_cache(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("TINYGRAD_CNN_DATA", str(tmp_path / "variable"))
    lay_out(cache / "mnist", CONTENTS)
    assert_is_the_made_set(load_idx_source(TINY, download=False))
    swapped = dict(zip(FILE_NAMES, (*PARTS[2:], *PARTS[:2]), strict=True))
    lay_out(tmp_path / "variable" / "mnist", swapped)
    assert len(load_idx_source(TINY, download=False).train) == 3
    lay_out(tmp_path / "given", CONTENTS)
    assert len(load_idx_source(TINY, tmp_path / "given", download=False).train) == 9


@pytest.mark.parametrize("place", [".", "mnist", "MNIST/raw"])
def test_files_without_compression_are_found_too(tmp_path, place):
    lay_out(tmp_path / place, PLAIN)
    assert_is_the_made_set(load_idx_source(TINY, tmp_path, download=False))


def test_a_folder_with_some_of_the_files_does_not_count(tmp_path, cache):
    lay_out(tmp_path, CONTENTS)
    (tmp_path / FILE_NAMES[3]).unlink()
    lay_out(cache / "mnist", CONTENTS)
    assert_is_the_made_set(load_idx_source(TINY, tmp_path, download=False))


@pytest.mark.parametrize("contents", [CONTENTS, PLAIN], ids=["packed", "plain"])
@pytest.mark.parametrize("kin", [FASHION_MNIST, KMNIST], ids=["fashion_mnist", "kmnist"])
def test_mnist_right_in_the_root_is_not_taken_for_its_kin(tmp_path, contents, kin):
    lay_out(tmp_path, contents)
    with pytest.raises(MissingDataError, match=f"the 4 files of {kin.title} are needed"):
        load_idx_source(kin, tmp_path, download=False)
    lay_out(tmp_path / kin.name, contents)
    assert len(load_idx_source(kin, tmp_path, download=False).test) == 3


# Fetching.


def test_missing_files_are_fetched_into_the_cache_once_and_quietly(mirror, cache, caplog, capfd):
    caplog.set_level(logging.INFO)
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    assert_is_the_made_set(load_idx_source(source))
    assert mirror.asked == [f"/good/{name}" for name in FILE_NAMES]
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(FILE_NAMES)
    assert_is_the_made_set(load_idx_source(source))
    assert len(mirror.asked) == 4
    assert caplog.records == []
    assert "".join(capfd.readouterr()) == ""


def test_with_a_data_folder_files_are_fetched_there_and_nowhere_else(tmp_path, mirror, cache):
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    assert_is_the_made_set(load_idx_source(source, tmp_path / "mine"))
    there = sorted(path.name for path in (tmp_path / "mine" / "mnist").iterdir())
    assert there == sorted(FILE_NAMES)
    assert not cache.exists()


def test_only_files_that_are_not_there_yet_are_fetched(tmp_path, mirror):
    lay_out(tmp_path / "mnist", CONTENTS)
    (tmp_path / "mnist" / FILE_NAMES[2]).unlink()
    (tmp_path / "mnist" / FILE_NAMES[3]).write_bytes(b"half of a fi")
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    assert_is_the_made_set(load_idx_source(source, tmp_path))
    assert mirror.asked == [f"/good/{name}" for name in FILE_NAMES[2:]]


@pytest.mark.parametrize("manner", ["good", "chunked"])
def test_whoever_asks_is_told_how_far_it_has_come(tmp_path, mirror, manner):
    source = replace(TINY, mirrors=(mirror.address + f"{manner}/",))
    told = []
    obtain((source,), tmp_path, progress=lambda *report: told.append(report))
    for file in source.files:
        reports = [(done, total) for name, done, total in told if name == file.name]
        assert reports[-1] == (file.size, file.size)
        assert all(0 < done <= total == file.size for done, total in reports)


@pytest.mark.parametrize("manner", ["forbidden", "truncated", "other", "longer", "endless"])
def test_the_next_mirror_is_asked_when_one_fails(manner, mirror, cache):
    mirrors = (mirror.address + f"{manner}/", mirror.address + "good/")
    assert_is_the_made_set(load_idx_source(replace(TINY, mirrors=mirrors)))
    assert f"/good/{FILE_NAMES[0]}" in mirror.asked
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(FILE_NAMES)
    gc.collect()


def test_a_server_that_compresses_on_the_way_does_not_change_the_checksum(mirror):
    source = replace(TINY, mirrors=(mirror.address + "compressing/",))
    assert_is_the_made_set(load_idx_source(source))


def test_a_dead_mirror_is_asked_once_and_not_for_every_file(mirror, monkeypatch):
    monkeypatch.setattr(SECONDS, 0.2)
    mirrors = (mirror.address + "silent/", mirror.address + "good/")
    assert_is_the_made_set(load_idx_source(replace(TINY, mirrors=mirrors)))
    assert [path for path in mirror.asked if "silent" in path] == [f"/silent/{FILE_NAMES[0]}"]


FAILURES = {
    "forbidden": "answered with HTTP status 403",
    "truncated": "failed with ChunkedEncodingError",
    "other": "holds a file whose SHA256 sum is not the published one",
    "silent": "failed with ReadTimeout",
    "stalling": "failed with ConnectionError",
    "longer": r"holds more than the [\d,]+ bytes that are published",
    "endless": r"holds more than the [\d,]+ bytes that are published",
}


@pytest.mark.parametrize(("manner", "message"), FAILURES.items())
def test_why_fetching_failed_is_told_and_nothing_is_left_behind(
    manner, message, mirror, cache, monkeypatch
):
    monkeypatch.setattr(SECONDS, 0.2)
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
        f"put {', '.join(FILE_NAMES)} from {dead_address}a/ into",
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


def test_a_full_disk_is_told_and_nothing_is_left_behind(tmp_path, mirror, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tinygrad_cnn.data.download.os.fsync", full)
    source = replace(TINY, mirrors=(mirror.address + "good/",))
    with pytest.raises(MissingDataError, match="mnist cannot be written: No space left on device"):
        load_idx_source(source, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


# A kill in the middle.


def test_a_killed_download_leaves_nothing_that_is_taken_for_whole(tmp_path, mirror):
    large = np.random.default_rng(0).bytes(1 << 20)  # halves of it are written in many pieces
    mirror.contents[FILE_NAMES[0]] = large
    files = (published(FILE_NAMES[0], large), *TINY.files[1:])
    slow = replace(TINY, files=files, mirrors=(mirror.address + "stalling/",))
    program = (
        "import pickle, sys\n"
        "from tinygrad_cnn.data.places import obtain\n"
        "source = pickle.loads(sys.stdin.buffer.read())\n"
        "obtain((source,), sys.argv[1])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    ) as process:
        process.stdin.write(pickle.dumps(slow))
        process.stdin.close()
        folder = tmp_path / "mnist"
        deadline = time.monotonic() + 9.0
        while not any(path.stat().st_size for path in folder.glob(".parts-*/*")):
            assert time.monotonic() < deadline, "nothing was fetched"
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    parts = list(folder.iterdir())
    assert [path.name.startswith(".parts-") for path in parts] == [True]
    with pytest.raises(MissingDataError, match="downloading was turned off"):
        load_idx_source(slow, tmp_path, download=False)

    mirror.contents.update(CONTENTS)
    good = replace(TINY, mirrors=(mirror.address + "good/",))
    os.utime(parts[0], (0, 0))  # as on the day after
    assert_is_the_made_set(load_idx_source(good, tmp_path))
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILE_NAMES)
