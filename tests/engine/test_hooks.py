"""Functions that look on: at elements, at values, at modules."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import hooks, nn
from tinygrad_cnn.errors import DTypeError, GraphError, ShapeError, UnknownNameError


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(np.array(values), requires_grad=True)


# -- elements ----------------------------------------------------------------------------


def test_a_forward_hook_sees_every_element_or_those_of_one_name() -> None:
    x, all_of_them, products = leaf(1.0, 2.0), [], []
    everything = hooks.on_forward(lambda e, inputs, outputs: all_of_them.append(e.name))
    with hooks.on_forward(lambda *facts: products.append(facts), "multiply"):
        loss = (x * x).sum()
    everything.remove()
    everything.remove()
    x.exp()
    assert all_of_them == ["multiply", "sum"]
    ((element, inputs, outputs),) = products
    assert element.name == "multiply"
    assert inputs[0] is inputs[1] is x
    assert outputs[0].tolist() == [1.0, 4.0]
    assert loss.item() == 5.0
    assert not hooks.observers()


def test_what_a_forward_hook_returns_or_computes_changes_nothing() -> None:
    seen = []

    def look(element: Any, inputs: Any, outputs: Any) -> Any:
        seen.append(element.name)
        return outputs[0] * 100.0  # an element too

    with hooks.on_forward(look):
        assert leaf(3.0).exp().item() == pytest.approx(np.exp(3.0))
    assert seen == ["exp"]


def test_a_backward_hook_sees_the_error_signals_and_may_replace_them() -> None:
    x, w, seen = leaf(2.0), leaf(5.0), []

    def double(element: Any, outgoing: Any, incoming: Any) -> Any:
        seen.append([None if s is None else s.item() for s in (*outgoing, *incoming)])
        return [None if signal is None else signal * 2.0 for signal in incoming]

    with hooks.on_backward(double, "multiply"):
        (x * w + w).backward()
    assert seen == [[1.0, 5.0, 2.0]]
    assert (x.grad.item(), w.grad.item()) == (10.0, 5.0)
    with hooks.on_backward(double, "multiply"):
        assert tg.grad(x * w, x)[0].item() == 10.0
    assert seen[1] == [1.0, 5.0, None]
    with hooks.on_backward(lambda *_: (None, None), "multiply"):
        assert tg.grad(x * w, x, allow_unused=True) == (None,)


def test_a_replaced_signal_can_be_differentiated() -> None:
    x = leaf(3.0)
    with hooks.on_backward(lambda e, outgoing, incoming: (incoming[0] * x,), "exp"):
        (first,) = tg.grad(x.exp(), x, create_graph=True)
    (second,) = tg.grad(first, x)
    assert second.item() == pytest.approx(np.exp(3.0) * (3.0 + 1.0))


def test_what_a_hook_keeps_is_not_written_into() -> None:
    x, kept = leaf(1.0, 2.0), []
    with hooks.on_backward(lambda e, outgoing, incoming: kept.extend(incoming), "exp"):
        (x.exp() + x * 10.0 + x * 100.0).sum().backward()
    np.testing.assert_allclose(kept[0].numpy(), np.exp([1.0, 2.0]))


@pytest.mark.parametrize(
    ("answer", "error", "match"),
    [
        (lambda s: (s, s), GraphError, "on_backward: .*input of exp.*got 2 for 1"),
        (lambda s: tg.Tensor(np.zeros(3)), ShapeError, r"what a hook returns .*got \(3,\) for"),
        (lambda s: s.float(), DTypeError, "what a hook returns .*float32"),
        (lambda s: 3.0, DTypeError, "what a hook returns .*got float"),
    ],
)
def test_replacements_that_do_not_fit_are_refused(answer: Any, error: Any, match: str) -> None:
    x = leaf(1.0)
    with (
        hooks.on_backward(lambda e, outgoing, incoming: answer(incoming[0]), "exp"),
        pytest.raises(error, match=match),
    ):
        x.exp().backward()
    if error is not GraphError:
        x.register_hook(answer)
        with pytest.raises(error, match=f"register_hook: {match}"):
            x.exp().backward()


@pytest.mark.parametrize("register", [hooks.on_forward, hooks.on_backward])
def test_an_unknown_element_is_refused_with_the_nearest_name(register: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"got 'conv2'\. Did you mean 'conv2d'"):
        register(print, "conv2")
    assert not hooks.observers()


# -- values ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tg.Scalar, tg.Tensor], ids=["scalar", "tensor"])
def test_a_hook_gets_the_sum_of_a_fan_in_once(make: Any) -> None:
    x = make(3.0, requires_grad=True)
    y = x * 2.0
    seen: list[Any] = []
    for name, value in (("x", x), ("y", y)):
        value.register_hook(lambda signal, name=name: seen.append((name, signal.item())))
    loss = y * y + y
    loss.register_hook(lambda signal: seen.append(("loss", signal.item())))
    loss.backward()
    assert seen == [("loss", 1.0), ("y", 13.0), ("x", 26.0)]
    assert x.grad.item() == 26.0


def test_a_replaced_signal_goes_on_and_is_what_grad_holds() -> None:
    x = leaf(3.0)
    y = x * 2.0
    y.retain_grad()
    first = y.register_hook(lambda signal: signal * 10.0)
    y.register_hook(lambda signal: signal + 1.0)
    y.backward(retain_graph=True)
    assert (y.grad.item(), x.grad.item()) == (11.0, 22.0)
    first.remove()
    assert tg.grad(y, [y, x])[1].item() == 4.0


def test_a_leaf_hook_returns_memory_that_stays_its_own() -> None:
    x, mine = leaf(1.0), tg.Tensor(np.array([7.0]))
    with x.register_hook(lambda signal: mine):
        for _ in range(2):
            (x * 2.0).backward()
    assert x.grad.item() == 14.0
    assert mine.item() == 7.0


@pytest.mark.parametrize("wrong", [None, "print", 3])
def test_a_hook_is_a_function(wrong: Any) -> None:
    for operation, register in (
        ("on_forward", tg.hooks.on_forward),
        ("on_backward", tg.hooks.on_backward),
        ("register_hook", leaf(1.0).register_hook),
        ("register_forward_hook", nn.Tanh().register_forward_hook),
    ):
        with pytest.raises(DTypeError, match=rf"^{operation}: it takes a function; got "):
            register(wrong)


@pytest.mark.parametrize("wrong", ["conv9d", 3, ["conv2d"]])
def test_an_element_that_nobody_registered_has_no_hook(wrong: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"on_forward: the known names are .*; got"):
        tg.hooks.on_forward(print, wrong)


def test_a_value_without_error_signal_has_no_hook() -> None:
    with pytest.raises(GraphError, match=r"register_hook: .*of shape \(2,\)"):
        tg.zeros(2).register_hook(print)


def test_hooks_keep_no_graph_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0)
        y = x.exp()
        handle = y.register_hook(lambda signal: signal * 2.0)
        alive = weakref.ref(y.creator)
        y.backward()
        del y
        assert alive() is None
        handle.remove()
    finally:
        gc.enable()


# -- modules -----------------------------------------------------------------------------


def test_a_module_hook_sees_what_goes_in_and_out_and_may_replace_it() -> None:
    network, seen = nn.Sequential(nn.Tanh(), nn.Sigmoid()), []
    handle = network[0].register_forward_hook(
        lambda module, inputs, output: seen.append((type(module).__name__, inputs, output))
    )
    x = leaf(0.5)
    network(x)
    ((name, inputs, output),) = seen
    assert (name, inputs) == ("Tanh", (x,))
    assert output.item() == pytest.approx(np.tanh(0.5))
    handle.remove()
    with network.register_forward_hook(lambda module, inputs, output: output * 0.0):
        assert network(x).item() == 0.0
    assert network(x).item() == pytest.approx(F.sigmoid(F.tanh(x)).item())
    assert len(seen) == 1
