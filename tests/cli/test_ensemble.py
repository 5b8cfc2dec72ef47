import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.cli import main
from tinygrad_cnn.train.answers import open_run, probabilities
from tinygrad_cnn.train.ensemble import viewed_probabilities
from tinygrad_cnn.train.paired import Right, paired

EPOCHS = "3"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Name three runs over the digits that differ by their seed."""
    folder = tmp_path_factory.mktemp("runs")
    paths = [str(folder / f"seed{seed}") for seed in range(3)]
    for seed, path in enumerate(paths):
        options = ["--epochs", EPOCHS, "--seed", str(seed), "--run-dir", path, "--quiet"]
        assert main(["train", "lenet5", *options]) == 0
    return paths


def told_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[list[str]]:
    """Return the blocks that `ensemble` prints, as lines."""
    capsys.readouterr()
    assert main(["ensemble", *arguments]) == 0
    return [block.splitlines() for block in capsys.readouterr().out.split("\n\n")]


def answers_right(run: str, crops: int = 1) -> Right:
    test = data.load("digits").test
    shares = viewed_probabilities(open_run(run).network, test.images, crops)
    right: Right = shares.argmax(1) == test.labels
    return right


def changes(before: Right, after: Right) -> str:
    """Return what a row of changes matches."""
    mended, spoiled = np.count_nonzero(~before & after), np.count_nonzero(before & ~after)
    points = re.escape(f"{100 * (mended - spoiled) / 359:+.2f}")
    return rf" {mended} +{spoiled} +{points} "


def test_networks_together(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    table, caption, against, legend, (last,) = told_by(capsys, *runs)
    test = data.load("digits").test
    shares = [probabilities(open_run(run).network, test.images) for run in runs]
    right = [own.argmax(1) == test.labels for own in shares]
    together = np.mean(shares, 0).argmax(1) == test.labels
    for run, line, own in zip(runs, table[2:], right, strict=False):
        assert run in line
        assert f"({own.sum()} of 359)" in line
    assert re.search(rf"together +\d+\.\d % \({together.sum()} of 359\)", table[-1])
    assert caption == ["3 networks together in place of one network:"]
    for run, line, own in zip(runs, against[2:], right, strict=True):
        assert re.search(re.escape(run) + " +" + changes(own, together), line)
    assert "McNemar" in legend[-1]
    points = 100 * (together.sum() - np.sum(right) / 3) / 359
    assert points > 1.0  # after three epochs each errs on digits of its own
    assert f"{points:+.2f} points; {359 - together.sum()} of 359 wrong" in last


def test_json_and_views(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["ensemble", *runs[:2], "--crops", "5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [member["run"] for member in told["members"]] == runs[:2]
    mean = np.mean([member["accuracy"] for member in told["members"]])
    assert told["improvement"] == pytest.approx(told["accuracy"] - mean)
    assert (told["crops"], told["images"]) == (5, 359)
    for member in told["members"]:
        before, after = answers_right(member["run"]), answers_right(member["run"], 5)
        assert member["accuracy_with_views"] == after.mean()
        assert member["changed_by_views"] == {
            "mended": np.count_nonzero(~before & after),
            "spoiled": np.count_nonzero(before & ~after),
            "p_value": paired(before, after).p_value,
        }
        by_all = member["changed_by_all"]
        gain = (by_all["mended"] - by_all["spoiled"]) / 359
        assert gain == pytest.approx(told["accuracy"] - member["accuracy"])


def test_one_network_and_its_views(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (heading, _, row), legend, (last,) = told_by(capsys, runs[0], "--crops", "5")
    assert re.split(r"  +", heading.strip()) == [
        "network", "one view", "5 views", "mended", "spoiled", "points", "p-value",
    ]  # fmt: skip
    assert row.count("of 359") == 2
    assert re.search(changes(answers_right(runs[0]), answers_right(runs[0], 5)), row)
    assert len(legend) == 2
    assert last.startswith("1 network, 5 views: ")


def test_networks_and_views_together(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    table, caption, against, _, (last,) = told_by(capsys, *runs, "--crops", "10", "--moved", "2")
    assert [line.count("of 359") for line in table[2:]] == [2, 2, 2, 0, 2]
    assert caption == ["3 networks together, 10 views, in place of one network and one view:"]
    assert len(against) == 5
    assert last.startswith("3 networks together, 10 views: ")


def test_views_that_training_did_not_show(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["ensemble", *runs[:2], "--crops", "5", "--moved", "2"]) == 0
    assert capsys.readouterr().err == ""  # the recipe moves digits by so much
    assert main(["ensemble", *runs[:2], "--crops", "10", "--moved", "3", "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == (
        f"tinygrad-cnn: {runs[0]}, {runs[1]}: not trained on mirror images, nor on images moved by "
        "more than 2 pixels, so such views may harm more than they help\n"
    )
    facts = json.loads(told.out)
    assert facts["accuracy"] < facts["accuracy_with_one_view"]


def test_one_network_and_one_view_change_nothing(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    table, (last,) = told_by(capsys, runs[0])
    assert len(table) == 3
    assert "against one network and one view +0.00 points" in last


def test_pictures(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ensemble", runs[0], "--plots", str(tmp_path / "one")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"drawn: curves\.png, .*feature_maps\.png in .*one", last)
    assert main(["ensemble", *runs, "--json", "--plots", str(tmp_path / "all")]) == 0
    json.loads(capsys.readouterr().out)
    names = ["confusion.png", "curves.png", "feature_maps.png", "filters.png", "mistakes.png"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == names
    names.remove("curves.png")
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == names


REFUSED = [
    (["--crops", "3"], r"crops is one of 1, 2, 5, 10; got 3"),
    (["--crops", "5", "--moved", "0"], r"moved by 1 pixel or more; got 0"),
    (["nowhere"], r"holds checkpoint.safetensors; got none in nowhere"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_refusals_are_one_line(
    options: list[str], message: str, runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["ensemble", runs[0], *options]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert re.search(message, told.err)


def test_networks_of_other_images_are_refused(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(tmp_path / "other")
    options = ["--epochs", "1", "--split", "writers", "--run-dir", other, "--quiet"]
    assert main(["train", "lenet5", *options]) == 0
    capsys.readouterr()
    assert main(["ensemble", runs[0], other]) == 2
    assert re.search(
        r"made with the same images; got digits \w+ in .* digits \(writers\) \w+ in ",
        capsys.readouterr().err,
    )


def trained_on(data_dir: Path, model: str, run: Path) -> str:
    where = ["--data", "mnist", "--data-dir", str(data_dir), "--batch-size", "8"]
    assert main(["train", model, *where, "--epochs", "1", "--quiet", "--run-dir", str(run)]) == 0
    return str(run)


def test_networks_that_take_images_of_other_sizes(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lenet = trained_on(data_dir, "lenet5", tmp_path / "lenet")  # 32x32
    lab = trained_on(data_dir, "lab11_cnn2", tmp_path / "lab")  # 28x28
    capsys.readouterr()
    assert main(["ensemble", lab, lenet, lab, "--json"]) == 0
    members = json.loads(capsys.readouterr().out)["members"]
    for run, member in zip((lab, lenet, lab), members, strict=True):
        assert main(["eval", run]) == 0
        assert f"({round(12 * member['accuracy'])} of 12)" in capsys.readouterr().out

    others = tmp_path / "others"
    shutil.copytree(data_dir, others)
    labels = others / "mnist" / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:8] + bytes(range(10)) + bytes(2))
    other = trained_on(others, "lab11_cnn2", tmp_path / "other")
    for runs in ([lenet, other], [other, lenet], [lab, other], [lenet, lab, other]):
        capsys.readouterr()
        assert main(["ensemble", *runs]) == 2
        assert "made with the same images" in capsys.readouterr().err


def test_a_run_without_a_step_is_no_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tinygrad_cnn.train import new_run

    new_run("lenet5", run_dir=tmp_path / "begun").directory.lock.release()
    assert main(["ensemble", str(tmp_path / "begun")]) == 2
    assert "got a run without a step" in capsys.readouterr().err
