"""``tinygrad-cnn explain``: what it prints and what it refuses."""

import pytest

from tinygrad_cnn.cli import main


def test_every_element_of_lenet5_is_told_forward_and_backward(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain", "lenet5", "--batch-size", "2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(
        "lenet5, 61,706 parameters drawn with seed 0, on 2 test images of digits"
    )
    forward, backward = text.split("\nbackward\n")
    for label in ("C1.conv2d", "S2.avg_pool2d", "C3.conv2d", "C5.affine", "output.affine"):
        assert label in forward
        assert label in backward
    assert "‖∇C1.weight‖" in backward
    assert "note:" not in text


def test_the_same_seed_tells_the_same_story(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for seed in ("1", "1", "2"):
        assert main(["explain", "lenet5", "--batch-size", "2", "--seed", seed]) == 0
        texts.append(capsys.readouterr().out.split("\n", 1)[1])
    assert texts[0] == texts[1] != texts[2]


def test_the_literal_form_is_said_to_hold_one_linear_map(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain", "lenet5", "--batch-size", "1", "--sigmoid-after", "conv"]) == 0
    note = "C5.affine, F6.affine and output.affine have nothing non-linear between them"
    assert note in capsys.readouterr().out


def test_columns_and_structure_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", "lenet5", "--batch-size", "1", "--columns", "time, bytes,kernel"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "conv2d_grad_weight:direct" in text
    assert "µs" in text
    assert main(["explain", "lenet5", "--batch-size", "1", "--structure"]) == 0
    assert "not kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet9"], "known names are lenet5; got 'lenet9'"),
        (["lenet5", "--seed", "-1"], "a whole number from 0 up; got -1"),
        (["lenet5", "--batch-size", "0"], "at least one image; got 0"),
        (["lenet5", "--columns", "flops"], "among time, bytes, multiply-adds, kernel; got 'flops'"),
        (["lenet5", "--data", "letters"], "got 'letters'"),
        (["lenet5", "--variant", "original", "--pool", "max"], "got pool=max"),
        ([], "Missing argument 'MODEL'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert told.err.count("\n") == 1
