"""Error signals: derivatives of derivatives, fan-in, whose memory they are, who watches."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import hooks
from tinygrad_cnn.element import ELEMENTS, FunctionElement
from tinygrad_cnn.graph import elements_behind


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(np.array(values), requires_grad=True)


# -- derivatives of derivatives ----------------------------------------------------------


@pytest.mark.parametrize("x", [leaf(3.0), tg.Scalar(3.0, requires_grad=True)], ids=["t", "s"])
def test_the_third_derivative_of_a_fourth_power(x: Any) -> None:
    derivatives = []
    value = x**4
    for _ in range(3):
        x.zero_grad()
        value.backward(create_graph=True)
        value = x.grad
        derivatives.append(value.item())
    x.zero_grad()
    assert derivatives == pytest.approx([4 * 27, 12 * 9, 24 * 3])


def test_a_recorded_walk_is_a_composite_function() -> None:
    x = tg.Tensor(np.ones((1, 1, 3, 3)), requires_grad=True)
    w = leaf(1.0, 2.0, 3.0, 4.0).reshape(1, 1, 2, 2).detach().requires_grad_()
    (F.conv2d(x, w) * F.conv2d(x, w)).sum().backward(create_graph=True)
    recorded = {element.name for element in elements_behind(x.grad.node)}
    assert {"conv2d", "conv2d_grad_input", "multiply"} <= recorded


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("kind", ["tensor", "scalar"])
def test_powers_of_zero_have_finite_slopes(kind: str, exponent: float) -> None:
    x: Any = leaf(0.0) if kind == "tensor" else tg.Scalar(0.0, requires_grad=True)
    (x**exponent).backward()
    assert x.grad.item() == (1.0 if exponent == 1.0 else 0.0)


def test_zero_to_a_power_has_no_slope_in_the_exponent() -> None:
    x, y = tg.Tensor(np.array([0.0, 2.0])), leaf(2.0, 2.0)
    (x**y).sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), [0.0, 4 * np.log(2)])


# -- error signals: where they go, and whose memory they are -----------------------------


def test_retain_grad_shows_the_signal_of_an_intermediate_value() -> None:
    x = leaf(2.0)
    y = (x * 3.0).retain_grad()
    (y * y).backward()
    assert y.grad.item() == 12.0
    assert (x * 3.0).grad is None


def test_retain_grad_under_create_graph_can_be_differentiated() -> None:
    x = leaf(2.0)
    y = (x * x).retain_grad()
    (y * y).backward(create_graph=True)
    signal = y.grad
    x.zero_grad()
    signal.backward()
    assert x.grad.item() == 2 * 2 * 2.0


def test_a_gradient_starts_where_it_is_told_to() -> None:
    x = leaf(1.0, 2.0)
    signal = tg.Tensor(np.array([10.0, 100.0]))
    (x * x).backward(gradient=signal)
    assert x.grad.tolist() == [20.0, 400.0]
    assert signal.tolist() == [10.0, 100.0]


def test_a_leaf_may_be_the_loss_itself() -> None:
    x, signal = leaf(4.0), tg.Tensor(np.array([3.0]))
    x.backward(signal)
    x.backward(signal)
    assert x.grad.item() == 6.0
    assert signal.item() == 3.0


def test_a_passed_on_signal_is_nobodys_to_write_into() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    z = x + y
    ((z * 2.0).sum() + (x * 5.0).sum() + (y * y).sum()).backward()
    assert x.grad.tolist() == [7.0, 7.0]
    assert y.grad.tolist() == [8.0, 10.0]
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_of_a_sum_share_no_memory_with_the_seed(create_graph: bool) -> None:
    x, y, seed = leaf(1.0), leaf(2.0), tg.Tensor(np.array([1.0]))
    (x + y).backward(seed, create_graph=create_graph)
    arrays = [x.grad.numpy(), y.grad.numpy(), seed.numpy()]
    for k, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[k + 1 :])


class SameForBoth(FunctionElement):
    """An element that answers with one and the same new signal twice."""

    rule = ELEMENTS["add"].rule

    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def backward(self, signal: Any) -> Any:
        answer = signal * 1.0
        return answer, answer


class AnswersWithWhatItSaved(FunctionElement):
    """An element whose error signal is a saved array itself: right where δ is 1."""

    rule = ELEMENTS["multiply"].rule
    saves = ELEMENTS["multiply"].saves

    def forward(self, x: Any, y: Any) -> Any:
        return x * y

    def backward(self, signal: Any) -> Any:
        return self.saved("y"), None


@pytest.mark.parametrize("kind", ["tensor", "scalar"])
def test_one_signal_for_two_inputs_is_added_to_without_harm(kind: str) -> None:
    def make(value: float) -> Any:
        return leaf(value) if kind == "tensor" else tg.Scalar(value, requires_grad=True)

    x, y = make(1.0), make(2.0)
    early = x * 3.0
    (SameForBoth()(x, y) + early).backward()
    assert (x.grad.item(), y.grad.item()) == (4.0, 1.0)


def test_a_saved_array_is_not_added_into() -> None:
    x, y = leaf(1.0), tg.Tensor(np.array([2.0]))
    early = x * 3.0
    (AnswersWithWhatItSaved()(x, y) + early).backward()
    assert x.grad.item() == 5.0
    assert y.item() == 2.0


def test_signals_add_up_in_the_memory_of_one_of_them_whatever_its_layout() -> None:
    images = tg.Tensor(np.arange(24.0).reshape(2, 3, 2, 2), requires_grad=True)
    x = images * 1.0
    (F.conv2d(x, tg.Tensor(np.ones((1, 3, 1, 1)))).sum() + x.sum() + (x * x).sum()).backward()
    np.testing.assert_array_equal(images.grad.numpy(), 2.0 + 2.0 * images.numpy())


def test_a_broadcast_signal_becomes_a_gradient_that_can_be_written() -> None:
    x = leaf(1.0, 2.0, 3.0)
    (x.mean() + (x * x).sum()).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.array([2.0, 4.0, 6.0]) + 1 / 3)
    y = leaf(1.0, 2.0)
    (y.sum() + y.mean()).backward()
    y.grad += 1.0
    assert y.grad.tolist() == [2.5, 2.5]


def test_max_of_values_keeps_the_unused_winners_out_of_the_walk() -> None:
    x = leaf(1.0, 5.0, 3.0)
    values, winners = x.reshape(1, 3).max(1)
    assert not winners.requires_grad
    values.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


# -- observers ---------------------------------------------------------------------------


class Diary:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.kernels: list[str] = []
        self.signals: list[tuple[str, tuple[bool, ...]]] = []

    def on_forward(self, element: Any, inputs: Any, outputs: Any, effort: Any) -> None:
        self.lines.append(f"forward {element.name}")

    def on_backward(self, element: Any, outgoing: Any, incoming: Any, effort: Any) -> None:
        self.lines.append(f"backward {element.name}")
        self.kernels += [kernel.operation for kernel in effort.kernels]
        self.signals.append((element.name, tuple(signal is not None for signal in incoming)))


def test_observers_are_told_in_execution_order() -> None:
    x, diary = leaf(0.5), Diary()
    with hooks.observe(diary):
        loss = (x.exp() * 2.0).tanh()
        loss.backward()
    (x * x).backward()  # nobody looks any more
    there = ["exp", "multiply", "tanh"]
    assert diary.lines == [f"forward {n}" for n in there] + [f"backward {n}" for n in there[::-1]]


def test_only_wanted_gradients_are_computed() -> None:
    image, diary = tg.Tensor(np.ones((1, 1, 5, 5))), Diary()
    first = tg.Tensor(np.ones((2, 1, 2, 2)), requires_grad=True)
    second = tg.Tensor(np.ones((1, 2, 2, 2)), requires_grad=True)
    with hooks.observe(diary):
        F.conv2d(F.conv2d(image, first).tanh(), second).sum().backward()
    convs = [flags for name, flags in diary.signals if name == "conv2d"]
    assert convs == [(True, True), (False, True)]  # no error signal of the image
    assert diary.kernels.count("conv2d_grad_input") == 1
    assert diary.kernels.count("conv2d_grad_weight") == 2


def test_observing_changes_no_result() -> None:
    def gradient() -> Any:
        x = leaf(0.1, 0.2)
        (x.sigmoid() * x).sum().backward()
        return x.grad.numpy()

    plain = gradient()
    with hooks.observe(Diary()):
        observed = gradient()
    np.testing.assert_array_equal(plain, observed)


def test_the_sums_of_a_fan_in_are_nobody_s_element_unless_they_are_recorded() -> None:
    for create_graph in (False, True):
        a = tg.Tensor([1.0, 2.0], requires_grad=True)
        diary = Diary()
        with tg.hooks.observe(diary):
            loss = ((a * a) + a).sum()
            before = len(diary.lines)
            loss.backward(create_graph=create_graph)
        forward = [line for line in diary.lines[before:] if line.startswith("forward")]
        assert bool(forward) == create_graph
