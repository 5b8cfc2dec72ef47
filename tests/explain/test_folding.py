"""Folding loses nothing, folds what repeats, and nothing that only looks like it."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models
from tinygrad_cnn.explain import GraphDump, dump
from tinygrad_cnn.explain.folding import (
    Element,
    Item,
    Repeat,
    elements,
    fold,
    representatives,
    unfold,
)

from .runs import RUNS, structure


def written(items: tuple[Item, ...]) -> list[Any]:
    """Elements by name, blocks as (times, what is in them)."""
    return [
        (item.times, written(item.items)) if isinstance(item, Repeat) else item.form.name
        for item in items
    ]


def wiring(items: tuple[Item, ...]) -> list[tuple[list[int], list[int]]]:
    """Numbers of values that elements read and made, from the folded form alone."""
    seen: list[list[int]] = []
    count = 0
    whole = list(unfold(items))
    for element in whole:
        inputs: list[int] = []
        for back, place in element.form.inputs:
            if back is None:
                inputs.append(count)
                count += 1
            else:
                inputs.append((inputs if back == 0 else seen[-back])[place])
        outputs = list(range(count, count + len(element.form.outputs)))
        count += len(outputs)
        seen.append([*inputs, *outputs])
    sizes = [len(element.form.inputs) for element in whole]
    return [(values[:size], values[size:]) for values, size in zip(seen, sizes, strict=True)]


@pytest.mark.parametrize("name", models.names())
def test_unfolding_a_twin_gives_the_same_sequence(name: str) -> None:
    graph = structure(name)
    assert list(unfold(fold(graph))) == list(elements(graph.steps))


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_unfolding_a_run_gives_the_same_wiring(run: Callable[[], GraphDump]) -> None:
    graph = run()
    document = graph.to_json()["elements"]
    assert wiring(fold(graph)) == [(e["inputs"], e["outputs"]) for e in document]


def test_resnet_1202_is_three_blocks_that_repeat() -> None:
    graph = structure("resnet1202", twin=False)
    items = fold(graph)
    assert list(unfold(items)) == list(elements(graph.steps))
    assert [item.times for item in items if isinstance(item, Repeat)] == [200, 199, 199]
    assert len(items) < 40
    block = next(item for item in items if isinstance(item, Repeat))
    names = [element.texts[0] for element in unfold(block.items)]
    layers = ("conv1", "bn1", "relu1", "conv2", "bn2", "add", "relu2")
    assert names == [f"layer1.0.{layer}" for layer in layers]
    document = graph.to_json()["elements"]
    assert wiring(items) == [(e["inputs"], e["outputs"]) for e in document]


OPERATIONS: list[Callable[[tg.Scalar, tg.Scalar], tg.Scalar]] = [
    lambda y, w: y.tanh(),
    lambda y, w: y * w,
    lambda y, w: y + y,
    lambda y, w: F.sigmoid(y) + w,
]


@settings(deadline=None, max_examples=150)
@given(
    st.recursive(
        st.lists(st.integers(0, 3), min_size=1, max_size=3),
        lambda inner: st.lists(st.tuples(st.integers(1, 4), inner), min_size=1, max_size=3),
        max_leaves=6,
    ),
    st.integers(0, 6),
)
def test_programs_of_nested_loops_come_back_whole(program: Any, saving: int) -> None:
    shared = tg.Scalar(0.5, requires_grad=True, name="w")

    def run(part: Any, y: tg.Scalar) -> tg.Scalar:
        for each in part:
            if isinstance(each, tuple):
                for _ in range(each[0]):
                    y = run(each[1], y)
            else:
                y = OPERATIONS[each](y, shared)
        return y

    graph = dump(run(program, tg.Scalar(1.0, requires_grad=True)))
    items = fold(graph, saving)
    whole = list(unfold(items))
    assert whole == list(elements(graph.steps))
    assert [element.place for element in whole] == list(range(len(graph.steps)))
    # Each element stands for those of its form alone.
    for place, drawn in enumerate(representatives(items)):
        assert drawn <= place
        assert whole[drawn].form._replace(inputs=()) == whole[place].form._replace(inputs=())


def test_the_first_block_may_read_from_elsewhere() -> None:
    h, x, w, u = (tg.Scalar(0.5, requires_grad=True) for _ in range(4))
    for _ in range(6):
        h = (h * w + x * u).tanh()
    items = fold(dump(h))
    assert written(items) == [(6, ["multiply", "multiply", "add", "tanh"])]
    document = dump(h).to_json()["elements"]
    assert wiring(items) == [(e["inputs"], e["outputs"]) for e in document]


def test_blocks_that_are_wired_otherwise_inside_are_not_one() -> None:
    y = tg.Scalar(1.0, requires_grad=True).exp()
    for k in range(8):
        z = y.tanh()
        y = z + y if k % 2 else z + z
    assert written(fold(dump(y))) == ["exp", (4, ["tanh", "add", "tanh", "add"])]


def test_blocks_of_blocks_are_folded() -> None:
    y = tg.Scalar(1.0, requires_grad=True).exp()
    for _ in range(3):
        for _ in range(6):
            y = y.tanh()
        y = y.sigmoid()
    assert written(fold(dump(y))) == ["exp", (3, [(6, ["tanh"]), "sigmoid"])]


def test_what_would_save_little_stays() -> None:
    y = tg.Scalar(1.0, requires_grad=True).exp()
    for _ in range(4):
        y = y.tanh()
    assert written(fold(dump(y))) == ["exp", "tanh", "tanh", "tanh", "tanh"]
    assert written(fold(dump(y), saving=3)) == ["exp", (4, ["tanh"])]
    assert written(fold(dump(y), saving=None)) == ["exp", "tanh", "tanh", "tanh", "tanh"]


def chain(shapes: list[int], scopes: list[str] | None = None) -> GraphDump:
    """Activations in a row; `shapes` are how many values each makes, `scopes` its path."""
    y = tg.Tensor([1.0] * shapes[0], requires_grad=True).exp()
    for before, after in pairwise(shapes):
        y = (y if before == after else y[:after]).tanh()
    graph = dump(y)
    for step, scope in zip(graph.steps, scopes or [], strict=False):
        step.scope = scope
    return graph


@pytest.mark.parametrize(
    ("graph", "times"),
    [
        (lambda: chain([2] * 8, ["", *[f"layer.{k}" for k in range(7)]]), [7]),
        (lambda: chain([2] * 8, ["", *[f"layer.{2 * k}" for k in range(7)]]), [7]),
        (lambda: chain([2] * 8, ["", *["same"] * 7]), [7]),
        (lambda: chain([2] * 8, ["", *"abcdefg"]), []),
        (lambda: chain([2] * 8, ["", *[f"layer.{k}" for k in (0, 1, 2, 3, 5, 8, 13)]]), []),
        (lambda: chain([2] * 14, ["", *[f"l.{k}" for k in (*range(6), *range(9, 16))]]), [6, 7]),
        (lambda: chain([9, 8, 7, 6, 5, 4, 3, 2]), []),
    ],
    ids=["counting", "in twos", "one layer", "letters", "a gap", "two runs", "shapes"],
)
def test_names_count_and_shapes_agree(graph: Callable[[], GraphDump], times: list[int]) -> None:
    folded = graph()
    items = fold(folded)
    assert [item.times for item in items if isinstance(item, Repeat)] == times
    assert list(unfold(items)) == list(elements(folded.steps))


def test_a_block_does_not_begin_in_the_middle_of_a_layer() -> None:
    y = tg.Scalar(1.0, requires_grad=True)
    for _ in range(6):
        y = (y.exp().exp() * 1.0).tanh()
    graph = dump(y)
    for k, step in enumerate(graph.steps):
        step.scope = f"block{k // 4}.part{k % 4}"
    repeats = [item for item in fold(graph) if isinstance(item, Repeat)]
    assert [next(unfold(repeat.items)).scope for repeat in repeats] == ["block0.part0"]


def test_blocks_that_hold_repeated_blocks_fold_all_together() -> None:
    items = fold(structure("xception", twin=False))
    repeats = [item for item in items if isinstance(item, Repeat)]
    (middle,) = (each for each in repeats if next(unfold([each])).scope.startswith("middle.0"))
    inner, add = middle.items
    assert isinstance(inner, Repeat)
    assert isinstance(add, Element)
    assert (middle.times, inner.times) == (8, 3)
