"""``tinygrad-cnn explain … --weights``: networks whose weights are given and not drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models
from tinygrad_cnn.cli import main
from tinygrad_cnn.explain import GraphDump, difference


def weights_of(seed: int, name: str = "lenet5", **options: Any) -> dict[str, Any]:
    tg.manual_seed(seed)
    return dict(models.build(name, **options).state_dict())


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["explain", "story", "lenet5", "--batch-size", "1", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("prefix", ["", "model."])
def test_weights_that_were_saved_tell_the_story_of_those_that_were_drawn(
    prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weights.npz"
    beside = {"optimiser.velocity.C1.bias": np.zeros(6)} if prefix else {}
    np.savez(file, **{prefix + n: v for n, v in weights_of(5).items()}, **beside)
    given = told(["--weights", str(file)], capsys)
    drawn = told(["--seed", "5"], capsys)
    assert given.splitlines()[0] == (
        f"lenet5, 61,706 parameters read from {file}, on 1 test image of digits"
    )
    assert given.splitlines()[1:] == drawn.splitlines()[1:]


def test_two_epochs_of_a_run_are_compared(
    few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main([*few, "--run-dir", str(run)]) == 0
    files = []
    for name in ("previous-checkpoint", "checkpoint"):
        files.append(tmp_path / f"{name}.json")
        weights = ["--weights", str(run / f"{name}.safetensors"), "--batch-size", "2"]
        assert main(["explain", "write", "lenet5", str(files[-1]), *weights]) == 0
    capsys.readouterr()
    assert main(["explain", "diff", *map(str, files), "--least-ratio", "1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"- lenet5, 61,706 parameters read from {run}/previous-checkpoint")
    found = difference(*map(GraphDump.load, files), 1.0)
    assert found.first_forward is not None
    assert found.first_forward[1:3] == ("C1.conv2d", "‖weight‖")
    assert not found.of("added")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: None, "read_weights: the file exists; got no file at"),
        (lambda file: file.write_bytes(b"PK"), "weights.npz"),
        (lambda file: np.savez(file, **weights_of(0, "lab11_cnn2")), "C1.weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_line(
    make: Callable[[Path], Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weights.npz"
    make(file)
    assert main(["explain", "lenet5", "--weights", str(file)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1
