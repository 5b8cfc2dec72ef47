"""Convolutions measured: which, by whom, correctness first, and what it comes to."""

import numpy as np
import pytest

from tinygrad_cnn import lab
from tinygrad_cnn.errors import KernelMismatchError, OptionError, UnknownNameError
from tinygrad_cnn.kernels import registry
from tinygrad_cnn.kernels.geometry import Convolution, Window
from tinygrad_cnn.lab import Effort, Row, benchmark_conv, conv_benchmark
from tinygrad_cnn.lab.conv_shapes import describe, multiply_adds

TINY = Convolution(2, 6, 6, 3, 4, Window(3, 3, 2, 2, 1, 1))
ONCE = Effort(repeats=1)


def test_the_shapes_are_those_of_the_networks() -> None:
    layers = lab.conv_layers()
    assert layers[Convolution(64, 14, 14, 6, 16, Window(5, 5))] == ("lenet5",)
    shared = Convolution(100, 14, 14, 32, 64, Window(3, 3, ph=1, pw=1))
    assert layers[shared] == ("lab11_cnn2", "lab11_cnn3")
    # the stem of ResNet-18, and of VGG-16 the smallest maps on CIFAR's 32x32
    assert Convolution(8, 224, 224, 3, 64, Window(7, 7, 2, 2, 3, 3)) in layers
    assert Convolution(64, 2, 2, 512, 512, Window(3, 3, ph=1, pw=1)) in layers
    assert {name for names in layers.values() for name in names} == set(lab.CONV_SUBJECTS)


def test_networks_can_be_chosen_and_unknown_ones_are_refused() -> None:
    assert len(lab.conv_layers(["lenet5"])) == 2
    with pytest.raises(UnknownNameError, match=r"bench: the known names are .*; got 'lenet6'"):
        lab.conv_layers(["lenet6"])


def test_every_variant_of_every_pass_is_measured() -> None:
    rows = benchmark_conv({TINY: ("net",)}, effort=ONCE, peak=2.0, with_pytorch=False, skip=())
    assert {(row.step, row.facts["variant"]) for row in rows} == {
        (operation, kernel.variant)
        for operation in conv_benchmark.PASSES
        for kernel in registry.variants(operation)
        if not kernel.supports(TINY, np.dtype(np.float32))
    }
    for row in rows:
        assert row.seconds > 0
        assert row.facts["gflops"] == 2 * row.facts["share_of_peak"]
        default = registry.lookup(row.step, "cpu", np.float32, TINY).variant
        assert (row.who == "ours") == (row.facts["variant"] == default)


@pytest.mark.parity
def test_pytorch_is_measured_in_both_layouts() -> None:
    with lab.on_threads(1):
        rows = benchmark_conv({TINY: ("net",)}, effort=ONCE, with_pytorch=True)
    for step in conv_benchmark.PASSES:
        names = {row.who for row in rows if row.step == step}
        assert {"ours", "pytorch, NCHW", "pytorch, channels-last"} <= names


def test_pytorch_is_left_out_where_it_pads_otherwise() -> None:
    uneven = TINY._replace(window=Window(3, 3, ph=1, pw=1, eh=1))
    rows = benchmark_conv({uneven: ()}, effort=ONCE)
    assert not any(row.is_pytorch for row in rows)


def test_the_work_of_a_shape_is_counted_exactly() -> None:
    # 3x3 outputs, 4 filters, 3 channels, 3x3 taps, 2 images
    assert multiply_adds(TINY) == 2 * 3 * 3 * 4 * 3 * 9
    assert describe(TINY) == "2 x 3→4, 6x6, kernel 3x3, stride 2, padding 1"
    grouped = TINY._replace(channels=6, window=Window(3, 2, 1, 2, dh=2, groups=3))
    assert describe(grouped) == "2 x 6→4, 6x6, kernel 3x2, stride 1x2, dilation 2x1, groups 3"


def test_a_variant_that_computes_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, window: object, out: np.ndarray):
        out[...] = 1.0

    wrong_kernel = registry.Kernel("conv2d_forward", "cpu", "wrong", wrong)
    monkeypatch.setattr(conv_benchmark, "variants", lambda operation: (wrong_kernel,))
    with pytest.raises(KernelMismatchError, match="got 'wrong' unlike '"):
        benchmark_conv({TINY: ()}, effort=ONCE)


def test_there_is_at_least_one_repeat() -> None:
    with pytest.raises(OptionError, match="at least one repeat; got 0"):
        benchmark_conv({TINY: ()}, effort=Effort(repeats=0))


def _row(subject: str, step: str, who: str, seconds: float, channels: int, **facts: object) -> Row:
    return Row("conv", subject, step, who, seconds, seconds, seconds, 5,
               {"channels": channels, **facts})  # fmt: skip


def test_the_summary_takes_all_passes_of_a_shape_together() -> None:
    rows = []
    for step in conv_benchmark.PASSES:
        # NCHW is faster in one pass, channels-last in all together
        nchw = 1.0 if step == "conv2d_forward" else 9.0
        for subject, channels, ours in (("narrow", 3, 1.0), ("wide", 64, 4.0)):
            facts = {"variant": "direct", "share_of_peak": 0.5 / ours, "padded": False}
            rows.append(_row(subject, step, "ours", ours, channels, **facts))
            rows.append(_row(subject, step, "pytorch, NCHW", nchw, channels))
            rows.append(_row(subject, step, "pytorch, channels-last", 4.0, channels))
    skipping = {"variant": "direct", "share_of_peak": 1.2, "padded": True}
    rows.append(_row("wide", "conv2d_forward", "ours, direct", 2.0, 64, **skipping))
    fast = {"variant": "winograd", "share_of_peak": 1.7, "padded": True}
    rows.append(_row("wide", "conv2d_forward", "ours, winograd", 2.0, 64, **fast))
    summary = lab.summarise_conv(rows)
    assert summary.ratio == pytest.approx(2.0)  # of 4 and 1
    assert summary.by_pass["conv2d_forward"] == pytest.approx(0.5)  # of 1 and 1/4
    assert (summary.worst, summary.worst_subject) == (1.0, "wide")
    assert (summary.best_share, summary.best_winograd) == (0.5, 1.7)


def test_a_summary_without_pytorch_has_no_ratio() -> None:
    rows = benchmark_conv({TINY: ()}, effort=ONCE, with_pytorch=False)
    summary = lab.summarise_conv(rows)
    assert np.isnan([summary.ratio, summary.worst, summary.best_winograd]).all()
