import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.cli import main
from tinygrad_cnn.cli.closer_look import class_table
from tinygrad_cnn.train.answers import open_run, probabilities


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name a run that has seen the digits for three epochs."""
    path = str(tmp_path_factory.mktemp("runs") / "run")
    assert main(["train", "lenet5", "--epochs", "3", "--run-dir", path, "--quiet"]) == 0
    return path


@pytest.mark.parametrize("part", ["test", "train"])
def test_classes(part: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["eval", run, "--classes", "--part", part]) == 0
    lines = capsys.readouterr().out.splitlines()
    split = data.load("digits")
    judged = split.test if part == "test" else split.train
    answers = probabilities(open_run(run).network, judged.images).argmax(1)
    heading = next(number for number, line in enumerate(lines) if line.startswith(" class "))
    for number in range(10):
        cells = re.split(r"  +", lines[heading + 2 + number].strip())
        own, answered = judged.labels == number, answers == number
        assert cells[0] == str(number)
        assert int(cells[1].replace(",", "")) == own.sum()
        assert cells[2] == f"{100 * (own & answered).sum() / own.sum():.1f} %"
        assert cells[3] == f"{100 * (own & answered).sum() / answered.sum():.1f} %"
    right = np.count_nonzero(answers == judged.labels)
    assert f"({right} of {len(judged)})" in lines[-1]


def test_plots(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["eval", run, "--plots", str(tmp_path / "pictures")]) == 0
    names = ["confusion.png", "curves.png", "feature_maps.png", "filters.png", "mistakes.png"]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == names
    told = capsys.readouterr().out
    assert all(name in told for name in names)
    (tmp_path / "file").touch()
    assert main(["eval", run, "--plots", str(tmp_path / "file" / "in")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_classes_without_images_or_names() -> None:
    lines = class_table(np.array([[0, 0, 0], [2, 1, 1], [0, 0, 3]]), ["cat"]).splitlines()
    assert [re.split(r"  +", line.strip()) for line in lines[2:]] == [
        ["cat", "0", "–", "0.0 %", "–"],
        ["1", "4", "25.0 %", "100.0 %", "cat (2)"],
        ["2", "3", "100.0 %", "75.0 %", "–"],
    ]
