"""Whole runs, started from Python: options, stops, and who may work on a run at a time."""

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from tinygrad_cnn import data, models
from tinygrad_cnn.data import Split
from tinygrad_cnn.errors import (
    CheckpointError,
    OptionError,
    RunDirectoryError,
    TinygradCnnError,
    UnknownNameError,
)
from tinygrad_cnn.nn import Module
from tinygrad_cnn.train import (
    Display,
    Interrupted,
    Recipe,
    Run,
    TrainingState,
    continued_run,
    load_checkpoint,
    new_run,
)
from tinygrad_cnn.train import run as run_module


@pytest.fixture(autouse=True)
def few(split: Split, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train a network of a few weights on forty images, whatever names are given."""

    def load(name: str, folder: str | None = None, **options: Any) -> Split:
        return few_images

    def small(name: str, **options: Any) -> Module:
        return type(build())()

    few_images = split
    monkeypatch.setattr(data, "load", load)
    monkeypatch.setattr(models, "build", small)


def weights(path: Path) -> dict[str, np.ndarray]:
    return load_checkpoint(path / "checkpoint.safetensors").arrays


def stop_after_epoch(run: Run, count: int) -> None:
    """Send the signal of Ctrl-C when so many epochs are done."""
    append = run.directory.append_log

    def append_and_stop(record: Any) -> None:
        append(record)
        if record.epoch == count:
            signal.raise_signal(signal.SIGINT)

    run.directory.append_log = append_and_stop  # type: ignore[method-assign]


def test_a_run_needs_a_name_and_shows_nothing_unasked(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run("lenet5", recipe=recipe, run_dir=tmp_path / "run")
    result = run.train()
    assert result == run.state.history[-1].test
    assert run.place == "after the last of 3 epochs"
    assert capsys.readouterr() == ("", "")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "backward.txt", "checkpoint.safetensors", "config.json", "curves.png", "log.jsonl",
        "previous-checkpoint.safetensors",
    }  # fmt: skip


def test_a_missing_recipe_is_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "build", lambda *_, **__: pytest.fail("was built"))
    with pytest.raises(UnknownNameError, match=r"recipes: .*got 'vgg16' on 'digits'"):
        new_run("vgg16", run_dir=tmp_path / "run")
    with pytest.raises(UnknownNameError, match=r"models: .*got 'vgg99'"):
        new_run("vgg99", run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_options_change_fields_of_the_recipe(recipe: Recipe, tmp_path: Path) -> None:
    changes = {"epochs": 1, "optimiser": "sgd"}
    run = new_run("lenet5", recipe=recipe, recipe_options=changes, run_dir=tmp_path)
    assert run.configuration.recipe == recipe.with_options(**changes)
    assert json.loads(run.directory.config.read_text())["recipe"]["epochs"] == 1
    default = new_run("lenet5", recipe_options={"batch_size": 40}, run_dir=tmp_path / "default")
    assert default.configuration.recipe.optimiser == "adam"


def test_an_interrupted_run_goes_on_bit_for_bit(recipe: Recipe, tmp_path: Path) -> None:
    whole = new_run("lenet5", recipe=recipe, seed=3, run_dir=tmp_path / "whole")
    whole.train()
    run = new_run("lenet5", recipe=recipe, seed=3, run_dir=tmp_path / "run")
    stop_after_epoch(run, 2)
    with pytest.raises(Interrupted, match="SIGINT"):
        run.train()
    assert run.place == "in epoch 3 of 3, after 0 of 5 steps"
    again = continued_run(tmp_path / "run")
    assert again.train() == whole.state.history[-1].test
    expected = weights(tmp_path / "whole")
    for name, array in weights(tmp_path / "run").items():
        np.testing.assert_array_equal(array, expected[name], strict=True)


def test_a_run_may_train_outside_the_main_thread(recipe: Recipe, tmp_path: Path) -> None:
    run = new_run("lenet5", recipe=recipe, run_dir=tmp_path)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(run.train()))
    thread.start()
    thread.join()
    assert results == [run.state.history[-1].test]


def test_a_display_is_told(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new_run("lenet5", recipe=recipe, run_dir=tmp_path, display=Display(sys.stdout)).train()
    assert "3 epochs of 5 batches of 8 images" in capsys.readouterr().out


@pytest.mark.parametrize(("lines", "on_the_screen"), [(80, True), (5, False)])
def test_a_long_story_is_told_in_its_file_alone(
    lines: int,
    on_the_screen: bool,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run_module, "_LINES_TO_READ", lines)
    run = new_run("lenet5", recipe=recipe, run_dir=tmp_path, display=Display(sys.stdout))
    run.train()
    told, story = capsys.readouterr().out, run.directory.story.read_text("utf-8")
    assert (story in told) == on_the_screen
    assert (f"is told in {run.directory.story}: composite function" in told) != on_the_screen


@pytest.mark.parametrize(("asked", "used"), [(None, 1), (1, 1)])
def test_threads_are_those_of_the_recipe_or_as_asked(
    asked: int | None, used: int, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, seen = numba.get_num_threads(), []
    run = new_run(
        "lenet5", recipe=recipe, recipe_options={"threads": 1}, run_dir=tmp_path, threads=asked
    )
    fit = run_module.fit

    def note(*arguments: Any, **options: Any) -> TrainingState:
        seen.append(numba.get_num_threads())
        return fit(*arguments, **options)

    monkeypatch.setattr(run_module, "fit", note)
    run.train()
    assert seen == [used]
    assert numba.get_num_threads() == former


def test_more_threads_than_the_machine_has_are_no_reason_to_stop_a_recipe(
    recipe: Recipe, tmp_path: Path
) -> None:
    options = {"threads": 4096}
    new_run("lenet5", recipe=recipe, recipe_options=options, run_dir=tmp_path).train()


REFUSED: list[tuple[dict[str, Any], type[TinygradCnnError], str]] = [
    ({"seed": -1}, OptionError, "run: a seed is a whole number from 0 up; got -1"),
    ({"threads": 0}, OptionError, r"threads: there are 1 to \d+ threads here; got 0"),
    ({"threads": 4096}, OptionError, r"threads: there are 1 to \d+ threads here; got 4096"),
    ({"recipe_options": {"batch_size": 41}}, OptionError,
     "run: batch_size is at most the 40 training images of digits; got 41"),
    ({"data": "cats"}, UnknownNameError, "got 'lenet5' on 'cats'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "message"), REFUSED)
def test_refusals_leave_nothing_behind(
    options: dict[str, Any], error: type[TinygradCnnError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        new_run("lenet5", run_dir=tmp_path / "run", **options)
    assert not list(tmp_path.iterdir())


def test_what_is_asked_before_a_run_goes_on_may_end_it(recipe: Recipe, tmp_path: Path) -> None:
    new_run("lenet5", recipe=recipe, run_dir=tmp_path).train()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    def refuse(checkpoint: Any) -> None:
        raise OptionError("not this one")

    with pytest.raises(OptionError, match="not this one"):
        continued_run(tmp_path, accept=refuse)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    continued_run(tmp_path).train()


def test_other_images_are_refused(
    recipe: Recipe, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run("lenet5", recipe=recipe, run_dir=tmp_path).train()
    other = Split(split.train, split.train)
    monkeypatch.setattr(data, "load", lambda name, folder, **options: other)
    with pytest.raises(CheckpointError, match="the images it began with; got other images of digi"):
        continued_run(tmp_path)


def test_one_at_a_time_works_on_a_run(recipe: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    run = new_run("lenet5", recipe=recipe, run_dir=tmp_path)
    with pytest.raises(RunDirectoryError, match=r"one process at a time .* which is in use"):
        continued_run(tmp_path)
    run.train()
    again = continued_run(tmp_path)
    with pytest.raises(RunDirectoryError, match=r"one process at a time .* which is in use"):
        run.train()
    again.train()
    run.train()
