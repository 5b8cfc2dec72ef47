"""``tinygrad-cnn explain faults``, ``break``, ``diagnose`` and ``hit-rate``."""

from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn.cli import main
from tinygrad_cnn.explain import FAULTS

LENET = ["lenet5", "--batch-size", "2"]


def test_faults_are_listed_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "faults"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FAULTS)
    assert main(["explain", "faults", "kernel_not_turned", "step_uphill"]) == 0
    text = capsys.readouterr().out
    assert "rot180(w)" in text
    assert "θ ← θ + α v" in text


def test_a_training_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "broken.html"
    assert main(["explain", "break", "loss_sign_turned", "--epochs", "1", "--html", str(page)]) == 0
    text = capsys.readouterr().out
    assert "It learns nothing" in text
    assert "It learns nothing" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["mean_without_share", "kernel_not_turned", "step_uphill"])
def test_a_fault_is_found_in_a_model(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "diagnose", *LENET, "--fault", name]) == 0
    assert f"diagnosis: {name}, first at" in capsys.readouterr().out


def test_a_model_without_one_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "diagnose", *LENET]) == 0
    text = capsys.readouterr().out
    assert text.count("diagnosis: no fault found") == 2
    assert "rate 0.001, momentum 0.9" in text
    assert main(["explain", "diagnose", *LENET, "--fault", "max_to_all_places"]) == 0
    text = capsys.readouterr().out
    assert "max_to_all_places changes nothing here: it touches max_pool2d" in text


def test_gradients_of_a_file_are_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.npz"
    np.savez(file, **{"output.bias": np.ones(10)})
    assert main(["explain", "diagnose", *LENET, "--gradients", str(file)]) == 0
    assert "wrong at ∇output.bias" in capsys.readouterr().out


def test_the_hit_rate_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "hit-rate", "--nets", "1", "relu_mask_left_out"]) == 0
    assert "1 network with a fault: 100.0% named first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["faults", "x"], "explain faults: the known names are kernel_not_turned"),
        (["break", "x"], "the known names are kernel_not_turned"),
        (["break", "step_uphill", "--html", "a.svg"], "the page is a file .html; got 'a.svg'"),
        (
            ["break", "x", "--html", "no/a.html"],
            "in a folder that exists; got 'no/a.html'",
        ),
        (["break", "step_uphill", "--epochs", "0"], "epochs is a whole number from 1 up"),
        (["diagnose", *LENET, "--fault", "x"], "explain diagnose: the known names are"),
        (["diagnose", "nothing"], "the known names are"),
        (["diagnose", *LENET, "--gradients", __file__], "an .npz file of numpy.savez"),
        (["hit-rate", "--nets", "0"], "nets is a whole number from 1 up; got 0"),
    ],
)
def test_bad_requests_get_a_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
