"""``tinygrad-cnn explain gradcheck``, ``orders``, ``lengths``, ``contributions``, ``toolbox``."""

import pytest

from tinygrad_cnn.cli import main

TWIN = ["--twin", "--batch-size", "1"]


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["explain", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("single", "verdict"), [(False, "right"), (True, "precision")])
def test_gradcheck_gives_each_parameter_a_verdict(
    single: bool, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--parameter", "C1.bias", "--parameter", "F6.weight", "--limit", "2"]
    text = told(["gradcheck", "lenet5", *TWIN, *asked, *["--single"] * single], capsys)
    head, _, table = text.split("\n", 2)
    assert head.startswith("lenet5 (its tiny twin), 61,706 parameters drawn with seed 0, on 1 test")
    assert table.startswith(f"gradcheck of loss (element 'cross_entropy'): {verdict}\n")
    rows = [row.split() for row in table.splitlines()[2:4]]
    assert [row[:5] for row in rows] == [
        ["C1.bias", "6", "float32" if single else "float64", verdict, "2"],
        ["F6.weight", "84x120", "float32" if single else "float64", verdict, "2"],
    ]
    assert ("the same in double precision: right" in table) == single
    assert ("← best" in table) == single


def test_orders_shows_what_three_naive_walks_leave(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(["orders", "resnet20", *TWIN], capsys)
    rows = {row.split()[0]: row for row in text.splitlines() if row.startswith("  ")}
    assert rows["conv1.weight"].count("WRONG") == 2
    assert rows["linear.bias"].count("WRONG") == 0
    assert rows["elements"].split() == ["elements", "run", "32", "32", "83", "83"]
    text = told(["orders", "resnet20", *TWIN, "--limit", "50"], capsys)
    assert text.count("not run") == 2 * (len(rows) - 2)  # all rows but the head and the last


def test_lengths_splits_the_first_parameter_or_those_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = told(["lengths", "resnet20", *TWIN], capsys)
    assert text.splitlines()[2] == "3 residual additions"
    counts = [row.split()[:2] for row in text.splitlines()[6:]]
    assert counts == [["0", "1"], ["1", "3"], ["2", "3"], ["3", "1"]]
    text = told(["lengths", "resnet20", *TWIN, "linear.bias", "layer3.0.bn1.bias"], capsys)
    assert "δ of conv1.weight" not in text
    assert text.index("δ of linear.bias") < text.index("δ of layer3.0.bn1.bias")


def test_contributions_has_a_table_for_each_dense_block(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = told(["contributions", "densenet121", *TWIN], capsys)
    assert text.count("‖part of δ‖ by the element that sent it") == 4
    assert "r4 = features.transition3.norm.batch_norm" in text


def test_toolbox_needs_no_network(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(["toolbox"], capsys)
    assert "rot180(k)" in text
    assert text == told(["toolbox", "--seed", "0"], capsys)
    assert text != told(["toolbox", "--seed", "1"], capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("gradcheck lenet5 --limit 0", "--limit: there is at least one number of each; got 0"),
        (
            "gradcheck lenet5 --parameter C9.weight",
            "gradcheck_network: the known names are C1.weight, C1.bias, C3.weight, .*; got "
            "'C9.weight'. Did you mean",
        ),
        ("orders lenet5 --limit 0", "compare_orders: limit is a positive number; got 0"),
        ("lengths resnet20 nowhere", "explain lengths: the known names are conv1.weight"),
        ("contributions lenet5", "a graph of 13 elements without a concatenation"),
        ("toolbox --seed -1", "--seed: a seed is a whole number from 0 up; got -1"),
        ("toolbox lenet5", "unexpected extra argument"),
        ("orders", "Missing argument 'MODEL'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = arguments.split()
    assert main(["explain", command, *rest, *(TWIN if rest and command != "toolbox" else [])]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert all(part in said.err for part in message.split(".*"))
