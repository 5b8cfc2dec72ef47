"""Tensors changed in place: what is written, what is refused, and what the graph notices."""

import numpy as np

import tinygrad_cnn as tg


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(np.array(values), requires_grad=True)


def test_the_update_of_every_tutorial_works_in_place() -> None:
    w = leaf(1.0, 2.0)
    (w * w).sum().backward()
    memory, same = w._value, w
    with tg.no_grad():
        w -= 0.25 * w.grad
    assert w is same
    assert w._value is memory
    assert (w.tolist(), w.requires_grad, w.is_leaf) == ([0.5, 1.0], True, True)
    w.data -= 0.5
    assert w._value is memory
    assert w.tolist() == [0.0, 0.5]
    w.data = np.array([7.0, 8.0])
    assert w.tolist() == [7.0, 8.0]


def test_in_place_arithmetic_on_a_recorded_value_makes_a_new_one() -> None:
    x = leaf(1.0, 2.0)
    y = z = x * 2.0
    y += 1.0
    assert (y.tolist(), z.tolist()) == ([3.0, 5.0], [2.0, 4.0])
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_every_operator_has_its_form_in_place() -> None:
    x = same = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
    x += 1.0
    x -= [[0.0, 0.0], [1.0, 1.0]]
    x *= 2.0
    x /= 4.0
    x **= 2
    x @= np.eye(2, dtype=np.float32)
    assert x is same
    assert x.tolist() == [[1.0, 2.25], [2.25, 4.0]]


def test_in_place_arithmetic_never_changes_shape_or_type() -> None:
    x = memory = tg.Tensor([1, 2])
    x /= 2
    assert x is not memory
    assert memory.tolist() == [1, 2]
    x = tg.Tensor([1.0])
    x += np.ones((2, 1), np.float32)
    assert x.shape == (2, 1)


def test_assignment_writes_through_keys() -> None:
    x = tg.Tensor(np.zeros((2, 3)))
    x[0, 1:] = 5.0
    x[tg.Tensor([1]), 0] = tg.Tensor([7.0])
    x[x > 6] += 1
    assert x.tolist() == [[0.0, 5.0, 5.0], [8.0, 0.0, 0.0]]


def test_detached_values_share_memory() -> None:
    x = leaf(1.0, 2.0)
    y = x.detach()
    assert np.shares_memory(x._value, y._value)
    assert not y.requires_grad
    y[0] = 9.0
    assert x.tolist() == [9.0, 2.0]
