import json
import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.cli import main
from tinygrad_cnn.train.answers import open_run, probabilities

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name a run that has seen the digits for three epochs."""
    path = str(tmp_path_factory.mktemp("runs") / "run")
    assert main(["train", "lenet5", "--epochs", "3", "--run-dir", path, "--quiet"]) == 0
    return path


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Name a folder with test images 0 to 5 of the digits, of several kinds of pixels."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for index, mode in enumerate(("L", "RGB", "RGBA", "P", "L", "RGB")):
        pixels = np.round(data.load_digits().test.images[index, 0] * (255 / 16)).astype(np.uint8)
        image = Image.fromarray(pixels).convert("RGB" if mode == "P" else mode)
        if mode == "P":
            image = image.quantize(256)
        image.save(folder / f"{index}.png")
    return folder


def test_answers_are_those_of_the_network(
    run: str, scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["predict", run, str(scans), "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    answers = json.loads(told.out)
    expected = probabilities(open_run(run).network, data.load("digits").test.images[:6])
    assert [Path(answer["file"]).name for answer in answers] == [f"{i}.png" for i in range(6)]
    for answer, row in zip(answers, expected, strict=True):
        best = row.argsort()[::-1]
        assert answer["answer"] == str(best[0])
        assert answer["second"] == str(best[1])
        assert answer["probability"] == pytest.approx(row[best[0]], abs=0.01)
        assert answer["second_probability"] == pytest.approx(row[best[1]], abs=0.01)


def test_the_table(run: str, scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["predict", run, str(scans / "1.png"), str(scans / "0.png")]) == 0
    heading, _, first, second = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "file",
        "answer",
        *["probability", "second", "answer", "its", "probability"],
    ]
    assert re.search(r"1\.png +\d +\d+\.\d % +\d +\d+\.\d %$", first)
    assert "0.png" in second


def test_bad_files_are_told_one_by_one_and_the_others_answered(
    run: str, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(whole).save(scans / "cut.jpg")
    (scans / "cut.jpg").write_bytes((scans / "cut.jpg").read_bytes()[:900])
    (scans / "text.png").write_text("no image")
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(scans / "deep.png")
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    places = [str(scans), str(tmp_path / "empty"), "nowhere.png"]
    assert main(["predict", run, *places, "--json"]) == 2
    told = capsys.readouterr()
    assert len(json.loads(told.out)) == 6
    lines = told.err.splitlines()
    assert all(line.startswith("tinygrad-cnn: ") for line in lines)
    for bad in ("cut.jpg", "text.png", "deep.png", "empty", "nowhere.png"):
        assert sum(bad in line for line in lines) == 1
    assert len(lines) == 5


def test_ink_on_paper(run: str, scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in scans.iterdir():
        pixels = 255 - np.asarray(Image.open(path).convert("L"))
        Image.fromarray(pixels).resize((80, 80)).save(path)
    capsys.readouterr()
    assert main(["predict", run, str(scans)]) == 0
    assert re.search(
        r"6 of 6 images have a light border.*: try --invert\n$", capsys.readouterr().err
    )
    assert main(["predict", run, str(scans), "--invert"]) == 0
    assert capsys.readouterr().err == ""


REFUSED = [
    (["predict", "nowhere", "a.png"], r"holds checkpoint.safetensors; got none in nowhere"),
    (["predict", "nowhere"], r"Missing argument 'IMAGE\.\.\.'"),
    (["predict"], r"Missing argument 'RUN'"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refusals_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert re.search(message, told.err)


def test_nothing_to_answer(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["predict", run, "nowhere.png"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
