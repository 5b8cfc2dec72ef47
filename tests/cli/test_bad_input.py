"""Images and options that make no sense: one clear line, exit code 2, and nothing left behind."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn.cli import main

Image = pytest.importorskip("PIL.Image")
Make = Callable[[Path], None]


def pictures(*classes: str, modes: tuple[str, ...] = ("RGB",)) -> Make:
    """Return what makes a folder of ten pictures for each class."""

    def make(root: Path) -> None:
        draw = np.random.default_rng(2)
        for name in classes:
            (root / name).mkdir(parents=True)
            for number in range(10):
                pixels = draw.integers(0, 255, (40, 45, 3), dtype=np.uint8)
                mode = modes[number % len(modes)]
                Image.fromarray(pixels).convert(mode).save(root / name / f"{number}.png")

    return make


def with_file(make: Make, name: str, content: bytes) -> Make:
    def both(root: Path) -> None:
        make(root)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return both


def empty(root: Path) -> None:
    root.mkdir()


def nothing(root: Path) -> None:
    """Leave even the folder out."""


def without_pictures(root: Path) -> None:
    pictures("cat")(root)
    (root / "dog").mkdir()


TWO = pictures("cat", "dog")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(40)
REFUSED = [
    ("no folder", nothing, "--split grey", r"the folder exists; got no folder at"),
    ("empty folder", empty, "--split grey", r"one folder for each class; got none in"),
    ("one class", pictures("cat"), "--split grey", r"at least two classes .* got only cat"),
    ("class without images", without_pictures, "", r"each class has an image, .* got none in"),
    ("corrupted JPEG", with_file(TWO, "cat/3.jpg", JPEG), "", r"got .*cat/3\.jpg"),
    ("no image at all", with_file(TWO, "cat/3.png", b"text"), "", r"known format; got .*3\.png"),
    ("wrong channel count", TWO, "", r"takes images of 1x32x32 .* got 3x32x32 .*--split grey"),
    ("fewer outputs than classes", pictures("cat", "dog", "emu"),
     "--split grey --option num_classes=2", r"got 2 outputs for labels up to 2"),
    ("batch larger than the data", TWO, "--split grey --batch-size 17",
     r"at most the 16 training images of folder; got 17"),
    ("nothing left to learn from", TWO, "--split grey --batch-size 1 --patience 1 --held-out 0.99",
     r"left to learn from; got a share of 0.99 of 16"),
    ("zero epochs", TWO, "--split grey --epochs 0", r"epochs is a whole number from 1 up; got 0"),
    ("negative rate", TWO, "--split grey --lr -0.1", r"rate is a number above 0; got -0.1"),
    ("unknown transform", TWO, "--augment mirror", r"augment: .* got 'mirror'"),
    ("option of none", TWO, "--augment random-flip:angle=3", r"random-flip are prob.* got 'angle'"),
    ("no pair", TWO, "--augment random-flip:angle", r"written KEY=VALUE; got 'angle'"),
    ("no pair for the optimiser", TWO, "--optimiser-option eps", r"KEY=VALUE; got 'eps'"),
    ("option of another optimiser", TWO, "--optimiser-option nesterov=True",
     r"options of adam are .* got 'nesterov'"),
    ("option of another network", TWO, "--option wings=2", r"known options are .* got 'wings'"),
    ("unknown schedule", TWO, "--schedule steep", r"schedules: .* got 'steep'"),
    ("no parts", TWO, "--accumulate 0", r"parts of a batch is a whole number .* got 0"),
    ("no patience", TWO, "--patience 0", r"from 1 up; got 0\. With none all epochs"),
    ("no norm", TWO, "--clip 0", r"above 0; got 0\.0\. With none they are left as they are"),
    ("no number", TWO, "--clip off", r"'off' is no number, and not 'none'"),
    ("no decay", TWO, "--average 1", r"average lies in \[0, 1\); got 1\.0\. With none"),
    ("shift out of sight", TWO, "--split grey --shift 32", r"shorter than .* 32 pixels .* got 32"),
    ("negative shift", TWO, "--shift -1", r"the shift is a whole number from 0 up; got -1"),
    ("no workers", TWO, "--workers -1", r"workers is a whole number from 0 up; got -1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "options", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_bad_input_is_told_in_one_line(
    make: Make,
    options: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, run = tmp_path / "images", tmp_path / "run"
    make(root)
    chosen = ["--data", "folder", "--data-dir", str(root), "--batch-size", "8", "--epochs", "1"]
    arguments = ["train", "lenet5", *chosen, "--run-dir", str(run), "--quiet", *options.split()]
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("tinygrad-cnn: ")
    assert told.err.count("\n") == 1
    assert re.search(message, told.err), told.err
    assert not run.exists()


def test_grey_and_transparent_pictures_among_coloured_ones_are_brought_to_one_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures("cat", "dog", modes=("RGB", "L", "RGBA", "P"))(tmp_path / "images")
    arguments = ["--data", "folder", "--data-dir", str(tmp_path / "images"), "--split", "grey"]
    options = ["--batch-size", "8", "--epochs", "1", "--quiet", "--run-dir", str(tmp_path / "run")]
    assert main(["train", "lenet5", *arguments, *options]) == 0
    assert "of 4)" in capsys.readouterr().out
