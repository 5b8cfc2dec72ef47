"""What the poolings refuse."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, ints, refusal, zeros


def pool(function: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[[], Any]:
    return lambda: function(zeros(1, 1, 4, 4), *arguments, **options)


def unpool(indices: Any, *arguments: Any, **options: Any) -> Callable[[], Any]:
    return lambda: F.max_unpool2d(zeros(1, 1, 2, 2), indices, 2, *arguments, **options)


FOUR = tg.Tensor(np.array([[[[0, 3], [9, 16]]]]))
OUTSIDE = r"indices row·W \+ column lie in the image, 0 to 15 for 4x4; got -?\d+ to \d+\. Give"

REFUSALS: tuple[Refusal, ...] = (
    refusal("pool-rank", lambda: F.max_pool2d(zeros(4, 4), 2), ShapeError, r"x is \(N, C, H, W\)"),
    refusal("pool-integers", lambda: F.max_pool2d(ints(1, 1, 4, 4), 2), DTypeError, "got int64"),
    refusal("pool-window", pool(F.avg_pool2d, 5), ShapeError, "avg_pool2d: the window fits"),
    refusal("pool-window-shared", lambda: F.max_pool2d(zeros(1, 1, 4, 4), 5, ties="split"),
            ShapeError, "^max_pool2d: the window fits"),
    refusal("pool-no-rows", lambda: F.sum_pool2d(zeros(1, 1, 0, 4), 2, 1, 0, True), ShapeError,
            "sum_pool2d: the window fits"),
    refusal("pool-kernel", pool(F.max_pool2d, 0), OptionError, "kernel_size is an integer"),
    refusal("pool-fraction", pool(F.max_pool2d, 2.5), OptionError, "got 2.5"),
    refusal("pool-triple", pool(F.max_pool2d, (1, 2, 3)), OptionError, r"got \(1, 2, 3\)"),
    refusal("pool-padding", pool(F.avg_pool2d, 2, 2, 2), OptionError, "at most half the kernel"),
    refusal("pool-padding-across", pool(F.lp_pool2d, 2, 3, padding=(1, 2)), OptionError,
            r"lp_pool2d: padding is at most half the kernel.*got padding \(1, 2\)"),
    refusal("pool-dilation", pool(F.max_pool2d, 2, dilation=0), OptionError,
            "max_pool2d: dilation is an integer of at least 1"),
    refusal("pool-no-pixel", lambda: F.max_pool2d(zeros(1, 1, 1, 4), 2, 1, (2, 0), (3, 1)),
            ShapeError, "each window holds a pixel; got an image of 1x4 that falls between"),
    refusal("pool-ties", pool(F.max_pool2d, 2, ties="random"), OptionError,
            "max_pool2d: ties is one of first, last, split, all; got 'random'"),
    refusal("max-ties", lambda: F.max(zeros(2), ties="none"), OptionError, "max: ties .* 'none'"),
    refusal("min-ties", lambda: F.min(zeros(2), ties=1), OptionError, "min: ties .*; got 1"),
    refusal("max-shared-of-nothing", lambda: F.max(zeros(0), ties="all"), ShapeError,
            "max: nothing is the largest"),
    refusal("pool-ties-indices", pool(F.max_pool2d, 2, return_indices=True, ties="all"),
            OptionError, "indices name one winner .* ties='all'. Choose"),
    refusal("pool-divisor", pool(F.avg_pool2d, 2, divisor_override=0), OptionError,
            "divisor_override is an integer other than 0; got 0"),
    refusal("pool-divisor-fraction", pool(F.avg_pool2d, 2, divisor_override=0.5), OptionError,
            "divisor_override .*; got 0.5"),
    refusal("pool-power", pool(F.lp_pool2d, 0.5, 2), OptionError, "at least 1; got 0.5"),
    refusal("pool-power-infinite", pool(F.lp_pool2d, float("inf"), 2), OptionError, "got inf"),
    refusal("pool-power-nan", pool(F.lp_pool2d, float("nan"), 2), OptionError, "got nan"),
    refusal("pool-power-word", pool(F.lp_pool2d, "2", 2), OptionError, "power p, .*; got '2'"),
    refusal("pool-power-truth-value", pool(F.lp_pool2d, True, 2), OptionError, "got True"),
    refusal("pool-divisor-truth-value", pool(F.avg_pool2d, 2, divisor_override=True), OptionError,
            "divisor_override .*; got True"),
    refusal("adaptive-truth-value", pool(F.adaptive_avg_pool2d, True), OptionError, "got True"),
    refusal("adaptive-zero", pool(F.adaptive_avg_pool2d, 0), OptionError,
            "adaptive_avg_pool2d: output_size is an integer of at least 1 or None, .*; got 0"),
    refusal("adaptive-triple", pool(F.adaptive_avg_pool2d, (1, 1, 1)), OptionError, "got .1, 1, 1"),
    refusal("adaptive-rank", lambda: F.adaptive_avg_pool2d(zeros(4, 4), 1), ShapeError,
            r"adaptive_avg_pool2d: x is \(N, C, H, W\)"),
    refusal("adaptive-no-pixels", lambda: F.global_avg_pool2d(zeros(1, 1, 0, 2)), ShapeError,
            "global_avg_pool2d: an image has pixels; got"),
    refusal("adaptive-integers", lambda: F.global_avg_pool2d(ints(1, 1, 2, 2)), DTypeError,
            "got int64"),
    refusal("pool-function-shape", pool(F.pool2d, lambda w: w, 2), ShapeError,
            r"function maps the windows .* got \(1, 1, 2, 2, 4\) .* dim=-1"),
    refusal("pool-function-array", pool(F.pool2d, lambda w: w.numpy().sum(-1), 2), ShapeError,
            "pool2d: function maps .* got ndarray"),
    refusal("pool-function-absent", pool(F.pool2d, "mean", 2), DTypeError,
            "pool2d: it takes a function; got str"),
    refusal("unpool-rank", lambda: F.max_unpool2d(zeros(2, 2), ints(2, 2), 2), ShapeError,
            r"max_unpool2d: x is \(N, C, H, W\)"),
    refusal("unpool-outside", unpool(FOUR), ShapeError, OUTSIDE),
    refusal("unpool-before", unpool(FOUR - 1), ShapeError, OUTSIDE),
    refusal("unpool-shapes", unpool(ints(1, 1, 2, 3)), ShapeError, "one index for each value"),
    refusal("unpool-indices", unpool(zeros(1, 1, 2, 2)), DTypeError,
            "indices are int64, .* got float32"),
    refusal("unpool-far", unpool(FOUR, output_size=(4, 7)), ShapeError,
            r"output_size is \(OH, OW\) .* less than one stride from 4x4; got \(4, 7\)"),
    refusal("unpool-no-pixel",
            lambda: F.max_unpool2d(zeros(1, 1, 1, 1), ints(1, 1, 1, 1), 2, padding=1),
            ShapeError, r"at least one pixel .* from 0x0; got \(0, 0\)"),
    refusal("unpool-one-size", unpool(FOUR, output_size=(4,)), ShapeError, r"got \(4,\)"),
    refusal("unpool-other-batch", unpool(FOUR, output_size=(2, 1, 4, 4)), ShapeError,
            r"got \(2, 1, 4, 4\)"),
    refusal("unpool-integers", lambda: F.max_unpool2d(ints(1, 1, 2, 2), ints(1, 1, 2, 2), 2),
            DTypeError, "got int64"),
    refusal("pool1d-rank", lambda: F.max_pool1d(zeros(1, 1, 4, 4), 2), ShapeError,
            r"max_pool1d: x is \(N, C, L\)"),
    refusal("pool1d-padding", lambda: F.max_pool1d(zeros(1, 1, 4), 4, padding=3), OptionError,
            "max_pool1d: padding is at most half the kernel"),
    refusal("pool1d-pair", lambda: F.avg_pool1d(zeros(1, 1, 4), (2, 2)), OptionError,
            "avg_pool1d: kernel_size is an integer of at least 1"),
)  # fmt: skip
