"""The stepper: the bits of backward(), there and back again, what is to be seen, refusals."""

import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import (
    DTypeError,
    GraphError,
    NotFiniteError,
    OptionError,
    ShapeError,
    TinygradCnnError,
    UnknownNameError,
)
from tinygrad_cnn.explain import Stepper, record, step

from .stepped_graphs import (
    GRAPHS,
    Build,
    bits,
    by_backward,
    diamond,
    leaf,
    network,
    residual_chain,
    stepping,
)

FAMILIES = (
    "lenet5", "lenet5_original", "alexnet", "zfnet", "vgg11_bn", "nin", "allcnn_c", "googlenet",
    "googlenet_torchvision", "resnet18", "resnet50", "resnet20", "plain20", "se_resnet50",
    "densenet121", "xception", "lab11_cnn3", "dlt_cnn",
)  # fmt: skip

# -- without an edit ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_stepping_through_a_network_leaves_the_bits_of_backward(name: str) -> None:
    expected = by_backward(lambda: network(name))
    leaves, stepper = stepping(lambda: network(name))
    stepper.next(len(stepper) // 2).look()
    stepper.back(2).run()
    assert bits(leaves) == expected
    assert len(expected) > 3


@pytest.mark.parametrize("build", GRAPHS.values(), ids=GRAPHS)
def test_there_and_back_again_leaves_the_bits_of_backward(build: Build) -> None:
    expected = by_backward(build)
    leaves, stepper = stepping(build)
    for position in range(1, len(stepper) + 1):
        stepper.next()
        assert bool(bits(leaves)) == stepper.at_end
        stepper.back().next()
        if position > 1:
            stepper.back(position).next(position)
    assert bits(leaves) == expected
    stepper.replay()
    assert bits(leaves) == expected
    stepper.back()
    assert not bits(leaves)
    stepper.next()
    assert bits(leaves) == expected


def test_gradients_are_added_to_those_that_were_there_and_taken_away_again() -> None:
    x = tg.Scalar(3.0, requires_grad=True)
    (x * 2.0).backward()
    stepper = step(x * x).run()
    assert (x.grad, x.grad_passes) == (8.0, 2)
    stepper.back()
    assert (x.grad, x.grad_passes) == (2.0, 1)
    stepper.next()
    x.grad = None  # the user's own doing stays
    stepper.back()
    assert x.grad is None


def test_the_graph_is_freed_by_closing_at_the_end_and_not_before() -> None:
    _, result = diamond()
    with step(result) as stepper:
        stepper.next(3)
    with step(result, retain_graph=True) as stepper:
        stepper.run()
    with step(result) as stepper:
        stepper.run()
        stepper.close()
    with pytest.raises(GraphError, match="freed by its first walk; got a second one"):
        result.backward()
    with pytest.raises(GraphError, match=r"one that a walk has freed\. Call step before backward"):
        step(result)


def test_a_stepper_that_is_gone_keeps_no_graph() -> None:
    x = leaf("x", 3)
    h = x.exp()
    stepper = step(h.sum()).run()
    gone = weakref.ref(h.node)
    del h, stepper
    gc.collect()
    assert gone() is None


def test_observers_see_the_walk_and_a_recording_tells_it() -> None:
    _, result = diamond()
    seen: list[str] = []
    with tg.hooks.on_backward(lambda element, *_: seen.append(element.name)):
        stepper = step(result).next(2)
        stepper.look()
    assert seen == ["sum", "add"]


# -- looking -----------------------------------------------------------------------------------


def test_a_pause_says_what_arrived_and_who_is_still_to_send() -> None:
    _, stepper = stepping(diamond)
    stepper.to("exp")
    (waiting,) = stepper.waiting()
    assert str(waiting).startswith("δ(h) has 2 of 3: ‖c‖ ")
    assert str(waiting).endswith("; still to come from #2 exp")
    norms = [each.norm for each in waiting.contributions]
    assert norms[1] == pytest.approx(2.0 * np.sqrt(12))
    pause = stepper.look()
    assert [seen.name for seen in pause.arrived] == ["exp"]
    assert pause.leaving[0].remark == "one of 3; 2 there"
    assert pause.rules == ["y = exp(x)", "δ(x) = δ(y) ∘ y"]
    text = str(pause)
    assert text.startswith("before #2 exp   (5 of 7 elements done)")
    assert "on its way" in text
    before = stepper.signal("h").copy()
    stepper.next()
    assert stepper.waiting() == []
    sent = np.asarray(stepper._walk.visits[-1].incoming[0]._value)  # type: ignore[union-attr]
    np.testing.assert_array_equal(stepper.signal(), before + sent)
    np.testing.assert_allclose(pause.leaving[0].statistics.norm, np.linalg.norm(sent), rtol=1e-6)  # type: ignore[union-attr]
    assert "all 7 elements are done" in str(stepper.run().look())


def test_in_a_notebook_a_stepper_is_a_picture_and_what_is_to_be_seen() -> None:
    _, stepper = stepping(diamond)
    html = stepper.next(4)._repr_html_()
    assert "<svg" in html
    assert "<pre>before #3 multiply" in html
    assert "‖δ‖" in html
    assert ">before #3 multiply" in stepper.look()._repr_html_()
    assert "nothing was edited" in stepper.compare()._repr_html_()


def test_values_are_known_from_a_recording_or_from_what_was_saved() -> None:
    x = leaf("x", 3)
    with record():
        recorded = (x.exp() + 1.0).sum()
    plain = (x.exp() + 1.0).sum()
    both = [step(each).to("add").look().values for each in (recorded, plain)]
    assert both[0][0].statistics is not None
    assert both[1][0].statistics is None  # a sum saves nothing
    assert "not kept" in str(step(plain).to("add").look())
    assert step(plain).to("exp").look().values[1].statistics is not None  # exp saves its output


def test_a_name_means_the_next_such_element_or_else_the_nearest_behind() -> None:
    _, stepper = stepping(residual_chain)
    found = [stepper.to("conv2d").element for _ in range(4)]
    assert found == ["#7 conv2d", "#4 conv2d", "#1 conv2d", "#1 conv2d"]
    assert stepper.to("relu").element == "#2 relu"
    assert stepper.to("#7").element == "#7 conv2d"
    assert stepper.break_at("relu").run().element == "#5 relu"
    assert stepper.run().element == "#2 relu"
    assert not stepper.run().element


def test_what_ran_before_a_recording_is_stepped_through_too() -> None:
    x = leaf("x", 3)
    before = x.exp()
    with record():
        result = (before * before).sum()
    assert len(step(result)) == 3


# -- what goes wrong on the way --------------------------------------------------------------


def test_a_nan_is_noticed_where_it_was_put_and_the_walk_stays_there() -> None:
    leaves, stepper = stepping(diamond)
    stepper.to("exp").set((0, 0), math.nan)
    with tg.detect_anomaly(), pytest.raises(NotFiniteError, match=r"δ\(x\) of exp with 1 of 12"):
        stepper.next()
    assert stepper.element == "#2 exp"
    assert str(stepper.waiting()[0]).startswith("δ(h) has 2 of 3")
    stepper.undo().run()
    assert bits(leaves) == by_backward(diamond)


def test_a_hook_that_fails_leaves_the_walk_where_it_was() -> None:
    leaves, stepper = stepping(residual_chain)
    stepper.to("relu")

    def fail(element: Any, outgoing: Any, incoming: Any) -> None:
        raise KeyboardInterrupt

    for _ in range(len(stepper) - stepper.position):
        with tg.hooks.on_backward(fail), pytest.raises(KeyboardInterrupt):
            stepper.next()
        stepper.next()
    assert bits(leaves) == by_backward(residual_chain)


def test_gradients_are_nobody_elses_memory() -> None:
    x, w = leaf("x", 3), leaf("w", 3, seed=1)
    stepper = step((x.exp() * w).sum()).run()
    with tg.no_grad():
        w.grad[...] = 7.0  # type: ignore[index]
    stepper.back().next()
    np.testing.assert_array_equal(w.grad.numpy(), x.exp().numpy())  # type: ignore[union-attr]


def test_what_changed_meanwhile_is_refused() -> None:
    x = leaf("x", 3)
    result = (x * x).sum()
    stepper = step(result).next()
    with tg.no_grad():
        x[0] = 5.0
    with pytest.raises(GraphError, match="changed in place since"):
        stepper.next()
    y = leaf("y", 3)
    result = (y * y).sum()
    stepper = step(result).next()
    result.backward()
    with pytest.raises(GraphError, match="freed by its first walk"):
        stepper.next()


def test_a_replay_that_is_none_is_noticed() -> None:
    x = leaf("x", 3)
    h = x.exp()
    factors = iter(range(1, 9))
    h.register_hook(lambda signal: signal * float(next(factors)))
    stepper = step(h.sum()).run()
    with pytest.raises(GraphError, match=r"others from #1 exp\. A hook that draws or counts"):
        stepper.replay()


def at_the_end() -> Stepper:
    return stepping(diamond)[1].run()


def closed() -> Stepper:
    stepper = at_the_end()
    stepper.close()
    return stepper


def begun() -> Stepper:
    return stepping(diamond)[1]


REFUSALS: list[tuple[Callable[[], Any], type[TinygradCnnError], str]] = [
    (lambda: step(3.0), DTypeError, "step: "),  # type: ignore[arg-type]
    (lambda: step(leaf("w", 2)), GraphError, r"got a leaf, w of shape \(2,\)"),
    (lambda: step(tg.Scalar(1.0) * 2.0), GraphError, "got one that does not, unnamed"),
    (lambda: step(leaf("w", 2) * 2.0), GraphError, "Reduce it with sum"),
    (lambda: step(diamond()[1], leaf("g", 2)), ShapeError, r"got \(2,\) for \(\)"),
    (
        lambda: step(tg.zeros(2, device="shapes", requires_grad=True).sum()),
        OptionError,
        "a shape and no values",
    ),
    (lambda: begun().to("C3"), UnknownNameError, "to: the elements are sum, add, sigmoid, "),
    (lambda: begun().to("exps"), UnknownNameError, "Did you mean 'exp'"),
    (lambda: begun().to(8), OptionError, "the elements of this walk are #1 to #7; got 8"),
    (lambda: begun().break_at(""), UnknownNameError, "got ''"),
    (lambda: begun().back(), GraphError, "got the beginning, before #7 sum"),
    (lambda: begun().next(0), OptionError, "one element or more; got 0"),
    (lambda: at_the_end().next(), GraphError, "got the end, all 7 are done"),
    (lambda: at_the_end().run(), GraphError, r"Go back\(\) or to\(place\)"),
    (lambda: at_the_end().zero(), GraphError, "got the end, where all are done"),
    (lambda: at_the_end().signal(), GraphError, "signal: an error signal waits"),
    (lambda: begun().set((0,), 1.0), ShapeError, r"whose shape is \(\); got \(0,\)"),
    (lambda: begun().next().set((3, 0), 1.0), ShapeError, r"axis 0 of δ\(add#6\) has .* 0 to 2"),
    (lambda: begun().next().set((0.5, 0), 1.0), DTypeError, "whole numbers"),  # type: ignore[arg-type]
    (lambda: begun().next().set((0, 0), "a"), OptionError, "is a number; got 'a'"),  # type: ignore[arg-type]
    (lambda: begun().scale(None), OptionError, "a factor is a number; got None"),  # type: ignore[arg-type]
    (lambda: begun().zero(of="x"), UnknownNameError, "that wait are sum; got 'x'"),
    (lambda: begun().next().replace(np.ones(3)), ShapeError, r"got \(3,\) for \(3, 4\)"),
    (lambda: begun().next().replace("no"), DTypeError, "got str"),
    (lambda: begun().undo(), GraphError, "got none. Edit with set"),
    (lambda: begun().zero().undo(2), OptionError, "the edits are 1 to 1; got 2"),
    (lambda: closed().next(), GraphError, "next: a stepper walks until it is closed"),
    (lambda: closed()._repr_html_(), GraphError, "look: a stepper walks"),
    (lambda: closed().waiting(), GraphError, "waiting: a stepper walks"),
    (lambda: closed().signals(), GraphError, "signals: a stepper walks"),
    (lambda: closed().look(), GraphError, "look: a stepper walks"),
]  # fmt: skip


@pytest.mark.parametrize(("deed", "kind", "message"), REFUSALS)
def test_what_cannot_be_done_is_said(
    deed: Callable[[], Any], kind: type[TinygradCnnError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        deed()
