"""The same rows, and random configurations, in PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

from . import cases
from .cases import CASES, Case

pytestmark = pytest.mark.parity

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}  # of the largest value
CONFIGURATIONS = 200
both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["f64", "f32"])


def twin(case: Case) -> Callable[..., Any] | None:
    """Return PyTorch's function for a row; None where it has none."""
    if case.function is cases.index and case.id == "backwards":  # no negative steps there
        return None
    return cases.in_torch().get(case.function)


def assert_close(ours: Any, theirs: Any, dtype: type) -> None:
    assert ours.shape == theirs.shape
    if theirs.size:
        bound = TOLERANCE[dtype] * max(float(np.abs(theirs).max()), 1e-30)
        assert float(np.abs(ours - theirs).max()) <= bound


def compare(
    ours: Callable[..., Any], theirs: Callable[..., Any], arrays: list[Any], dtype: type
) -> None:
    """Compare outputs and, with one random error signal for both, all gradients."""
    import torch

    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    mine = [tg.Tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    other = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    result, expected = ours(*mine), theirs(*other)
    assert_close(result.numpy(), expected.detach().numpy(), dtype)
    signal = np.random.default_rng(9).normal(size=result.shape).astype(dtype)
    result.backward(tg.Tensor(signal))
    expected.backward(torch.tensor(signal))
    for one, two in zip(mine, other, strict=True):
        if two.grad is not None:
            assert_close(one.grad.numpy(), two.grad.numpy(), dtype)


@both_dtypes
@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_equal_pytorch(case: Case, dtype: type) -> None:
    theirs = twin(case)
    if theirs is None:
        return  # an element that PyTorch does not have
    compare(case.run, lambda *values: theirs(*values, **case.options), case.draw(), dtype)


def test_most_rows_have_a_twin_in_pytorch() -> None:
    without = {case.elements.split()[0] for case in CASES if twin(case) is None}
    assert without == cases.NOT_IN_TORCH


def drawn_configuration(seed: int) -> tuple[str, list[Any], dict[str, Any]]:
    """Draw a small convolution, pooling, affine map or loss."""
    g = np.random.default_rng(seed)
    kind = ("conv2d", "max_pool2d", "avg_pool2d", "affine", "cross_entropy")[seed % 5]
    n, c, o = (int(v) for v in g.integers(1, 4, 3))
    kh, kw, sh, sw = (int(v) for v in g.integers(1, 4, 4))
    if kind == "affine":
        arrays = [(n, 5), (o, 5), (o,)][: 3 if seed % 2 else 2]
        return kind, [g.normal(size=shape) for shape in arrays], {}
    if kind == "cross_entropy":
        classes = int(g.integers(2, 7))
        reduction = ("mean", "sum", "none")[seed % 3]
        scores = 5 * g.normal(size=(n, classes))
        return kind, [scores, g.integers(classes, size=n)], {"reduction": reduction}
    ph, pw = int(g.integers(0, kh // 2 + 1)), int(g.integers(0, kw // 2 + 1))
    height, width = kh + int(g.integers(0, 4)), kw + int(g.integers(0, 4))
    images = g.normal(size=(n, c, height, width))
    options: dict[str, Any] = {"stride": (sh, sw), "padding": (ph, pw)}
    if kind != "conv2d":
        return drawn_pooling(g, kind, images, {"kernel_size": (kh, kw), **options})
    return drawn_convolution(g, n, (kh, kw), options, biased=seed % 2 == 1)


def drawn_pooling(
    g: Any, kind: str, images: Any, options: dict[str, Any]
) -> tuple[str, list[Any], dict[str, Any]]:
    """Draw what else PyTorch's pooling of this kind can be told."""
    options["ceil_mode"] = bool(g.integers(2))
    if kind == "max_pool2d":
        gaps = options["dilation"] = tuple(int(v) for v in g.integers(1, 4, 2))
        spans = [d * (k - 1) + 1 for d, k in zip(gaps, options["kernel_size"], strict=True)]
        size = [span + int(g.integers(0, 4)) for span in spans]
        return kind, [g.normal(size=(*images.shape[:2], *size))], options
    options["count_include_pad"] = bool(g.integers(2))
    options["divisor_override"] = (None, None, 3)[g.integers(3)]
    return kind, [images], options


def drawn_convolution(
    g: Any, n: int, kernel: tuple[int, int], options: dict[str, Any], biased: bool
) -> tuple[str, list[Any], dict[str, Any]]:
    """Draw groups, dilation, an image that the window fits into, and perhaps a bias."""
    groups, channels, filters = (int(v) for v in g.integers(1, 4, 3))
    dilation = tuple(int(v) for v in g.integers(1, 4, 2))
    size = [d * (k - 1) + 1 + int(g.integers(0, 5)) for d, k in zip(dilation, kernel, strict=True)]
    arrays = [
        g.normal(size=(n, channels * groups, *size)),
        g.normal(size=(filters * groups, channels, *kernel)),
    ]
    arrays += [g.normal(size=filters * groups)] if biased else []
    return "conv2d", arrays, {**options, "dilation": dilation, "groups": groups}


@pytest.mark.parametrize("seed", range(CONFIGURATIONS))
def test_random_configurations_equal_pytorch(seed: int) -> None:
    from torch.nn import functional as T

    kind, arrays, options = drawn_configuration(seed)
    theirs = getattr(T, {"affine": "linear"}.get(kind, kind))
    for dtype in TOLERANCE:
        compare(
            lambda *values: getattr(F, kind)(*values, **options),
            lambda *values: theirs(*values, **options),
            arrays,
            dtype,
        )


@pytest.mark.parametrize("seed", range(40))
def test_random_indices_and_what_is_put_back_there_equal_pytorch(seed: int) -> None:
    """Windows do not overlap: of equal indices PyTorch keeps one value, and we add them up."""
    import torch
    from torch.nn import functional as T

    g = np.random.default_rng(seed)
    kernel = tuple(int(v) for v in g.integers(1, 4, 2))
    size = [k + int(g.integers(0, 6)) for k in kernel]
    window = (kernel, kernel, tuple(int(g.integers(0, k // 2 + 1)) for k in kernel))
    images = g.normal(size=(2, 3, *size)).round(int(seed % 2))  # rounded: there are ties
    ours, at = F.max_pool2d(tg.Tensor(images), *window, ceil_mode=False, return_indices=True)
    theirs, there = T.max_pool2d(torch.tensor(images), *window, return_indices=True)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    np.testing.assert_array_equal(at.numpy(), there.numpy())
    compare(
        lambda x: F.max_unpool2d(x, at, *window, tuple(size)),
        lambda x: T.max_unpool2d(x, there, *window, tuple(size)),
        [g.normal(size=ours.shape)],
        np.float64,
    )
    grid = tuple(int(v) for v in g.integers(1, 7, 2))
    compare(
        lambda x: F.adaptive_avg_pool2d(x, grid),
        lambda x: T.adaptive_avg_pool2d(x, grid),
        [images],
        np.float64,
    )
