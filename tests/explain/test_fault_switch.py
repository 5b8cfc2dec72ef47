"""Faults are switched on for one context, in the real engine, and leave nothing behind."""

import threading
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.explain import FAULTS, fault
from tinygrad_cnn.explain.faults.fault import KINDS

METHODS = {
    (exchange.owner, exchange.method): vars(exchange.owner)[exchange.method]
    for each in FAULTS.values()
    for exchange in each.exchanges
}


def are_the_old_ones() -> bool:
    return all(vars(owner)[name] is method for (owner, name), method in METHODS.items())


def relu_gradient() -> Any:
    x = tg.Tensor([1.0, -2.0, 3.0], requires_grad=True)
    F.relu(x).sum().backward()
    assert x.grad is not None
    return x.grad.tolist()


@pytest.mark.parametrize("each", FAULTS.values(), ids=FAULTS)
def test_a_fault_says_what_is_wrong(each: Any) -> None:
    assert each.kind in KINDS
    assert each.says.endswith(".")
    assert each.right != each.wrong
    assert each.mistake
    assert each.exchanges
    if each.kind == "rule":
        assert all(name in ELEMENTS for name in each.touches)
    assert each.says in str(each)


@pytest.mark.parametrize("name", FAULTS)
def test_the_methods_are_the_old_ones_again(name: str) -> None:
    with fault(name) as told:
        assert told.name == name
        assert not are_the_old_ones()
    assert are_the_old_ones()


def test_so_they_are_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), fault("relu_mask_left_out"):
        _ = 1 / 0
    assert are_the_old_ones()
    assert relu_gradient() == [1.0, 0.0, 1.0]


def test_another_thread_computes_rightly() -> None:
    seen: list[Any] = []
    with fault("relu_mask_left_out"):
        thread = threading.Thread(target=lambda: seen.append(relu_gradient()))
        thread.start()
        thread.join()
        assert relu_gradient() == [1.0, 1.0, 1.0]
    assert seen == [[1.0, 0.0, 1.0]]


def test_two_threads_have_two_faults_of_one_method() -> None:
    # Both exchange one method; the first one to enter leaves first.
    both, left, seen = threading.Barrier(2), threading.Event(), {}

    def first() -> None:
        with fault("relu_mask_left_out"):
            both.wait()
            seen["first"] = relu_gradient()
            both.wait()
        left.set()

    def second() -> None:
        with fault("relu_mask_moved"):
            both.wait()
            both.wait()
            left.wait()
            seen["second"] = relu_gradient()

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"first": [1.0, 1.0, 1.0], "second": [1.0, 1.0, 0.0]}
    assert are_the_old_ones()


def test_one_fault_is_on_at_a_time() -> None:
    with fault("step_uphill"):
        with pytest.raises(OptionError, match=r"'zero_grad_left_out' inside 'step_uphill'.*there"):
            fault("zero_grad_left_out").__enter__()
        assert not are_the_old_ones()
    assert are_the_old_ones()


def test_an_unknown_fault_is_refused_with_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match=r"kernel_not_turned.*Did you mean 'step_uphill'"):
        fault("step_uphil").__enter__()
    with pytest.raises(UnknownNameError, match=r"^fault: .*; got \['step_uphill'\]"):
        fault(["step_uphill"]).__enter__()  # type: ignore[arg-type]


# -- small numbers by hand -----------------------------------------------------------------


def gradient(function: Any, values: Any) -> Any:
    x = tg.Tensor(np.array(values), requires_grad=True)
    function(x).backward()
    assert x.grad is not None
    return x.grad.numpy()


IMAGE = np.array([[[[1.0, 5.0], [2.0, 3.0]]]])
KERNEL = tg.Tensor(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]))
SCORES = np.array([[0.0, 0.0], [0.0, 0.0]])

