"""Trained runs without their data, and with data that are not theirs."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tinygrad_cnn import nn
from tinygrad_cnn.cli import main
from tinygrad_cnn.data import Normalise, Standardise
from tinygrad_cnn.train import RunConfiguration, load_checkpoint, save_checkpoint
from tinygrad_cnn.train.answers import open_run
from tinygrad_cnn.train.input_format import InputFormat


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
def older(lent: Path, tmp_path: Path) -> Path:
    """Copy the run, as it was written before runs kept what images are like."""
    run = tmp_path / "older"
    shutil.copytree(lent / "run", run)
    checkpoint = load_checkpoint(run / "checkpoint.safetensors")
    configuration = dataclasses.replace(checkpoint.configuration, input_format=None)
    former = dataclasses.replace(checkpoint, configuration=configuration)
    save_checkpoint(run / "checkpoint.safetensors", former)
    return run


@pytest.fixture
def other(data_dir: Path, tmp_path: Path) -> Path:
    """Name a data root with another test image."""
    shutil.copytree(data_dir, tmp_path / "other")
    path = tmp_path / "other" / "mnist" / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[100] ^= 255
    path.write_bytes(content)
    return tmp_path / "other"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(3).integers(0, 255, (28, 28), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_a_run_is_asked_without_its_data(
    lent: Path, older: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["predict", str(lent / "run"), str(picture), "--json"]) == 0
    with_what_is_kept, told = capsys.readouterr()
    assert told == ""
    assert main(["predict", str(older), str(picture), "--json", f"--data-dir={lent / 'gone'}"]) == 0
    assert capsys.readouterr().out == with_what_is_kept
    assert json.loads(with_what_is_kept)[0]["probability"] > 0.1


def test_a_run_that_keeps_them_needs_no_data(
    lent: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(lent / "run"), str(picture), "--data-dir", "nowhere"]) == 0
    assert "--data-dir is not looked at" in capsys.readouterr().err


def test_an_older_run_says_what_it_lacks(
    older: Path,
    other: Path,
    picture: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TINYGRAD_CNN_OFFLINE", "1")
    monkeypatch.delenv("TINYGRAD_CNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(other / "cache"))
    capsys.readouterr()
    assert main(["predict", str(older), str(picture)]) == 2
    lacking = capsys.readouterr().err
    assert re.search(r"begun before runs did: .* found nowhere\. Say with --data-dir", lacking)
    assert main(["predict", str(older), str(picture), "--data-dir", str(other)]) == 2
    strange = capsys.readouterr().err
    assert re.search(r"begun before runs did: .* but these are not the images of mnist", strange)
    assert (lacking.count("\n"), strange.count("\n")) == (1, 1)


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


def test_a_resumed_run_keeps_what_an_older_one_did_not(older: Path, data_dir: Path) -> None:
    assert main(["resume", str(older), "--data-dir", str(data_dir), "--quiet"]) == 0
    written = RunConfiguration.from_json(json.loads((older / "config.json").read_text()))
    assert written.input_format is not None
    assert written.input_format.shape == (1, 32, 32)
    assert written.input_format.class_names == tuple("0123456789")


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


FORMATS = [
    InputFormat((1, 32, 32), 0.1307, 0.3081, ("a", "b")),
    InputFormat((3, 32, 32), (0.5, 0.4, 0.3), (0.2, 0.2, 0.1)),
    InputFormat((3, 8, 8)),
]


@pytest.mark.parametrize("kept", FORMATS, ids=["grey", "colour", "as they are"])
def test_what_is_kept_comes_back(kept: InputFormat) -> None:
    values = json.loads(json.dumps(dataclasses.asdict(kept)))
    assert InputFormat.from_json(values) == kept
    applied = kept.standardise
    assert isinstance(applied, {1: Standardise, 3: Normalise}[kept.shape[0]] | None)
    if applied is not None:
        assert (applied.mean, applied.deviation) == (kept.mean, kept.deviation)
