import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_cnn.cli import main
from tinygrad_cnn.cli.train import resume_command
from tinygrad_cnn.train import load_checkpoint

LAST_LINE = r"test accuracy \d+\.\d % \(\d+ of \d+\)"


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_checkpoint(run / "checkpoint.safetensors").arrays


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], strict=True)


def untimed_log(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert all(line.pop("seconds") >= 0.0 for line in lines)
    return lines


@pytest.fixture
def finished(few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    run = tmp_path / "finished"
    assert main([*few, "--seed", "4", "--run-dir", str(run), "--quiet"]) == 0
    assert re.fullmatch(LAST_LINE + "\n", capsys.readouterr().out)
    return run


def test_a_run_shows_epochs_a_story_and_last_the_accuracy(
    few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main([*few, "--run-dir", str(run)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "\x1b" not in told.out
    lines = told.out.splitlines()
    assert lines[0] == "loading mnist …"
    assert "61,706 parameters" in lines[1]
    assert f"run directory {run}" in lines
    assert "compiling kernels …" in lines
    table = lines.index(next(line for line in lines if line.startswith("epoch ")))
    first, error, *others = lines[table + 1 : table + 5]
    assert [line.split()[0] for line in (first, *others)] == ["1", "2", "3"]
    foreseen = r"forecast: [\d.]+ s for an epoch, [\d.]+ s for 3, [\d.]+ MB for .*"
    assert re.fullmatch(foreseen, lines[table - 1])
    assert re.fullmatch(r"the epoch took .* s, \d+ % (more|less) than forecast, and .*", error)
    assert any(line.startswith("One backward pass") for line in lines[table:])
    assert "C3.conv2d" in told.out
    assert lines[-2] == f"look closer: tinygrad-cnn eval {run} --classes --plots pictures"
    assert re.fullmatch(LAST_LINE, lines[-1])

    assert sorted(path.name for path in run.iterdir()) == [
        "backward.txt", "checkpoint.safetensors", "config.json", "curves.png", "log.jsonl",
        "previous-checkpoint.safetensors",
    ]  # fmt: skip
    config = json.loads((run / "config.json").read_text())
    assert config["model"] == "lenet5"
    assert config["recipe"]["epochs"] == 3
    log = untimed_log(run)
    assert [line["epoch"] for line in log] == [1, 2, 3]
    assert f"({log[-1]['test_correct']} of {log[-1]['test_total']})" in lines[-1]
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (run / "backward.txt").read_text().strip() in told.out


def test_a_seeded_run_repeats_bit_for_bit(few: list[str], finished: Path, tmp_path: Path) -> None:
    for seed, run in (("4", tmp_path / "same"), ("5", tmp_path / "other")):
        assert main([*few, "--seed", seed, "--run-dir", str(run), "--quiet"]) == 0
    assert_same_weights(finished, tmp_path / "same")
    assert untimed_log(finished) == untimed_log(tmp_path / "same")
    assert untimed_log(finished) != untimed_log(tmp_path / "other")


def test_the_default_run_directory(
    few: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*few, "--epochs", "1", "--quiet"]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"lenet5-mnist-\d{8}-\d{6}", run.name)


@pytest.mark.parametrize(
    "options",
    ["--activation relu", "--activation tanh", "--pool max", "--sigmoid-after conv",
     "--variant original", "--optimiser sgd", "--optimiser sgd --momentum 0.5", "--lr 0.001",
     "--threads 1"],
)  # fmt: skip
def test_options(options: str, few: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = [*few, "--epochs", "1", "--run-dir", str(run), "--quiet", *options.split()]
    assert main(arguments) == 0
    config = json.loads((run / "config.json").read_text())
    known = {**config["recipe"], **config["model_options"], "threads": 1}
    for option, value in zip(options.split()[::2], options.split()[1::2], strict=True):
        assert str(known[option.removeprefix("--").replace("-", "_")]) == value


REFUSED = [
    ("train lenet6", r"the known names are those .*; got 'lenet6'\. Did you mean 'lenet5'"),
    ("train lenet5 --data cats", r"recipes: .* got 'lenet5' on 'cats'"),
    ("train lenet5 --activation step", r"activation is one of sigmoid, tanh, relu; got 'step'"),
    ("train lenet5 --pool min", r"pool is one of average, max; got 'min'"),
    ("train lenet5 --sigmoid-after none", r"sigmoid_after is one of all, conv; got 'none'"),
    ("train lenet5 --variant new", r"variant is one of taught, original; got 'new'"),
    ("train lenet5 --variant original --pool max", r"'original' fixes .* got pool=max"),
    ("train lenet5 --split random", r"split of digits is one of interleaved, writers"),
    ("train lenet5 --optimiser adamm", r"optimiser: .* got 'adamm'. Did you mean 'adam'"),
    ("train lenet5 --epochs 0", r"number of epochs is a whole number from 1 up; got 0"),
    ("train lenet5 --lr -1", r"learning rate is a number above 0; got -1"),
    ("train lenet5 --lr nan", r"learning rate is a number above 0; got nan"),
    ("train lenet5 --batch-size 0", r"batch size is a whole number from 1 up; got 0"),
    ("train lenet5 --batch-size 5000", r"at most the 1438 training images of digits; got 5000"),
    ("train lenet5 --momentum 0.9", r"momentum belongs to sgd and rmsprop"),
    ("train lenet5 --optimiser sgd --momentum 1", r"momentum lies in \[0, 1\); got 1"),
    ("train lenet5 --seed -1", r"a seed is a whole number from 0 up; got -1"),
    ("train lenet5 --threads 0", r"there are 1 to \d+ threads here; got 0"),
    ("train lenet5 --threads 4096", r"there are 1 to \d+ threads here; got 4096"),
    ("train --resume nowhere", r"holds checkpoint.safetensors; got none in nowhere"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refusals_are_one_line_and_leave_nothing_behind(
    arguments: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    told = capsys.readouterr()
    assert told.err.startswith("tinygrad-cnn: ")
    assert told.err.count("\n") == 1
    assert re.search(message, told.err), told.err
    assert not list(tmp_path.iterdir())


def test_missing_data_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYGRAD_CNN_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYGRAD_CNN_DATA", raising=False)
    assert main(["train", "lenet5", "--data", "mnist"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "the 4 files of MNIST are needed" in told
    assert not (tmp_path / "runs").exists()


def swap(folder: Path) -> None:
    images, labels = (folder / f"train-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)


def change(name: str, edit: Any) -> Any:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(edit((folder / name).read_bytes()))

    return damage


DAMAGES = {
    "truncated": change("train-images-idx3-ubyte", lambda content: content[:-100]),
    "wrong magic": change("train-images-idx3-ubyte", lambda content: b"PK" + content[2:]),
    "empty": change("t10k-labels-idx1-ubyte", lambda content: b""),
    "fewer labels": change(
        "train-labels-idx1-ubyte", lambda content: content[:7] + b"\x27" + content[8:-1]
    ),
    "swapped": swap,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_data_is_told_in_one_line(
    damage: str, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data_dir, tmp_path / "data")
    DAMAGES[damage](tmp_path / "data" / "mnist")
    run = tmp_path / "run"
    arguments = ["--data", "mnist", "--data-dir", str(tmp_path / "data"), "--run-dir", str(run)]
    assert main(["train", "lenet5", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.startswith("tinygrad-cnn: ")
    assert told.count("\n") == 1
    assert str(tmp_path / "data") in told
    assert not run.exists()


def test_a_run_directory_in_use_is_left_alone(
    few: list[str], finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in finished.iterdir()}
    assert main([*few, "--run-dir", str(finished)]) == 2
    assert "new or empty; got a folder with something in it" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in finished.iterdir()} == before


def test_a_run_directory_that_cannot_be_made(
    few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main([*few, "--run-dir", str(tmp_path / "file" / "run"), "--quiet"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "Not a directory" in told


# -- resuming what is finished or does not fit ------------------------------------------


def test_a_finished_run_tells_its_result_again(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weights(finished)
    assert main(["train", "--resume", str(finished)]) == 0
    assert re.fullmatch(LAST_LINE, capsys.readouterr().out.splitlines()[-1])
    for name, array in weights(finished).items():
        np.testing.assert_array_equal(array, before[name])


UNFIT = [
    ("--lr 0.5", r"got --lr 0.5 where the run has 0.0"),
    ("--seed 5", r"got --seed 5 where the run has 4"),
    ("--epochs 9", r"got --epochs 9 where the run has 3"),
    ("--activation relu", r"got --activation relu where the run has its default"),
    ("--data digits", r"got --data digits where the run has mnist"),
]


@pytest.mark.parametrize(("options", "message"), UNFIT)
def test_other_options_are_refused(
    options: str, message: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--resume", str(finished), *options.split()]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_the_same_options_are_welcome(finished: Path) -> None:
    arguments = ["train", "lenet5", "--resume", str(finished), "--seed", "4", "--epochs", "3"]
    assert main([*arguments, "--quiet"]) == 0


def test_other_images_are_refused(
    finished: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data_dir, tmp_path / "data")
    change("mnist/train-labels-idx1-ubyte", lambda content: content[:-1] + b"\x00")(
        tmp_path / "data"
    )
    change("mnist/train-images-idx3-ubyte", lambda content: content[:-1] + b"\x01")(
        tmp_path / "data"
    )
    arguments = ["train", "--resume", str(finished), "--data-dir", str(tmp_path / "data")]
    assert main([*arguments, "--quiet"]) == 2
    assert "got other images of mnist" in capsys.readouterr().err


def test_a_checkpoint_of_another_model_is_refused(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["train", "alexnet", "--resume", str(finished)]) == 2
    assert "got one of 'lenet5' for 'alexnet'" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_refused(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change("checkpoint.safetensors", lambda content: content[:-7])(finished)
    log = (finished / "log.jsonl").read_bytes()
    assert main(["train", "--resume", str(finished)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "It is damaged. The one before it, written after epoch 2, is whole" in told
    assert told.endswith(f"tinygrad-cnn resume {finished} --previous\n")
    assert (finished / "log.jsonl").read_bytes() == log


@pytest.mark.parametrize("writes", [3, 5, 7])
def test_a_disk_that_fills_up_keeps_the_last_checkpoint(
    writes: int,
    few: list[str],
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, flush, left = tmp_path / "run", os.fsync, [2 * writes]

    def fill_up(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    arguments = [*few, "--seed", "4", "--run-dir", str(run), "--quiet"]
    code = main(arguments)
    told = capsys.readouterr().err
    monkeypatch.undo()
    if writes < 7:
        assert code == 2
        assert told.count("\n") == 1
        assert "No space left on device" in told
        assert f"Continue with: tinygrad-cnn resume {run}" in told
    assert main(["train", "--resume", str(run), "--quiet"]) == 0
    assert_same_weights(run, finished)
    assert untimed_log(run) == untimed_log(finished)


def test_an_interruption_before_the_first_step_says_so(
    few: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_cnn.data.load", interrupt)
    run = tmp_path / "run"
    assert main([*few, "--run-dir", str(run), "--quiet"]) == 130
    assert capsys.readouterr().err.strip() == "tinygrad-cnn: interrupted before training began"
    assert not run.exists()


def test_the_resume_command_can_be_pasted() -> None:
    command = resume_command(Path("my runs/first"))
    assert command == "tinygrad-cnn resume 'my runs/first'"
