"""The graph: what is recorded, how it is walked, what is kept alive and what is let go."""

import copy
import gc
import pickle
import threading
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.graph import elements_behind, is_recording

DEEP = 10_000


def leaf(*values: float, name: str | None = None) -> tg.Tensor:
    return tg.Tensor(np.array(values), requires_grad=True, name=name)


def chain(x: Any, length: int) -> Any:
    for _ in range(length):
        x = x + 1.0
    return x


# -- depth and many paths ----------------------------------------------------------------


@pytest.mark.parametrize("start", [leaf(1.0), tg.Scalar(1.0, requires_grad=True)], ids=["t", "s"])
def test_a_chain_of_ten_thousand_elements_goes_there_and_back(start: Any) -> None:
    start.zero_grad()
    end = chain(start, DEEP)
    assert end.item() == 1.0 + DEEP
    assert len(elements_behind(end.node)) == DEEP
    end.backward()
    assert start.grad.item() == 1.0
    del end  # 10,000 nodes are let go without recursion


def test_a_deep_graph_is_copied_and_pickled_as_a_leaf() -> None:
    end = chain(leaf(1.0), DEEP)
    for twin in (copy.deepcopy(end), copy.copy(end), pickle.loads(pickle.dumps(end))):
        assert twin.is_leaf
        assert twin.item() == 1.0 + DEEP
        assert twin.requires_grad


@pytest.mark.parametrize("start", [leaf(1.0), tg.Scalar(1.0, requires_grad=True)], ids=["t", "s"])
def test_two_to_the_thirtieth_paths_are_walked_at_once(start: Any) -> None:
    start.zero_grad()
    x = start
    begin = time.perf_counter()
    for _ in range(30):
        x = x + x
    x.backward()
    assert start.grad.item() == 2.0**30
    assert time.perf_counter() - begin < 1.0


# -- walking twice -----------------------------------------------------------------------


def test_a_leaf_that_is_used_often_adds_its_signals_up() -> None:
    x = leaf(3.0)
    (x * x + x * 2.0 + x).backward()
    assert x.grad.item() == 2 * 3.0 + 2 + 1
    assert x.grad_passes == 1


def test_a_second_walk_needs_retain_graph() -> None:
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0
    assert x.grad_passes == 2
    with pytest.raises(GraphError, match="retain_graph=True"):
        y.backward()
    assert x.grad.item() == 12.0


def test_two_losses_on_one_graph_add_up() -> None:
    x = leaf(2.0)
    y = x * x
    (y * 3.0).backward(retain_graph=True)
    (y * 5.0).backward()
    assert x.grad.item() == 4.0 * 8.0


def test_a_computation_on_top_of_a_freed_graph_cannot_be_walked() -> None:
    x, w = leaf(2.0), leaf(5.0)
    y = x * x
    y.backward()
    mixed = y * w
    with pytest.raises(GraphError, match="freed by its first walk"):
        mixed.backward()
    assert w.grad is None


def test_detaching_from_a_freed_graph_makes_it_walkable() -> None:
    x, w = leaf(2.0), leaf(5.0)
    y = x * x
    y.backward()
    (y.detach() * w).backward()
    assert w.grad.item() == 4.0


def test_results_of_freed_graphs_alone_are_no_leaves() -> None:
    x = leaf(2.0)
    y = x * x
    y.backward()
    later = y + 1.0
    assert not later.is_leaf
    assert later.creator is None
    with pytest.raises(GraphError, match="freed"):
        later.backward()


# -- memory ------------------------------------------------------------------------------


def live_elements() -> int:
    return sum(issubclass(type(thing), FunctionElement) for thing in gc.get_objects())


