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
        return kind, [images], {"kernel_size": (kh, kw), **options}
    arrays = [images, g.normal(size=(o, c, kh, kw))]
    return kind, arrays + ([g.normal(size=o)] if seed % 2 else []), options


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
