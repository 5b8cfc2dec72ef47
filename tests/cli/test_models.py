"""``tinygrad-cnn models``."""

import contextlib
import io
import time

import pytest

from tinygrad_cnn import models
from tinygrad_cnn.cli import main


@pytest.fixture(scope="module")
def listed() -> tuple[str, float]:
    """Return the list, and the seconds that the processor took for it."""
    text, started = io.StringIO(), time.process_time()
    with contextlib.redirect_stdout(text):
        assert main(["models"]) == 0
    return text.getvalue(), time.process_time() - started


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["models", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_every_network_has_a_line(listed: tuple[str, float]) -> None:
    head, *lines = listed[0].splitlines()
    assert head.split() == ["name", "paper", "input", "classes", "parameters", "multiply-adds"]
    rows = [line for line in lines if line.strip("─━ ")]
    assert {line.split()[0] for line in rows} == set(models.names())
    assert len(rows) == len(models.names())


def test_a_line_says_what_a_network_costs(listed: tuple[str, float]) -> None:
    (line,) = [text for text in listed[0].splitlines() if text.split()[0] == "alexnet"]
    assert "Krizhevsky et al., NIPS 2012" in line
    assert line.split()[-4:] == ["3x227x227", "1,000", "62,378,344", "1,135,256,096"]


def test_numbers_in_names_are_sorted_as_numbers(listed: tuple[str, float]) -> None:
    names = [line.split()[0] for line in listed[0].splitlines()]
    depths = [name for name in names if name.startswith("vgg") and name[3:].isdigit()]
    assert depths == ["vgg11", "vgg13", "vgg16", "vgg19"]


def test_the_list_is_there_soon(listed: tuple[str, float]) -> None:
    assert listed[1] < 3.0


def test_a_network_is_told_layer_by_layer(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "alexnet_original")
    assert text.startswith("alexnet_original: Krizhevsky et al., NIPS 2012\n")
    rows = {words[0]: words for line in text.splitlines() if (words := line.split())}
    assert rows["conv1"] == [
        "conv1", "Conv2d", "1x96x55x55", "34,944", "105,415,200", "105,415,200", "105,415,200",
        "1,161,600", "11x11",
    ]  # fmt: skip
    assert rows["conv2"][3:5] == ["307,456", "223,948,800"]
    assert "60,965,224 trained parameters" in text


def test_a_twin_can_be_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "alexnet", "--twin")
    assert text.startswith("alexnet (its tiny twin): Krizhevsky")
    assert "input 2x3x67x67" in text


def test_the_twin_of_a_network_with_batch_norm_can_be_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "2x64x1x1" in told(capsys, "resnet18", "--twin")


def test_recomputation_keeps_a_tenth_of_the_memory_of_resnet1202(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = told(capsys, "resnet1202", "--batch", "128")
    assert "kept for the walk back: 11,762,792,576 bytes" in plain
    short = told(capsys, "resnet1202", "--batch", "128", "--option", "recompute=14")
    assert "kept for the walk back: 1,266,220,672 bytes" in short


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vgg61"], "got 'vgg61'. Did you mean 'vgg19' or 'vgg16' or 'vgg13'?"),
        (["nothing_like_it"], "lists; got 'nothing_like_it'\n"),
        (["--twin"], "Name the network that is meant."),
        (["--batch", "2"], "Name the network that is meant."),
        (["vgg16", "--batch", "0"], "'--batch': 0 is not in the range"),
        (["vgg16", "--twin", "--option", "width=0.5"], "A twin has options of its own."),
        (["resnet50", "--option", "stride_in"], "written KEY=VALUE; got 'stride_in'"),
        (["resnet50", "--option", "stride=2"], "resnet50: the known options are num_classes, "),
        (["nin", "--option", "num_classes=0"], "nin: num_classes is a positive integer; got 0"),
        (["nin", "--option", "num_classes=True"], "is a positive integer; got True"),
        (["nin", "--option", "width=0"], "models: width is a finite number above 0; got 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
