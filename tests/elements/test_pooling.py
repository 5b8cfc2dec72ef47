"""Pooling beyond its rows: figures of the lectures, limits of floating point, other sizes."""

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F


def images(values: Any, dtype: Any = np.float64) -> tg.Tensor:
    return tg.Tensor(np.array(values, dtype), requires_grad=True)


def received(x: tg.Tensor, result: tg.Tensor) -> Any:
    result.backward(tg.Tensor(np.ones(result.shape, result.dtype)))
    return x.grad.numpy()


# -- figures of the lectures -----------------------------------------------------------


def test_the_overlapping_pools_of_alexnet_halve_55_to_27_to_13_to_6() -> None:
    x = tg.zeros(1, 1, 55, 55)
    for size in (27, 13, 6):
        x = F.max_pool2d(x, 3, 2)
        assert x.shape[2:] == (size, size)


def test_pools_that_round_up_halve_112_to_56_to_28_to_14_to_7() -> None:
    x = tg.zeros(1, 1, 112, 112)
    for size in (56, 28, 14, 7):
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        assert x.shape[2:] == (size, size)


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_the_derivative_of_an_average_is_one_by_m(side: int) -> None:
    x = images(np.arange(side * side).reshape(1, 1, side, side))
    assert (received(x, F.avg_pool2d(x, side)) == 1 / side**2).all()


@pytest.mark.parametrize("p", [1, 2, 3, 4.5])
def test_the_derivative_of_a_norm_is_that_of_the_lecture_with_the_sign(p: float) -> None:
    values = np.array([[1.5, -2.0], [0.5, 3.0]])
    x, total = images(values[None, None]), (np.abs(values) ** p).sum()
    expected = total ** (1 / p - 1) * np.abs(values) ** (p - 1) * np.sign(values)
    np.testing.assert_allclose(received(x, F.lp_pool2d(x, p, 2))[0, 0], expected, rtol=1e-13)


# -- limits ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e30, 1e-30, 1e4])
@pytest.mark.parametrize("p", [1, 2, 10, 50.5])
def test_a_norm_neither_overflows_nor_vanishes(size: float, p: float) -> None:
    x = images(np.array([[[[3, -4], [0, 4]]]]) * size, np.float32)
    y = F.lp_pool2d(x, p, 2)
    exact = 4 * size * ((3 / 4) ** p + 2) ** (1 / p)
    assert y.item() == pytest.approx(exact, rel=1e-5)
    slopes = received(x, y)[0, 0]
    assert np.isfinite(slopes).all()
    assert slopes[1, 1] == -slopes[0, 1] == pytest.approx((4 * size / exact) ** (p - 1), rel=1e-4)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
def test_a_window_of_zeros_has_norm_and_derivatives_zero(p: float) -> None:
    x = images(np.zeros((1, 1, 2, 2)))
    y = F.lp_pool2d(x, p, 2)
    assert y.item() == 0
    y.backward(tg.Tensor(np.ones((1, 1, 1, 1))), create_graph=True)
    first = x.grad
    assert (first.numpy() == 0).all()
    x.zero_grad()
    if first.requires_grad:
        first.sum().backward()
        assert x.grad is None or (x.grad.numpy() == 0).all()


def test_a_norm_of_infinity_is_infinite_and_one_beside_nan_is_nan() -> None:
    values = [[[[math.inf, 1, math.nan, 0], [2, -3, 0, 0], [math.nan, math.inf, 0, 0], [0] * 4]]]
    y = F.lp_pool2d(images(values), 2, 2)
    np.testing.assert_array_equal(y.numpy()[0, 0], [[math.inf, math.nan], [math.nan, 0]])


def test_a_norm_of_high_power_approaches_the_maximum() -> None:
    x = images(np.random.default_rng(0).uniform(1, 2, (1, 2, 4, 4)))
    gap = F.lp_pool2d(x, 200, 2).numpy() / F.max_pool2d(x, 2).numpy() - 1
    assert (gap >= -1e-15).all()
    assert gap.max() < math.log(4) / 200 + 1e-12


# -- pools that are each other -------------------------------------------------------------


def test_averages_sums_grids_and_functions_agree() -> None:
    x = images(np.random.default_rng(1).normal(size=(2, 3, 6, 6)))
    average = F.avg_pool2d(x, 2).numpy()
    np.testing.assert_allclose(F.sum_pool2d(x, 2).numpy() / 4, average, rtol=1e-14)
    np.testing.assert_array_equal(F.adaptive_avg_pool2d(x, 3).numpy(), average)
    np.testing.assert_allclose(F.pool2d(x, lambda w: F.mean(w, -1), 2).numpy(), average, rtol=1e-13)
    one = F.adaptive_avg_pool2d(x, 1).numpy()[:, :, 0, 0]
    np.testing.assert_array_equal(F.global_avg_pool2d(x).numpy(), one)
    np.testing.assert_allclose(F.mean(x, (2, 3)).numpy(), one, rtol=1e-13, atol=1e-15)
    largest = F.pool2d(x, lambda w: F.max(w, -1), 3, 2)
    np.testing.assert_array_equal(largest.numpy(), F.max_pool2d(x, 3, 2).numpy())


def test_unpooling_undoes_pooling_at_the_winners() -> None:
    x = images(np.random.default_rng(2).normal(size=(2, 3, 5, 7)))
    pooled, indices = F.max_pool2d(x, 2, return_indices=True)
    back = F.max_unpool2d(pooled, indices, 2, output_size=x.shape)
    assert back.shape == x.shape
    kept = back.numpy() != 0
    assert kept.sum() == pooled.numel()
    np.testing.assert_array_equal(back.numpy()[kept], x.numpy()[kept])
    back.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), kept)


def test_indices_carry_no_gradient() -> None:
    x = images(np.random.default_rng(2).normal(size=(1, 1, 4, 4)))
    _, indices = F.max_pool2d(x, 2, return_indices=True)
    assert indices.dtype == np.int64
    assert not indices.requires_grad


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
        lambda x: F.max_pool2d(x, 3, ties="split"),
        lambda x: F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False),
        lambda x: F.sum_pool2d(x, 2),
        lambda x: F.lp_pool2d(x, 2, 2),
        lambda x: F.adaptive_avg_pool2d(x, (3, None)),
        F.global_avg_pool2d,
        lambda x: F.windows(x, 2, 1),
    ],
)
def test_shapes_alone_are_pooled_like_values(pool: Any) -> None:
    with_values = pool(tg.zeros(2, 3, 9, 7))
    assert pool(tg.zeros(2, 3, 9, 7, device="shapes")).shape == with_values.shape
