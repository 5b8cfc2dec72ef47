"""Commands about runs that are there: resume, eval, runs; and the table of recipes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_cnn.cli import main
from tinygrad_cnn.train import RECIPES, load_checkpoint

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = [
    "--optimiser", "adamw", "--optimiser-option", "amsgrad=True", "--schedule", "one-cycle",
    "--weight-decay", "0.1", "--augment", "random-crop:padding=1,repeat=True",
    "--augment", "random-flip", "--accumulate", "2", "--clip", "1", "--average", "0.9",
    "--patience", "2", "--held-out", "0.2", "--workers", "2", "--seed", "4",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "first"
    options = f"train lenet5 --data mnist --data-dir {data_dir} --batch-size 8 --epochs 3 --quiet"
    assert main([*options.split(), *EVERYTHING, "--run-dir", str(run)]) == 0
    return run


def test_every_field_of_a_recipe_can_be_asked_for(finished: Path) -> None:
    recipe = json.loads((finished / "config.json").read_text())["recipe"]
    expected: dict[str, Any] = {
        "optimiser": "adamw", "optimiser_options": {"amsgrad": True}, "schedule": "one-cycle",
        "weight_decay": 0.1, "accumulate": 2, "clip": 1.0, "average": 0.9, "patience": 2,
        "held_out": 0.2, "workers": 2,
        "augment": [["random-crop", {"padding": 1, "repeat": True}], ["random-flip", {}]],
    }  # fmt: skip
    assert {name: recipe[name] for name in expected} == expected
    first = json.loads((finished / "log.jsonl").read_text().splitlines()[0])
    assert (first["train_total"], first["held_out_total"], first["test_total"]) == (32, 8, 12)
    assert first["test_top5"] >= first["test_correct"]


def test_the_same_options_are_welcome_and_others_are_not(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--resume", str(finished), *EVERYTHING, "--quiet"]) == 0
    assert main(["train", "--resume", str(finished), "--augment", "none"]) == 2
    assert "got --augment () where the run has" in capsys.readouterr().err
    assert main(["train", "--resume", str(finished), "--clip", "none"]) == 2
    assert "got --clip none where the run has 1.0" in capsys.readouterr().err
    assert main(["train", "--resume", str(finished), "--option", "activation=relu"]) == 2
    assert "got --activation relu where the run has its default" in capsys.readouterr().err


def test_what_a_recipe_switches_on_can_be_switched_off(
    few: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = RECIPES["lenet5", "mnist"].with_options(clip=5.0, average=0.9, patience=1)
    monkeypatch.setitem(RECIPES, ("lenet5", "mnist"), given)
    off = ["--clip", "none", "--average", "none", "--patience", "none", "--shift", "0"]
    assert main([*few, *off, "--quiet", "--run-dir", str(tmp_path / "run")]) == 0
    recipe = json.loads((tmp_path / "run" / "config.json").read_text())["recipe"]
    assert [recipe[name] for name in ("clip", "average", "patience", "shift")] == [None] * 3 + [0]
    assert main(["train", "--resume", str(tmp_path / "run"), *off, "--quiet"]) == 0


def test_a_finished_run_tells_its_result_again(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load_checkpoint(finished / "checkpoint.safetensors")
    assert main(["resume", str(finished), "--quiet"]) == 0
    last = capsys.readouterr().out
    assert last == f"test accuracy {before.state.result}\n"
    after = load_checkpoint(finished / "checkpoint.safetensors")
    for name, array in before.arrays.items():
        np.testing.assert_array_equal(array, after.arrays[name], strict=True)


@pytest.mark.parametrize("what", ["first", "first/checkpoint.safetensors"])
def test_eval_finds_what_training_found(
    what: str, finished: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = load_checkpoint(finished / "checkpoint.safetensors").state
    assert main(["eval", str(finished.parent / what)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == f"test accuracy {state.result}"
    assert f"loss {state.result.loss:.4f}" in told
    assert "12 test images of mnist" in told[-4]
    assert f"({state.result.top5})" in told[-2]


def test_eval_takes_other_images(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(finished), "--data", "digits", "--part", "train"]) == 0
    assert re.search(r"train accuracy [\d.]+ % \(\d+ of 1438\)", capsys.readouterr().out)


def test_runs_are_listed(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(finished.parent)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.search(r"first +lenet5 +mnist +3 of 3 +[\d.]+ % .*(finished|stopped early)$", line)


def test_a_folder_without_runs_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"no runs in {tmp_path}\n"


def test_every_recipe_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for model, data in RECIPES:
        (line,) = (line for line in lines if re.match(rf" {model} +{data} ", line))
        assert re.search(r"(at least [\d.]+ %|[\d.]+ to [\d.]+ %|not measured) ", line)


def test_without_a_recipe_a_run_says_what_it_takes(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data_dir / "mnist", tmp_path / "kmnist")
    options = f"train lenet5 --data kmnist --data-dir {tmp_path} --batch-size 8 --epochs 1"
    assert main([*options.split(), "--run-dir", str(tmp_path / "run")]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "no recipe for lenet5 on kmnist: what suits most networks is taken"


REFUSED = [
    ("eval nowhere", r"holds checkpoint.safetensors; got none in nowhere"),
    ("eval {run} --data cats", r"got 'cats'"),
    ("eval {run} --threads 0", r"threads here; got 0"),
    ("resume nowhere", r"holds checkpoint.safetensors; got none in nowhere"),
    ("runs nowhere", r"holds the folders of runs; got none at nowhere"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refusals_are_one_line(
    arguments: str, message: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.format(run=finished).split()) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert re.search(message, told), told


def test_event_files_are_written_on_demand_and_go_on(
    few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main([*few, "--run-dir", str(run), "--quiet", "--tensorboard"]) == 0
    assert len(list((run / "tensorboard").iterdir())) == 1


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
from tinygrad_cnn.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_limit_of_the_system_itself_leaves_the_checkpoint_before(
    few: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("resource")
    run = tmp_path / "run"
    arguments = [*few, "--run-dir", str(run), "--quiet"]
    stop = (
        "import sys; from tinygrad_cnn.train.run import Run; Run.train = lambda run: sys.exit(7); "
        "from tinygrad_cnn.cli import main; main(sys.argv[1:])"
    )
    environment = {"PYTHONPATH": str(ROOT)}
    done = start(stop, arguments, environment)
    assert done.returncode == 7, done.stderr
    before = (run / "checkpoint.safetensors").read_bytes()
    done = start(LIMITED, ["resume", str(run)], environment)
    assert done.returncode == 2, done.stderr
    assert "File too large. Make room" in done.stderr
    assert f"Continue with: tinygrad-cnn resume {run}" in done.stderr
    assert (run / "checkpoint.safetensors").read_bytes() == before
    assert not list(run.glob(".checkpoint*"))
    assert main(["resume", str(run), "--quiet"]) == 0


def start(
    script: str, arguments: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=120,
    )
