"""The benchmark: correctness first, every variant measured, verdicts in words."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn import lab
from tinygrad_cnn.cli import main
from tinygrad_cnn.errors import KernelMismatchError, OptionError
from tinygrad_cnn.kernels import registry
from tinygrad_cnn.lab import ConvShape, benchmark_conv, conv_benchmark

TINY = ConvShape(2, 3, 4, 6, 3, stride=2, padding=1)


def test_every_variant_of_every_pass_is_measured() -> None:
    measured = benchmark_conv([TINY], repeats=2, skip=())
    assert {(m.operation, m.variant) for m in measured} == {
        (operation, kernel.variant)
        for operation in conv_benchmark.PASSES
        for kernel in registry.variants(operation)
    }
    assert all(m.seconds > 0 and m.gflops > 0 for m in measured)


def test_the_work_of_a_shape_is_counted_exactly() -> None:
    # 3x3 outputs, 4 filters, 3 channels, 3x3 taps, 2 images
    assert TINY.multiply_adds == 2 * 3 * 3 * 4 * 3 * 9
    assert str(TINY) == "2 x 3→4, 6x6, kernel 3, stride 2, padding 1"


def test_a_variant_that_computes_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, window: object, out: np.ndarray):
        out[...] = 1.0

    true = registry.variants("conv2d_forward")[0]
    wrong_kernel = registry.Kernel("conv2d_forward", "cpu", "wrong", wrong)
    monkeypatch.setattr(conv_benchmark, "variants", lambda operation: (true, wrong_kernel))
    with pytest.raises(KernelMismatchError, match="got 'wrong' unlike 'direct'"):
        benchmark_conv([TINY], repeats=1)


def test_there_is_at_least_one_repeat() -> None:
    with pytest.raises(OptionError, match="at least one repeat; got 0"):
        lab.benchmark_conv([TINY], repeats=0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    def few(repeats: int, progress: object) -> list[lab.Measurement]:
        return benchmark_conv([TINY], repeats, skip=())

    monkeypatch.setattr("tinygrad_cnn.cli.bench.benchmark_conv", few)


@pytest.mark.usefixtures("small")
def test_the_command_prints_a_table_and_writes_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "figures.json"
    assert main(["bench", "--repeats", "1", "--json", str(target)]) == 0
    assert "direct" in capsys.readouterr().out
    rows = json.loads(target.read_text())
    assert {row["pass"] for row in rows} == set(conv_benchmark.PASSES)
    assert all(row["batch"] == 2 and row["seconds"] > 0 for row in rows)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("variant", "message"),
    [("reference", "reference is to be the fastest; got"), ("fft", "got 'fft'")],
)
def test_a_variant_that_is_not_the_fastest_fails_the_command(
    variant: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--repeats", "1", "--require-fastest", variant]) != 0
    assert message in capsys.readouterr().err
