import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tinygrad_cnn.errors import MissingDataError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.train import (
    Evaluation,
    Recipe,
    RunConfiguration,
    RunDirectory,
    TrainingState,
    save_checkpoint,
    take_checkpoint,
)
from tinygrad_cnn.train.overview import find_runs


def state_after(epochs: int, stopped: bool = False, best: int = 0) -> TrainingState:
    state = TrainingState(stopped=stopped, best_epoch=best)
    for correct in range(1, epochs + 1):
        state.count(0.5, 5, 10)
        state.finish_epoch(0.1, Evaluation(0.5, correct, 10))
    return state


@pytest.fixture
def write(
    tmp_path: Path, build: Callable[[], Module], recipe: Recipe, configuration: RunConfiguration
) -> Callable[[str, TrainingState], RunDirectory]:
    def write_run(name: str, state: TrainingState) -> RunDirectory:
        directory = RunDirectory.create(tmp_path / name, "small", "few")
        model = build()
        with_patience = recipe.with_options(patience=2 if state.best_epoch else None)
        asked = dataclasses.replace(configuration, recipe=with_patience)
        optimiser = recipe.make_optimiser(model.parameters())
        save_checkpoint(directory.checkpoint, take_checkpoint(asked, state, model, optimiser))
        return directory

    return write_run


STATES = [
    (state_after(0), 0, None, "can be resumed"),
    (state_after(2), 2, 0.2, "can be resumed"),
    (state_after(3), 3, 0.3, "finished"),
    (state_after(2, stopped=True, best=1), 2, 0.1, "stopped early"),
]


@pytest.mark.parametrize(("state", "epochs", "accuracy", "label"), STATES)
def test_a_run_is_told_as_it_stands(
    state: TrainingState, epochs: int, accuracy: float | None, label: str, write, tmp_path: Path
) -> None:
    write("run", state)
    (tmp_path / "something else").mkdir()
    (found,) = find_runs(tmp_path)
    assert (found.path, found.model, found.data) == (tmp_path / "run", "small", "few")
    assert (found.epochs, found.of, found.state) == (epochs, 3, label)
    assert found.accuracy == accuracy
    assert find_runs(tmp_path / "run") == [found]


def test_a_run_under_way_and_a_damaged_one(write, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    directory = write("run", state_after(1))
    directory.lock.acquire()
    assert [run.state for run in find_runs(tmp_path)] == ["under way"]
    directory.lock.release()
    directory.checkpoint.write_bytes(b"no checkpoint at all")
    assert [run.state for run in find_runs(tmp_path)] == ["damaged"]
    shutil.copy(write("whole", state_after(2)).checkpoint, directory.previous)
    shutil.rmtree(tmp_path / "whole")
    (found,) = find_runs(tmp_path)
    assert (found.state, found.epochs) == ("damaged: resume --previous", 2)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"holds the folders of runs; got none at"):
        find_runs(tmp_path / "nowhere")
