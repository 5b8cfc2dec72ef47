"""``tinygrad-cnn explain maps``, ``saliency`` and ``field``: what they print, write and refuse."""

from pathlib import Path

import pytest

from tinygrad_cnn.cli import main

BATCH = ["--batch-size", "2"]

WRITTEN = [
    ("maps lenet5 --element C1", "C1: 6 maps 28x28, from "),
    ("maps lenet5 --filters --parameter C3.weight", "C3.weight: 16 filters 6x5x5, from "),
    ("saliency lenet5 --image 1 --label 3", "score of class 3: "),
    ("saliency lenet5 --grad-cam --layer C3", "Grad-CAM of C3, 16 maps 10x10: "),
    ("saliency lenet5 --activation relu --guided", "guided backpropagation: at most "),
    ("field lenet5 --element S4 --index 1,3,2,2", "S4[1,3,2,2] depends on"),
    ("field resnet18 --twin --element layer1.0.add", "layer1.0.add[0,0,4,4] depends on"),
    ("field lenet5 --parameter C1.weight --index 0,0,2,2", "errors reach C1.weight[0,0,2,2] from"),
    ("field lenet5 --parameter image --index 0,0,9,9", "errors reach image[0,0,9,9] from"),
]


@pytest.mark.parametrize(("arguments", "said"), WRITTEN, ids=[row[0] for row in WRITTEN])
def test_what_is_said_and_drawn(
    arguments: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sheet.svg"
    assert main(["explain", *arguments.split(), *BATCH, "--write", str(file)]) == 0
    text = capsys.readouterr().out
    assert said in text
    assert "2 test images of digits" in text.splitlines()[0]
    assert text.endswith(f"picture: {file}\n")
    assert file.read_text(encoding="utf-8").startswith('<svg class="sight"')


def test_a_trained_network_can_be_asked(
    tmp_path: Path, few: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    assert main([*few, "--run-dir", run, "--quiet"]) == 0
    capsys.readouterr()
    assert main(["explain", "saliency", run, *BATCH]) == 0
    assert f"lenet5 as {run} trained it, on 2 test images" in capsys.readouterr().out
    assert main(["explain", "saliency", run, "--twin", *BATCH]) == 2
    assert "--twin: a trained network is what it is; got the run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("field lenet5", "it takes --element or --parameter, one of the two"),
        ("field lenet5 --element C1 --parameter C1.weight", "one of the two"),
        ("field lenet5 --element C9", "known names are C1, sigmoid(C1), S2, C3"),
        ("field lenet5 --element C3 --index 0,0,99,0", "got (0, 0, 99, 0)"),
        ("field lenet5 --element C3 --index x", "--index: it is whole numbers"),
        ("field lenet5 --parameter C1.wight --index 0", "Did you mean 'C1.weight'?"),
        ("field lenet5 --parameter C1.weight", "has a number for each axis"),
        ("saliency lenet5 --label 10", "the classes of this network are 0 to 9; got 10"),
        ("saliency lenet5 --image 2", "the images are 0 to 1; got 2. --batch-size takes more"),
        ("saliency lenet5 --layer C1", "--layer: it goes with --grad-cam"),
        ("saliency lenet5 --grad-cam --guided", "--guided: it goes without --grad-cam"),
        ("saliency lenet5 --guided", "got a network of conv2d, sigmoid"),
        ("saliency lenet5 --grad-cam --layer F6", "got F6, of shape (1, 84)"),
        ("maps lenet5 --element F6", "got F6, of shape (1, 84)"),
        ("maps lenet5 --parameter C1.weight", "--parameter: it goes with --filters"),
        ("maps lenet5 --filters --element C1", "--element: it goes without --filters"),
        ("maps nowhere --write x.pdf", ".html, .svg or .png; got 'x.pdf'"),
        (
            "maps nowhere --write no/x.png",
            "maps: FILE lies in a folder that exists; got",
        ),
        ("maps nowhere", "got 'nowhere'"),
    ],
)
def test_bad_requests_are_answered_in_one_sentence(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments.split(), *BATCH]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