BY_HAND: dict[str, tuple[Any, Any, Any, Any]] = {
    "kernel_not_turned": (
        lambda x: F.conv2d(x, KERNEL).sum(), IMAGE, [[1, 2], [3, 4]], [[4, 3], [2, 1]]
    ),
    "max_to_first_place": (
        lambda x: F.max_pool2d(x, 2).sum(), IMAGE, [[0, 1], [0, 0]], [[1, 0], [0, 0]]
    ),
    "max_to_all_places": (
        lambda x: F.max_pool2d(x, 2).sum(), IMAGE, [[0, 1], [0, 0]], [[1, 1], [1, 1]]
    ),
    "mean_without_share": (
        lambda x: F.avg_pool2d(x, 2).sum(), IMAGE, [[0.25, 0.25]] * 2, [[1, 1]] * 2
    ),
    "mean_to_first_place": (
        lambda x: F.global_avg_pool2d(x).sum(), IMAGE, [[0.25, 0.25]] * 2, [[1, 0], [0, 0]]
    ),
    "sigmoid_slope_of_z": (lambda x: F.sigmoid(x).sum(), [0.0], [0.25], [0.0]),
    "tanh_slope_of_z": (
        lambda x: F.tanh(x).sum(), [2.0], [1 - np.tanh(2.0) ** 2], [-3.0]
    ),
    "relu_mask_of_signal": (lambda x: (F.relu(x) * -1.0).sum(), [2.0, -1.0], [-1, 0], [0, 0]),
    "softmax_without_cross_terms": (
        lambda x: (F.softmax(x) * tg.Tensor(np.array([4.0, 0.0]))).sum(),
        [0.0, 0.0], [1, -1], [1, 0],
    ),
    "batch_share_left_out": (
        lambda x: F.cross_entropy(x, np.array([0, 1])), SCORES,
        [[-0.25, 0.25], [0.25, -0.25]], [[-0.5, 0.5], [0.5, -0.5]],
    ),
    "loss_sign_turned": (
        lambda x: F.mse_loss(x, np.zeros(2)), [1.0, 3.0], [1, 3], [-1, -3]
    ),
    "fan_in_overwritten": (lambda x: (x * 2.0 + x * 3.0).sum(), [1.0], [5], [2]),
    "batch_norm_constant_statistics": (
        lambda x: (F.batch_norm(x, training=True, eps=0.0) * tg.Tensor(np.array([[1.0], [3.0]])))
        .sum(),
        [[-1.0], [1.0]], [[0], [0]], [[1], [3]],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("function", "values", "right", "wrong"), BY_HAND.values(), ids=BY_HAND)
def test_gradients_are_wrong_in_the_way_that_is_said(
    function: Any, values: Any, right: Any, wrong: Any, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    shape = np.shape(values)
    np.testing.assert_allclose(gradient(function, values), np.reshape(right, shape), atol=1e-12)
    with fault(name):
        found = gradient(function, values)
    np.testing.assert_allclose(found, np.reshape(wrong, shape), atol=1e-6)


def test_steps_go_wrong_in_the_way_that_is_said() -> None:
    def after(name: str | None, **options: float) -> float:
        w = tg.Tensor(np.array([1.0]), requires_grad=True)
        optimiser = tg.optim.SGD([w], **options)  # type: ignore[arg-type]

        def two() -> float:
            for _ in range(2):
                optimiser.zero_grad()
                (w * 3.0).sum().backward()
                optimiser.step()
            return float(w.item())

        if name is None:
            return two()
        with fault(name):
            return two()

    assert after(None, lr=0.1) == pytest.approx(0.4)
    assert after("zero_grad_left_out", lr=0.1) == pytest.approx(0.1)
    assert after("step_uphill", lr=0.1) == pytest.approx(1.6)
    assert after(None, lr=0.1, momentum=0.5) == pytest.approx(1 - 0.3 - 0.45)
    assert after("momentum_sign_turned", lr=0.1, momentum=0.5) == pytest.approx(1 - 0.3 - 0.15)
    once = 1 - 0.1 * (3 - 0.5)
    twice = once - 0.1 * (3 - 0.5 * once)
    assert after("weight_decay_sign_turned", lr=0.1, weight_decay=0.5) == pytest.approx(twice)


def test_a_drawn_mask_and_a_scale_are_wrong_in_dropout() -> None:
    def both() -> tuple[Any, Any]:
        tg.manual_seed(3)
        x = tg.Tensor(np.ones(200), requires_grad=True)
        y = F.dropout(x, 0.5)
        y.sum().backward()
        assert x.grad is not None
        return y.numpy(), x.grad.numpy()

    values, right = both()
    np.testing.assert_array_equal(values, right)
    with fault("dropout_without_scale"):
        np.testing.assert_array_equal(both()[1], right / 2)
    with fault("dropout_mask_redrawn"):
        values, wrong = both()
    np.testing.assert_array_equal(values, right)
    assert set(wrong) == {0.0, 2.0}
    assert (wrong != right).any()
