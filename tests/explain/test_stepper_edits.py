"""Edits of the stepper: against hooks, remembered, undone, whatever way is taken."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain import Stepper, dump, page, record, step

from .stepped_graphs import (
    GRAPHS,
    Build,
    Leaves,
    bits,
    by_backward,
    diamond,
    leaf,
    residual_chain,
    seed_of,
    stepping,
)

EDITS: dict[str, tuple[Callable[[Stepper], Stepper], Callable[[Any], Any]]] = {
    "scale": (lambda s: s.scale(3.0), lambda d: d * np.float32(3.0)),
    "zero": (lambda s: s.zero(), lambda d: d * 0),
    "zero one": (lambda s: s.zero((1, 2)), lambda d: _with(d, (1, 2), 0.0)),
    "set": (lambda s: s.set((-1, 0), -7.5), lambda d: _with(d, (-1, 0), -7.5)),
    "nan": (lambda s: s.set((0, 1), math.nan), lambda d: _with(d, (0, 1), math.nan)),
    "all": (lambda s: s.set(None, 2.0), lambda d: np.full_like(d, 2.0)),
    "replace": (
        lambda s: s.replace(np.arange(12.0).reshape(3, 4)),
        lambda d: np.arange(12, dtype=np.float32).reshape(3, 4),
    ),
    "scale one": (lambda s: s.scale(1e39, (0, 0)), lambda d: _with(d, (0, 0), d[0, 0] * np.inf)),
    "twice": (lambda s: s.scale(2.0).set((0, 0), 1.0), lambda d: _with(d * 2, (0, 0), 1.0)),
}


def _two_readers() -> tuple[Leaves, Any]:
    x = leaf("x", 3, 4)
    h = x.tanh()
    return {"x": x}, (h.exp() + h * 2.0).sum()


def _with(array: Any, index: Any, number: Any) -> Any:
    changed = array.copy()
    changed[index] = number
    return changed


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_does_what_a_hook_that_replaces_the_error_signal_does(kind: str) -> None:
    edit, oracle = EDITS[kind]
    x = leaf("x", 3, 4)
    h = x.tanh()
    h.register_hook(lambda signal: tg.Tensor(oracle(signal.numpy())))
    (h.exp() + h * 2.0).sum().backward()
    leaves, stepper = stepping(_two_readers)
    edit(stepper.to("tanh")).run()
    np.testing.assert_array_equal(leaves["x"].grad.numpy(), x.grad.numpy())
    comparison = stepper.compare()
    assert [row.name for row in comparison.signals if not row.same] == ["tanh"]
    assert [row.name for row in comparison.gradients if not row.same] == ["x"]
    assert "error signals that differ: 1 of 5" in str(comparison)


def test_an_edit_is_remembered_listed_and_undone() -> None:
    expected = by_backward(residual_chain)
    leaves, stepper = stepping(residual_chain)
    stepper.to("relu").scale(0.5).to("conv2d").zero((0, 1, 2, 2)).run()
    edited = bits(leaves)
    assert list(map(str, stepper.edits)) == [
        "before #8 relu: δ(relu#8) times 0.5",
        "before #7 conv2d: δ(conv2d#7)[0,1,2,2] set to 0",
    ]
    assert edited != expected
    stepper.to("#8").run()
    assert bits(leaves) == edited
    stepper.replay()
    assert bits(leaves) == edited
    stepper.undo(1)
    assert bits(leaves) not in (edited, expected)
    stepper.undo()
    assert bits(leaves) == expected
    assert str(stepper.compare()) == "nothing was edited: gradients are those of backward()"


def test_an_edit_of_the_sum_so_far_at_a_fan_in() -> None:
    leaves, stepper = stepping(diamond)
    stepper.to("exp").zero(of="h").run()
    x = leaf("x", 3, 4)
    x.tanh().exp().sum().backward()
    assert leaves["x"].grad.numpy().tobytes() == x.grad.numpy().tobytes()


def test_an_edit_while_later_ones_are_remembered() -> None:
    leaves, stepper = stepping(lambda: _power())
    stepper.to("exp").scale(2.0).to("log").scale(3.0).back(len(stepper)).to("#3").scale(5.0).run()
    assert leaves["x"].grad.item() == pytest.approx(30.0)


def _power() -> tuple[Leaves, Any]:
    x = tg.Scalar(4.0, requires_grad=True)
    return {"x": x}, x.log().exp() * 1.0


@pytest.mark.parametrize("build", GRAPHS.values(), ids=GRAPHS)
def test_the_document_of_a_walk_tells_what_a_recording_of_backward_does(build: Build) -> None:
    tg.manual_seed(5)
    with record():
        _, result = build()
        result.backward(seed_of(result), retain_graph=True)
    recorded = dump(result).to_json()
    for other in (recorded, found := _document(result)):
        for element in other["elements"]:
            (element["backward"] or {}).pop("seconds", None)
        for value in other["values"]:
            del value["passes"], value["signal"]
    assert found == recorded


def _document(result: Any) -> dict[str, Any]:
    with step(result, seed_of(result)) as stepper:
        text = stepper.run().page()
    document = text.split('id="graph">')[1].split("</script>")[0]
    found: dict[str, Any] = json.loads(document)
    return found


def test_the_page_of_an_edited_walk_carries_both() -> None:
    _, stepper = stepping(residual_chain)
    plain = stepper.to("relu").page("a walk")
    assert 'id="unedited"' not in plain
    edited = stepper.scale(0.5).next().page()
    assert "<p>Edited before #8 relu: δ(relu#8) times 0.5</p>" in edited
    signals = []
    for name in ("graph", "unedited"):
        document = json.loads(edited.split(f'id="{name}">')[1].split("</script>")[0])
        signals.append(document["elements"][7]["outgoing"][0]["figures"]["norm"])
    assert signals[0] == 0.5 * signals[1]
    with pytest.raises(OptionError, match="got 7 elements for 11"):
        page(dump(residual_chain()[1]), before=dump(diamond()[1]))


def test_a_document_of_half_a_walk_knows_the_fan_ins_that_are_complete() -> None:
    _, stepper = stepping(residual_chain)
    documents = []
    for place in ("#4", "#3"):
        text = stepper.to(place).page()
        documents.append(json.loads(text.split('id="graph">')[1].split("</script>")[0]))
    complete = [[len(f["contributions"]) for f in document["fan_ins"]] for document in documents]
    assert complete == [[2, 2], [2, 2, 2]]  # and not that of w, which one is still to send to
    assert documents[0]["elements"][3]["outgoing"] is None
    assert documents[1]["elements"][3]["outgoing"] is not None


def test_what_is_nan_in_both_walks_does_not_differ() -> None:
    x = tg.Tensor(np.array([np.nan, 1.0], np.float32), requires_grad=True, name="x")
    y = leaf("y", 2)
    comparison = step((x * x + y).sum()).to("multiply").set((1,), 1.0).run().compare()
    assert sorted(row.name for row in comparison.gradients if row.same) == ["x", "y"]
    assert "nan" not in str(comparison)


@settings(max_examples=60, deadline=None)
@given(
    moves=st.lists(st.tuples(st.sampled_from("nbtsuzr"), st.integers(0, 30)), max_size=25),
    which=st.sampled_from(["diamond", "residual_chain", "joined", "scalars_and_tensors"]),
)
def test_the_way_taken_makes_no_difference(moves: list[tuple[str, int]], which: str) -> None:
    leaves, stepper = stepping(GRAPHS[which])
    total = len(stepper)
    for move, number in moves:
        if move == "n" and not stepper.at_end:
            stepper.next(1 + number % 4)
        elif move == "b" and stepper.position:
            stepper.back(1 + number % 4)
        elif move == "t":
            stepper.to(1 + number % total)
        elif move == "r":
            stepper.replay()
        elif move == "u" and stepper.edits:
            stepper.undo(1 + number % len(stepper.edits))
        elif move in "sz" and not stepper.at_end:
            of = sorted(stepper.signals())[number % len(stepper.signals())]
            stepper.scale(0.5 + number, of=of) if move == "s" else stepper.zero(of=of)
    if not stepper.at_end:
        stepper.run()
    found = bits(leaves)
    again_leaves, again = stepping(GRAPHS[which])
    for position in range(total):
        for edit in stepper.edits:
            if edit.position == position:
                factor = edit.number if edit.kind == "scale" else 0.0
                again.scale(factor, of=edit.name) if factor else again.zero(of=edit.name)
        again.next()
    assert bits(again_leaves) == found
    while stepper.edits:
        stepper.undo()
    assert bits(leaves) == by_backward(GRAPHS[which])
