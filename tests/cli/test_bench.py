"""``tinygrad-cnn bench``: tables, files, and mistakes told in one line."""

import json
from functools import partial
from pathlib import Path

import pytest

from tinygrad_cnn import lab
from tinygrad_cnn.cli import main
from tinygrad_cnn.cli.bench_tables import train_report
from tinygrad_cnn.kernels.geometry import Convolution, Window


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = {3: Window(3, 3, ph=1, pw=1), 4: Window(3, 3), 5: Window(5, 5), 6: Window(1, 1)}
    layers = {Convolution(2, 6, 6, 16, k, window): ("net",) for k, window in windows.items()}
    monkeypatch.setattr(lab, "conv_layers", lambda names=(): layers)
    subject = lab.TrainSubject("lenet5", 1, (1, 32, 32))
    monkeypatch.setattr(lab, "train_subjects", lambda names=(): (subject,))


def test_without_a_command_variants_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    shown = capsys.readouterr().out
    assert "ours, direct (default)" in shown
    assert "ours, im2col" in shown
    assert "thread(s) for everybody, measured peak" in shown
    assert "pytorch, NCHW" not in shown


def test_conv_prints_tables_and_writes_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "figures.json"
    options = ["--repeats", "1", "--threads", "1", "--no-pytorch", "--json", str(target)]
    assert main(["bench", "conv", *options]) == 0
    shown = capsys.readouterr().out
    assert "2 x 16→3, 6x6, kernel 3x3, padding 1  (net)" in shown
    assert "highest share of the peak, direct without padding: " in shown
    content = json.loads(target.read_text(encoding="utf-8"))
    assert content["machine"]["threads"] == 1
    assert {row["step"] for row in content["rows"]} == {
        "conv2d_forward", "conv2d_grad_input", "conv2d_grad_weight",
    }  # fmt: skip
    assert all(row["seconds"] > 0 for row in content["rows"])

    assert main(["bench", "--compare", str(target), str(target)]) == 0
    shown = capsys.readouterr().out
    assert "ours, geometric mean: x 1.00" in shown
    assert "only in" not in shown


@pytest.mark.parity
def test_conv_sets_us_against_pytorch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "conv", "--quick", "--threads", "1"]) == 0
    shown = capsys.readouterr().out
    assert "pytorch, channels-last" in shown
    assert "against PyTorch's faster layout, geometric mean: x " in shown
    assert "slowest with 16 channels or more: x " in shown


def test_train_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "figures.json"
    options = ["--quick", "--threads", "1", "--no-pytorch", "--no-memory", "--json", str(target)]
    assert main(["bench", "train", *options]) == 0
    shown = capsys.readouterr().out
    assert "lenet5, batch 1" in shown
    assert "inference" in shown
    rows = json.loads(target.read_text(encoding="utf-8"))["rows"]
    assert all(row["facts"]["images_per_second"] > 0 for row in rows)


@pytest.mark.parametrize(("repeats", "told"), [(2, "-"), (3, "± 10 %")])
def test_a_spread_is_told_of_three_calls_or_more(
    repeats: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"images_per_second": 1.0}
    row = lab.Row("train", "net", "training", "ours", 1.0, 0.9, 1.1, repeats, facts)
    train_report([row], lab.machine_facts(1))
    assert f" {told} " in capsys.readouterr().out


def test_an_unknown_variant_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "benchmark_conv", lambda *_, **__: pytest.fail("measures"))
    assert main(["bench", "--require-faster-than", "nosuch"]) == 2
    assert "bench: the known names are " in capsys.readouterr().err


