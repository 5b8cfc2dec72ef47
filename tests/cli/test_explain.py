"""``tinygrad-cnn explain``: what it prints and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.cli import main
from tinygrad_cnn.cli.explain import EXPLAIN_COMMANDS
from tinygrad_cnn.cli.explain_commands.explained_run import in_channels
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain import GraphDump

BATCH = ["--batch-size", "1"]


@pytest.mark.parametrize("command", sorted(EXPLAIN_COMMANDS))
def test_every_command_of_the_table_exists(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", command, "--help"]) == 0
    assert f"tinygrad-cnn explain {command}" in capsys.readouterr().out


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
    ("arguments", "head", "elements"),
    [
        ("lab11_cnn2", "lab11_cnn2, 50,186 parameters", ("conv1.conv2d", "fc.affine")),
        ("dlt_cnn", "dlt_cnn, 3,898 parameters", ("squash5.sigmoid", "squared_error")),
        ("lenet5_original", "lenet5_original, 60,000", ("output.squared_distances", "rbf_loss")),
        ("allcnn_c --twin", "allcnn_c (its tiny twin), 22,042", ("conv9.conv2d", "average")),
        ("vgg11_bn --twin", "vgg11_bn (its tiny twin)", ("features.1.batch_norm", "classifier.6")),
    ],
)
def test_other_networks_get_images_of_their_size(
    arguments: str, head: str, elements: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments.split(), "--batch-size", "2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(head)
    assert "on 2 test images of digits" in text.splitlines()[0]
    forward, backward = text.split("\nbackward\n")
    for label in elements:
        assert label in forward
        assert label in backward


def test_coloured_images_are_not_fed_to_a_network_for_grey_ones() -> None:
    images = np.zeros((2, 3, 8, 8), np.float32)
    assert in_channels(images, 3, "nin", "cifar10") is images
    assert in_channels(images[:, :1], 3, "nin", "digits").shape == (2, 3, 8, 8)
    with pytest.raises(
        OptionError, match="lenet5 takes images with 1 channels; got cifar10 with 3"
    ):
        in_channels(images, 1, "lenet5", "cifar10")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet9"], "lists; got 'lenet9'. Did you mean 'lenet5'"),
        (["lenet5", "--seed", "-1"], "a whole number from 0 up; got -1"),
        (["lenet5", "--batch-size", "0"], "at least one image; got 0"),
        (["lenet5", "--columns", "flops"], "among time, bytes, multiply-adds, kernel; got 'flops'"),
        (["lenet5", "--data", "letters"], "got 'letters'"),
        (["lenet5", "--variant", "original", "--pool", "max"], "got pool=max"),
        (["lenet5", "--twin", "--pool", "max"], "a twin has its own options; got --pool too"),
        (["nin", "--variant", "original"], "nin: the known options are num_classes, width"),
        ([], "Missing argument 'MODEL'"),
        (["gradchek", "lenet5"], "No command 'gradchek'. Did you mean 'gradcheck'?"),
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


def test_dump_writes_a_document_that_tells_the_same_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lenet5.json"
    assert main(["explain", "write", "lenet5", str(file), "--batch-size", "2"]) == 0
    assert capsys.readouterr().out.endswith(f"13 elements written to {file}\n")
    assert main(["explain", "story", "lenet5", "--batch-size", "2"]) == 0
    headline, told = capsys.readouterr().out.split("\n\n", 1)
    graph = GraphDump.load(file)
    assert graph.title == headline
    assert tg.explain.story(graph) == told.rstrip("\n")


def test_dump_says_where_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, message in {
        "nowhere/lenet5.json": "explain write: FILE lies in a folder that exists; got ",
        f"{'x' * 300}.json": "has to be written; got File name too long",
        f"{'x' * 300}.svg": "has to be written; got File name too long",
    }.items():
        arguments = ["explain", "write", "lenet5", str(tmp_path / name), "--batch-size", "1"]
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        (".html", "<!doctype html>"),
        (".svg", "<svg"),
        (".md", "#"),
        (".tex", "\\documentclass"),
        (".dot", "digraph"),
        (".txt", "composite function of 13 elements"),
    ],
)
def test_write_makes_what_the_ending_names(
    ending: str, begins: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"lenet5{ending}"
    assert main(["explain", "write", "lenet5", str(file), "--batch-size", "1"]) == 0
    assert capsys.readouterr().out.endswith(f"13 elements written to {file}\n")
    assert file.read_text(encoding="utf-8").lower().startswith(begins)


def test_diff_tells_what_two_runs_differ_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(tmp_path / f"{name}.json") for name in ("sigmoid", "relu")]
    for file, name in zip(files, ("sigmoid", "relu"), strict=True):
        main(["explain", "write", "lenet5", file, "--batch-size", "1", "--activation", name])
    capsys.readouterr()
    assert main(["explain", "diff", *files]) == 0
    told = capsys.readouterr().out
    assert told.startswith("13 elements in both; 0 added, 0 removed")
    assert "elements part at 2: relu element sigmoid → relu\n" in told
    assert main(["explain", "diff", *files, "--brief"]) == 0
    assert capsys.readouterr().out == told.partition("\n\n")[0] + "\n"
    assert main(["explain", "diff", *files, "--least-ratio", "1000"]) == 0
    assert " 0 figures moved by" in capsys.readouterr().out


def test_derive_writes_the_chain_rule_of_one_weight(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", "derive", "lenet5", "C3.weight", "--index", "2,0,1,1"]
    assert main([*arguments, "--batch-size", "1"]) == 0
    assert "∂L/∂C3.weight[2,0,1,1]" in capsys.readouterr().out


def test_zoom_takes_one_number_apart(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", "zoom", "lenet5", "C3", "--index", "0,2,4,5", "--batch-size", "1"]
    assert main(arguments) == 0
    assert "scalar elements" in capsys.readouterr().out


def test_paths_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "paths", "resnet20", "--twin", "--batch-size", "1"]) == 0
    assert "cancellation" in capsys.readouterr().out


def test_atlas_shows_a_network_or_compares_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lenet5.html"
    assert main(["explain", "atlas", "lenet5", str(file), *BATCH, "--channels", "0,3"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("lenet5, 61,706 parameters")
    assert told.endswith(f"written to {file}\n")
    assert "channel 3" in file.read_text(encoding="utf-8")
    few = ["--steps", "0", *BATCH]
    file = tmp_path / "atlas.svg"
    assert main(["explain", "atlas", "--preset", "lenet5-sigmoid-relu", str(file), *few]) == 0
    assert "ReLU" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("atlas lenet5", "it takes MODEL and FILE, or with --preset FILE alone; got lenet5"),
        ("atlas --preset se-gates", "MODEL and FILE, or with --preset FILE alone; got neither"),
        ("atlas --preset se-gates no/a.html", "FILE lies in a folder that exists; got 'no/a.html'"),
        ("atlas lenet5 lenet5.pdf", "FILE ends in .html, .svg or .txt; got 'lenet5.pdf'"),
        (
            "atlas --preset gates a.html",
            "the known names are lenet5-sigmoid-relu, plain34-resnet34",
        ),
        ("atlas lenet5 a.html --steps 3", "--steps: it goes with --preset; got 3"),
        ("atlas --preset se-gates a.html --lr 1", "--lr: it goes with MODEL; got 1.0"),
        ("atlas lenet5 a.html --image 16", "images of this batch are 0 to 0; got image 16"),
        ("atlas lenet5 a.html --channels 0,16", "this network are 0 to 15; got channel 16"),
        ("atlas lenet5 a.html --channels red", "whole numbers with commas, such as 0,3; got 'red'"),
        ("write lenet5 lenet5.pdf", "a file ends in .html, .svg, .md, .tex, .dot, .txt or .json"),
        ("write lenet5", "Missing argument 'FILE'"),
        ("diff . .", "'.' is a directory"),
        ("diff nowhere.json nowhere.json", "nowhere.json' does not exist"),
        ("derive lenet5 C9.weight", "C9.weight"),
        ("derive lenet5 C3.weight --index 99,0,0,0", "99"),
        ("derive lenet5 C3.weight --index a,b", "--index: it is whole numbers"),
        ("derive lenet5 C3.weight --form pdf", "--form: it is one of text"),
        ("zoom lenet5 C3 --index 0,2", "index"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments.split(), *([] if "diff" in arguments else BATCH)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
