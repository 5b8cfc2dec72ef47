"""Laws that hold for all shapes and values, tried on drawn ones."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)
shapes = drawn.array_shapes(min_dims=1, max_dims=4, max_side=3)
two_shapes = drawn.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3)
seeds = st.integers(0, 2**32 - 1)


def leaf(shape: tuple[int, ...], seed: int) -> tg.Tensor:
    return tg.Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)


def sum_back(array: Any, shape: tuple[int, ...]) -> Any:
    """Add repeats up, axis by axis."""
    while array.ndim > len(shape):
        array = array.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            array = array.sum(axis=axis, keepdims=True)
    return array


@quick
@given(two_shapes, seeds)
def test_gradients_of_broadcast_sums_and_products_fit_their_operands(pair: Any, seed: int) -> None:
    x, y = (leaf(shape, seed + k) for k, shape in enumerate(pair.input_shapes))
    signal = leaf(pair.result_shape, seed + 2).detach()
    (x + y).backward(signal)
    for variable in (x, y):
        assert variable.grad.shape == variable.shape
        expected = sum_back(signal.numpy(), variable.shape)
        np.testing.assert_allclose(variable.grad.numpy(), expected, rtol=1e-12, atol=1e-12)
        variable.zero_grad()
    (x * y).backward(signal)
    expected = sum_back(signal.numpy() * y.numpy(), x.shape)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12, atol=1e-12)


@quick
@given(shapes, seeds, st.floats(-3, 3), st.floats(-3, 3))
def test_backward_is_linear_in_its_error_signal(
    shape: tuple[int, ...], seed: int, a: float, b: float
) -> None:
    x, u, v = (leaf(shape, seed + k) for k in range(3))

    def grad(signal: Any) -> Any:
        x.zero_grad()
        (x.tanh() * x).softmax(-1).backward(signal.detach())
        return x.grad.numpy().copy()

    together = grad(u * a + v * b)
    np.testing.assert_allclose(together, a * grad(u) + b * grad(v), rtol=1e-9, atol=1e-9)


@quick
@given(shapes, seeds, st.data())
def test_permuting_there_and_back_changes_nothing(
    shape: tuple[int, ...], seed: int, data: Any
) -> None:
    x = leaf(shape, seed)
    order = data.draw(st.permutations(range(len(shape))))
    back = np.argsort(order).tolist()
    result = x.permute(*order).permute(*back)
    np.testing.assert_array_equal(result.numpy(), x.numpy())
    signal = leaf(shape, seed + 1).detach()
    result.backward(signal)
    np.testing.assert_array_equal(x.grad.numpy(), signal.numpy())


@quick
@given(shapes, seeds)
def test_reshaping_there_and_back_changes_nothing(shape: tuple[int, ...], seed: int) -> None:
    x = leaf(shape, seed)
    result = x.reshape(-1).reshape(*shape[::-1]).reshape(shape)
    np.testing.assert_array_equal(result.numpy(), x.numpy())
    signal = leaf(shape, seed + 1).detach()
    result.backward(signal)
    np.testing.assert_array_equal(x.grad.numpy(), signal.numpy())


@quick
@given(shapes, seeds)
def test_a_sum_over_one_axis_after_another_is_the_sum_over_all(
    shape: tuple[int, ...], seed: int
) -> None:
    x = leaf(shape, seed)
    total: Any = x
    for _ in shape:
        total = total.sum(-1)
    np.testing.assert_allclose(total.item(), x.sum().item(), rtol=1e-10, atol=1e-12)
    total.backward()
    assert x.grad.tolist() == np.ones(shape).tolist()


@quick
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1))
def test_a_convolution_and_its_input_gradient_are_adjoint(
    seed: int, channels: int, size: int, stride: int, padding: int
) -> None:
    x = leaf((2, channels, size + 2, size + 1), seed)
    weight = leaf((2, channels, size, size), seed + 1)
    y = F.conv2d(x, weight, None, stride, padding)
    signal = leaf(y.shape, seed + 2).detach()
    y.backward(signal)
    forward = float((y.numpy() * signal.numpy()).sum())
    for variable in (x, weight):
        back = float((variable.numpy() * variable.grad.numpy()).sum())
        np.testing.assert_allclose(back, forward, rtol=1e-9, atol=1e-9)
