"""Gradients as return values: equal to those of backward(), and nothing left behind."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import hooks


def leaves(*shapes: tuple[int, ...]) -> list[tg.Tensor]:
    generator = np.random.default_rng(3)
    return [tg.Tensor(generator.normal(size=shape), requires_grad=True) for shape in shapes]


def network(x: tg.Tensor, w: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
    return F.tanh(F.conv2d(x, w, b, padding=1)).sum()


class Visited:
    """Counts the elements that are walked."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_forward(self, *_: Any) -> None:
        pass

    def on_backward(self, element: Any, outgoing: Any, incoming: Any, effort: Any) -> None:
        self.names.append(f"{element.name} {sum(signal is not None for signal in incoming)}")


def test_gradients_equal_those_that_backward_leaves() -> None:
    inputs = leaves((2, 3, 4, 4), (5, 3, 3, 3), (5,))
    found = tg.grad(network(*inputs), inputs)
    assert all(x.grad is None and x.grad_passes == 0 for x in inputs)
    network(*inputs).backward()
    for x, mine in zip(inputs, found, strict=True):
        assert x.grad is not None
        np.testing.assert_array_equal(mine.numpy(), x.grad.numpy(), strict=True)
        assert not mine.requires_grad


def test_only_what_leads_to_an_input_is_visited() -> None:
    x, w, b = leaves((1, 1, 3, 3), (1, 1, 3, 3), (1,))
    hidden = F.conv2d(x.exp(), w, b)
    visited = Visited()
    with hooks.observe(visited):
        tg.grad(hidden.sum() + w.exp().sum(), b)
    assert visited.names == ["add 1", "sum 1", "conv2d 1"]
    assert tg.grad(F.conv2d(x, w, b).sum(), hidden, allow_unused=True) == (None,)


def test_values_on_the_way_have_gradients_too() -> None:
    (x,) = leaves((3,))
    middle = x * x
    loss = (middle * 3.0).sum()
    to_middle, to_x, to_loss = tg.grad(loss, [middle, x, loss])
    assert to_middle.tolist() == [3.0] * 3
    np.testing.assert_allclose(to_x.numpy(), 6.0 * x.numpy())
    assert to_loss.item() == 1.0


def test_several_outputs_add_up_each_from_its_error_signal() -> None:
    (x,) = leaves((2,))
    signal = tg.Tensor(np.array([1.0, 10.0]))
    (both,) = tg.grad([x * 2.0, (x * x).sum()], x, [signal, None])
    np.testing.assert_allclose(both.numpy(), [2.0, 20.0] + 2.0 * x.numpy())
    y = x * 2.0
    (same,) = tg.grad([y, y], x, [signal, signal])
    assert same.tolist() == [4.0, 40.0]
    assert signal.tolist() == [1.0, 10.0]


@pytest.mark.parametrize("make", [tg.Scalar, tg.Tensor], ids=["scalar", "tensor"])
def test_a_third_derivative(make: Any) -> None:
    x = make(2.0, requires_grad=True)
    value = x * x * x * x
    for expected in (32.0, 48.0, 48.0):
        (value,) = tg.grad(value, x, create_graph=True)
        assert value.item() == expected
    assert x.grad is None


def test_what_was_not_asked_for_is_walked_later() -> None:
    x, w = leaves((2,), (2,))
    loss = (x.exp() * w.exp()).sum()
    tg.grad(loss, x, retain_graph=True)
    loss.backward()
    assert x.grad is not None
    assert w.grad is not None


def test_a_gradient_is_nobody_elses_memory() -> None:
    x, y = leaves((2,), (2,))
    seed = tg.Tensor(np.ones(2))
    for gradient in tg.grad(x + y, [x, y], seed):
        gradient[...] = 7.0
    assert seed.tolist() == [1.0, 1.0]


def test_hessian_vector_products_of_several_values() -> None:
    x, y = leaves((2,), (3,))
    u, v = (tg.Tensor(np.arange(1.0, n + 1.0)) for n in (2, 3))
    value, (to_x, to_y) = tg.hessian_vector_product(
        lambda x, y: (x * x).sum() * y.sum(), [x, y], [u, v]
    )
    xs, ys, us, vs = (t.numpy() for t in (x, y, u, v))
    assert value.item() == pytest.approx((xs**2).sum() * ys.sum())
    np.testing.assert_allclose(to_x.numpy(), 2 * us * ys.sum() + 2 * xs * vs.sum())
    np.testing.assert_allclose(to_y.numpy(), np.full(3, 2 * (xs * us).sum()))
    assert x.grad is None
    _, flat = tg.hessian_vector_product(lambda x: (x * 3.0).sum(), x, u)
    assert flat.tolist() == [0.0, 0.0]


def test_recording_is_seen() -> None:
    assert tg.is_grad_enabled()
    with tg.no_grad():
        assert not tg.is_grad_enabled()
