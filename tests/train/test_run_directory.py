import json
import re
from pathlib import Path

import pytest

from tinygrad_cnn.errors import RunDirectoryError
from tinygrad_cnn.train import EpochRecord, RunConfiguration, RunDirectory

RECORDS = [EpochRecord(epoch, 0.01, 2.0, 10, 100, 1.5, 5, 50, 0.1) for epoch in (1, 2, 3)]


def test_the_default_name_is_new_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [RunDirectory.create(None, "lenet5", "digits").path for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(re.match(r"runs/lenet5-digits-\d{8}-\d{6}", path.as_posix()) for path in paths)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert RunDirectory.create(tmp_path, "lenet5", "digits").path == tmp_path


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for path in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(RunDirectoryError, match=r"new or empty; got .*Choose another"):
            RunDirectory.create(path, "lenet5", "digits")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match=r"has to be written; got Not a directory"):
        RunDirectory.create(tmp_path / "file" / "run", "lenet5", "digits")


def test_log_lines_are_json(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    for record in RECORDS:
        directory.append_log(record)
    lines = [json.loads(line) for line in directory.log.read_text().splitlines()]
    assert [EpochRecord(**line) for line in lines] == RECORDS


def test_a_folder_that_a_killed_run_left_is_mended(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    for record in RECORDS:
        directory.append_log(record)
    with directory.log.open("a") as stream:
        stream.write('{"epoch": 4, "lr"')
    (tmp_path / ".checkpoint.safetensors.4711").touch()
    directory.mend(RECORDS[:2])
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
    directory.append_log(RECORDS[2])
    lines = [json.loads(line) for line in directory.log.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]


def test_config_comes_back(tmp_path: Path, configuration: RunConfiguration) -> None:
    directory = RunDirectory(tmp_path)
    directory.write_config(configuration)
    assert RunConfiguration.from_json(json.loads(directory.config.read_text())) == configuration


def test_one_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    first, second = RunDirectory(tmp_path), RunDirectory(tmp_path)
    first.lock.acquire()
    first.lock.acquire()
    with pytest.raises(RunDirectoryError, match=r"one process at a time .* which is in use"):
        second.lock.acquire()
    first.lock.release()
    first.lock.release()
    second.lock.acquire()
    second.lock.release()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_not_locked(tmp_path: Path) -> None:
    RunDirectory(tmp_path / "nowhere").lock.acquire()
    assert not list(tmp_path.iterdir())