def test_summing_losses_up_keeps_memory_flat() -> None:
    w = tg.Tensor(np.full((20, 20), 0.01), requires_grad=True)
    x = tg.Tensor(np.ones((5, 20)))

    def step(total: Any) -> Any:
        loss = F.mse_loss((x @ w).tanh(), x)
        loss.backward()
        with tg.no_grad():
            w.data -= 0.1 * w.grad
        w.zero_grad()
        return total + loss  # as tutorials do, with the graph attached

    gc.collect()
    gc.disable()
    try:
        total: Any = 0.0
        tracemalloc.start()
        for _ in range(1000):  # fills free lists: CPython keeps 2,000 tuples of each length
            total = step(total)
        elements, (bytes_before, _) = live_elements(), tracemalloc.get_traced_memory()
        for _ in range(200):
            total = step(total)
        bytes_after, _ = tracemalloc.get_traced_memory()
        assert live_elements() - elements <= 2
        assert bytes_after - bytes_before < 80_000  # one loss kept a step: 300,000
    finally:
        tracemalloc.stop()
        gc.enable()
    assert total.item() > 0


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_graph_holds_no_reference_cycles(create_graph: bool) -> None:
    x = tg.Tensor(np.ones((1, 1, 4, 4)), requires_grad=True)
    w = tg.Tensor(np.ones((2, 1, 3, 3)), requires_grad=True)

    def walk() -> None:
        y = F.max_pool2d(F.conv2d(x, w, padding=1).sigmoid(), 2)
        loss = F.cross_entropy(y.flatten(1), np.array([3])) + y.max() + (y * y).mean()
        loss.backward(create_graph=create_graph)
        x.zero_grad()
        w.zero_grad()

    walk()  # Numba's compiler leaves cycles that hold whoever called it
    gc.collect()
    gc.disable()
    try:
        before = live_elements()
        walk()
        assert live_elements() == before
    finally:
        gc.enable()


def test_a_graph_on_top_of_a_freed_one_keeps_nothing_of_it_alive() -> None:
    x, w = leaf(2.0), leaf(5.0)
    gc.collect()  # what failed tests and their tracebacks left behind
    before = live_elements()
    freed = chain(x, 10)
    freed.backward()
    mixed = freed * w
    assert live_elements() == before + 11
    del freed
    assert live_elements() == before + 1
    assert mixed.item() == 60.0


def test_a_freed_graph_lets_its_saved_arrays_go() -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    loss = (y * y).sum()
    saving = [element for element in elements_behind(loss.node) if element._saved]
    assert [element.name for element in saving] == ["exp", "multiply"]
    loss.backward()
    assert not any(element._saved for element in saving)
    assert len(elements_behind(loss.node)) == 3  # the structure stays for printouts


def test_only_what_the_gradient_needs_is_saved() -> None:
    w, x = leaf(2.0), tg.Tensor(np.array([3.0]))
    element = (w * x).creator
    assert set(element._saved) == {"y"}


# -- in-place changes --------------------------------------------------------------------


def test_a_saved_array_that_changes_is_named() -> None:
    x = tg.Tensor(np.ones(2), name="pixels")
    loss = (leaf(1.0, 2.0) * x).sum()
    x += 1.0
    x[0] = 7.0
    with pytest.raises(GraphError, match=r"multiply saved 'pixels' .* \(2 times\)"):
        loss.backward()


def test_a_change_through_an_alias_is_seen() -> None:
    x = tg.Tensor(np.ones(2), name="x")
    loss = (leaf(1.0, 2.0) * x).sum()
    x.reshape(2, 1).detach()[0] = 5.0
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_a_change_of_what_nobody_saved_is_fine() -> None:
    w, x = leaf(1.0, 2.0), tg.Tensor(np.ones(2))
    loss = (w + x).sum()
    x += 1.0
    loss.backward()
    assert w.grad.tolist() == [1.0, 1.0]


def test_a_step_between_forward_and_backward_is_refused() -> None:
    w = leaf(1.0, 2.0, name="w")
    loss = (w * w).sum()
    with tg.no_grad():
        w -= 0.1
    with pytest.raises(GraphError, match="'w'"):
        loss.backward()


# -- switching recording off -------------------------------------------------------------


def test_no_grad_is_a_block_and_a_decorator() -> None:
    x = leaf(2.0)

    @tg.no_grad()
    def twice(value: Any) -> Any:
        assert not is_recording()
        return value * 2.0

    with tg.no_grad():
        assert (x * x).is_leaf
        with tg.enable_grad():
            assert not (x * x).is_leaf
        assert not is_recording()
    assert is_recording()
    assert twice(twice(x)).is_leaf
    assert is_recording()


def test_an_error_inside_no_grad_switches_recording_on_again() -> None:
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert is_recording()


def test_no_grad_of_one_thread_leaves_the_others_recording() -> None:
    inside, seen = threading.Event(), []

    def other() -> None:
        inside.wait(5)
        x = leaf(2.0)
        (x * x).backward()
        seen.append(x.grad.item())

    thread = threading.Thread(target=other)
    thread.start()
    with tg.no_grad():
        inside.set()
        thread.join(5)
    assert seen == [4.0]