def test_loader_prints_epochs_and_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = partial(lab.benchmark_loader, examples=256)
    monkeypatch.setattr(lab, "benchmark_loader", small)
    target = tmp_path / "figures.json"
    assert main(["bench", "loader", "--repeats", "1", "--threads", "1", "--json", str(target)]) == 0
    shown = capsys.readouterr().out
    assert "epoch of batches: 256 images of 3x32x32, batch 128, crops and mirror images" in shown
    assert "a training step: lenet5, batch 64, elastic distortions" in shown
    assert "on a batch that lies ready" in shown
    assert "2 worker threads" in shown
    rows = json.loads(target.read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 3 * (3 + 4)
    assert [row["facts"].get("lost") for row in rows[:4]] == [None, None, None, 0.0]


def test_without_pytorch_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("machine", "conv_benchmark", "train_benchmark"):
        monkeypatch.setattr(f"tinygrad_cnn.lab.{module}.has_pytorch", lambda: False)
    assert main(["bench", "conv", "--quick", "--threads", "1"]) == 0
    assert "PyTorch is not installed: there is nothing to compare with" in capsys.readouterr().out
    assert main(["bench", "train", "--quick", "--threads", "1", "--no-memory"]) == 0
    assert "PyTorch is not installed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("variant", "message"),
    [("reference", "a variant of that name is measured; got 'reference'"),
     ("direct", "")],  # the default is as fast as itself
)  # fmt: skip
def test_a_variant_that_nothing_is_slower_than(
    variant: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--require-faster-than", variant]) == (2 if message else 0)
    assert message in capsys.readouterr().err


def test_a_default_that_is_slower_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(*_: object, **__: object) -> list[lab.Row]:
        facts = {"networks": [], "channels": 16, "gflops": 1.0, "padded": False}
        return [
            lab.Row("conv", "a layer", "conv2d_forward", who, seconds, seconds, seconds, 3,
                    {**facts, "variant": variant})
            for who, variant, seconds in (
                ("ours", "direct", 0.002), ("ours, im2col", "im2col", 0.001)
            )
        ]  # fmt: skip

    monkeypatch.setattr(lab, "benchmark_conv", measured)
    assert main(["bench", "--require-faster-than", "im2col"]) != 0
    told = capsys.readouterr().err
    assert "the default is at least as fast as im2col; got direct in 2.00 ms against 1.00" in told


def test_figures_that_only_one_file_has_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = lab.machine_facts(1)
    for name, seconds in (("a", 0.5), ("b", 0.25)):
        rows = [
            lab.Row("conv", subject, "conv2d_forward", "ours", seconds, seconds, seconds, 3)
            for subject in ("both", f"alone in {name}")
        ]
        lab.write_rows(tmp_path / f"{name}.json", machine, rows)
    assert main(["bench", "--compare", *(str(tmp_path / f"{n}.json") for n in "ab")]) == 0
    shown = capsys.readouterr().out
    assert "ours, geometric mean: x 2.00" in shown
    for name in "ab":
        assert f"only in {tmp_path / name}.json: conv2d_forward, alone in {name}, ours" in shown


MISTAKES = [
    (["--compare", "absent.json", "absent.json"], "absent.json: No such file or directory"),
    (["conv", "--repeats", "0"], "there is at least one repeat; got 0"),
    (["conv", "--threads", "999"], "threads here; got 999"),
    (["--compare", "a", "b", "conv"], "stand alone"),
    (["conv", "--networks", ""], "--networks names one or more of them, with commas; got ''"),
    (["train", "--networks", " , "], "--networks names one or more of them, with commas; got"),
    (["--require-faster-than", "dierct"], "got 'dierct'. Did you mean 'direct'?"),
    (["cnov"], "No such command 'cnov'"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_file_that_is_no_benchmark_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.json").write_text("{}")
    bad = str(tmp_path / "bad.json")
    assert main(["bench", "--compare", bad, bad]) == 2
    told = capsys.readouterr().err
    assert "figures are read from files that 'bench --json' wrote" in told
    assert told.count("\n") == 1


def test_unknown_networks_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    assert main(["bench", "conv", "--networks", "lenet5, lenet6", "--threads", "1"]) == 2
    assert "got 'lenet6'. Did you mean 'lenet5'?" in capsys.readouterr().err
