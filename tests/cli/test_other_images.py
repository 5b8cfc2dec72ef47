"""Trained runs without their data, and with data that are not theirs."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tinygrad_cnn import nn
from tinygrad_cnn.cli import main
from tinygrad_cnn.train.answers import open_run


@pytest.fixture(scope="module")
def lent(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name a folder with data that were there for the training alone, and the run."""
    folder = tmp_path_factory.mktemp("lent")
    shutil.copytree(data_dir, folder / "data")
    options = f"train lenet5 --data mnist --data-dir {folder / 'data'} --batch-size 8 --epochs 1"
    assert main([*options.split(), "--run-dir", str(folder / "run"), "--quiet"]) == 0
    shutil.move(folder / "data", folder / "gone")
    return folder


@pytest.fixture
def other(data_dir: Path, tmp_path: Path) -> Path:
    """Name a data root with another test image."""
    shutil.copytree(data_dir, tmp_path / "other")
    path = tmp_path / "other" / "mnist" / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[100] ^= 255
    path.write_bytes(content)
    return tmp_path / "other"


def test_other_images_are_told(
    lent: Path, data_dir: Path, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(lent / "run")
    for command in ("eval", "ensemble"):
        capsys.readouterr()
        assert main([command, run, "--data-dir", str(data_dir)]) == 0
        assert capsys.readouterr().err == ""
        assert main([command, run, "--data-dir", str(other)]) == 0
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert re.search(r"not the images of mnist that .*run was made with \(fingerprint", told)
    assert main(["eval", run, "--data", "digits"]) == 0  # which is what was asked for
    assert capsys.readouterr().err == ""
    assert main(["resume", run, "--data-dir", str(other)]) == 2
    assert "goes on with the images it began with" in capsys.readouterr().err


def test_pictures_and_tables_cost_one_pass_over_the_images(
    lent: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    plain = nn.Module.__call__

    def counted(module: nn.Module, *values: Any, **options: Any) -> Any:
        if module is network:
            seen.append(len(values[0]))
        return plain(module, *values, **options)

    trained = open_run(lent / "run")
    network = trained.network
    monkeypatch.setattr(nn.Module, "__call__", counted)
    monkeypatch.setattr("tinygrad_cnn.train.answers.open_run", lambda run: trained)
    options = ["--classes", "--plots", str(tmp_path), "--data-dir", str(data_dir)]
    assert main(["eval", "run", *options]) == 0
    assert [size for size in seen if size > 1] == [12]  # and one image for its feature maps
