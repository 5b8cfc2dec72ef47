"""Two runs side by side: what was added, removed or changed, and which figures moved."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError
from tinygrad_cnn.explain import GraphDump, difference, dump, record
from tinygrad_cnn.explain.graph_dump import SCHEMA

from .runs import foreign, neuron, structure


def network(**changes: Any) -> GraphDump:
    """A small network, with one thing changed."""
    tg.random.manual_seed(0)
    layers: dict[str, nn.Module] = {
        "conv": nn.Conv2d(1, 4, 3),
        "squash": nn.Sigmoid(),
        "pool": nn.AvgPool2d(2),
        "top": nn.Conv2d(4, 2, 3),
    }
    layers.update({name: layer for name, layer in changes.items() if isinstance(layer, nn.Module)})

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, layer in layers.items():
                setattr(self, name, layer)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            for name in layers:
                if name not in changes.get("without", ()):
                    x = getattr(self, name)(x)
            return x

    net = Net()
    images = np.random.default_rng(0).normal(size=(2, 1, 12, 12))
    with record():
        loss = F.mean(net(tg.Tensor(images, dtype=np.float32)) ** 2.0)
        loss.backward()
    return dump(loss)


ROWS: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "nothing": ({}, []),
    "an element less": (
        {"without": ["squash"]},
        [("removed", "squash.sigmoid", "")],
    ),
    "an element more": (
        {"again": nn.Tanh()},
        [("added", "again.tanh", "")],
    ),
    "another activation": (
        {"squash": nn.ReLU()},
        [
            ("changed", "squash.relu", "element"),
            ("changed", "squash.relu", "rule"),
            ("changed", "squash.relu", "rule backward"),
        ],
    ),
    "an option": (
        {"pool": nn.AvgPool2d(2, stride=1)},
        [
            ("changed", "pool.avg_pool2d", "options"),
            ("changed", "pool.avg_pool2d", "shape of y"),
            ("changed", "top.conv2d", "shape of x"),
            ("changed", "top.conv2d", "shape of z"),
            ("changed", "power", "shape of x"),
            ("changed", "power", "shape of r"),
            ("changed", "mean", "shape of x"),
        ],
    ),
    "no bias": (
        {"top": nn.Conv2d(4, 2, 3, bias=False)},
        [
            ("changed", "top.conv2d", "inputs"),
            ("changed", "top.conv2d", "rule"),
        ],
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_an_edit_is_found(row: tuple[dict[str, Any], list[tuple[str, str, str]]]) -> None:
    changes, expected = row
    found = difference(network(), network(**changes)).changes
    facts = [c[:3] for c in found if c.kind != "moved" and c.what != "kernels"]
    assert facts == expected


def test_elements_outside_layers_are_paired_by_what_they_hand_on() -> None:
    def run(squash: Callable[[tg.Tensor], tg.Tensor], more: bool = False) -> GraphDump:
        x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
        return dump(squash(x.exp()).sum(0, keepdim=True).log() if more else squash(x.exp()).log())

    found = difference(run(tg.Tensor.tanh), run(tg.Tensor.relu))
    assert found.changes[0][:5] == ("changed", "relu", "element", "tanh", "relu")
    assert found.paired == 3
    found = difference(run(tg.Tensor.tanh), run(tg.Tensor.tanh, more=True))
    assert [c[:2] for c in found.of("added")] == [("added", "sum")]


def test_removed_and_added_change_places_with_the_order() -> None:
    one, two = network(), network(without=["squash"])
    there, back = difference(one, two), difference(two, one)
    assert [c.element for c in there.of("removed")] == [c.element for c in back.of("added")]
    assert there.paired == back.paired == len(two.steps)
    ratios = {(c.element, c.what): c.ratio for c in there.of("moved")}
    for change in back.of("moved"):
        assert change.ratio == pytest.approx(1 / ratios[change.element, change.what])


def test_figures_that_moved_are_told_by_their_ratio() -> None:
    moved = {(c.element, c.what): c for c in difference(neuron(0.5), neuron(1.0)).of("moved")}
    assert moved["multiply", "‖w‖"].ratio == 2.0
    assert moved["multiply", "‖w‖"][3:5] == ("0.5", "1")
    assert ("subtract", "‖t‖") not in moved


@pytest.mark.parametrize(("least_ratio", "found"), [(1.0, True), (1.9, True), (2.1, False)])
def test_small_moves_are_left_out(least_ratio: float, found: bool) -> None:
    changes = difference(neuron(0.5), neuron(1.0), least_ratio).of("moved")
    assert any(change.what == "‖w‖" for change in changes) == found


def test_kernels_that_ran_are_compared() -> None:
    x = tg.Tensor(np.ones((1, 1, 4, 4), np.float32))
    w = tg.Tensor(np.ones((1, 1, 3, 3), np.float32), requires_grad=True)

    def run(**variants: str) -> GraphDump:
        with record(), tg.kernels.use(**variants):
            return dump(F.conv2d(x, w).sum())

    (change,) = difference(run(), run(conv2d_forward="reference")).changes
    assert change[:3] == ("changed", "conv2d", "kernels")
    assert change.after == "conv2d_forward:reference"


def test_a_document_of_another_framework_is_compared() -> None:
    ours = dump(tg.Tensor(np.ones((2, 3)), requires_grad=True).tanh().tanh())
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(foreign().to_json())
    found = difference(ours, foreign())
    assert {change.element for change in found.of("added")} == {"blocks[0].GeluBackward0"}
    assert [change.element for change in found.of("removed")] == ["tanh", "tanh"]
    assert difference(foreign(), foreign()).changes == ()


def test_many_elements_are_compared() -> None:
    deep = structure("resnet1202", twin=False)
    assert difference(deep, deep).paired == len(deep.steps)
    found = difference(structure("resnet20"), structure("resnet32"))
    assert found.paired > 0
    assert f"\n{found.paired} elements in both; " in str(found)


def test_the_text_has_a_row_for_each_change_in_a_block_for_each_element() -> None:
    found = difference(network(), network(squash=nn.ReLU()))
    head, fact, forward, backward, *rest = str(found).splitlines()
    rows = rest[rest.index("") + 1 :]
    assert len(rows) == len(found.changes)
    start = next(k for k, row in enumerate(rows) if row.startswith("!"))
    assert rows[start].startswith("!  2  squash.relu  ")
    assert [row[:3] for row in rows[start + 1 : start + 3]] == ["   ", "   "]
    column = rows[start].index("element")
    for row, change in zip(rows, found.changes, strict=True):
        assert row[column:].startswith(change.what)
    counts = [len(found.of(kind)) for kind in ("added", "removed", "changed", "moved")]
    words = ("added", "removed", "facts changed", "figures moved by 1 % or more")
    for count, word in zip(counts, words, strict=True):
        assert f"{count} {word}" in head
    assert fact == "elements part at 2: squash.relu element sigmoid → relu"
    assert forward.startswith("forward, figures part at 2 squash.relu: ‖a‖ ")
    assert backward.startswith("backward, figures part at 4 top.conv2d: ‖δ(z)‖ ")
    assert found.brief() == str(found).partition("\n\n")[0]
    assert str(difference(neuron(), neuron())).splitlines() == [
        f"{len(neuron().steps)} elements in both; 0 added, 0 removed, 0 facts changed, "
        "0 figures moved by 1 % or more"
    ]


def test_the_runs_are_named_where_they_are_two() -> None:
    one, two = neuron(), neuron()
    one.title, two.title = "epoch 1", "epoch 10"
    two.library = "another 1.0"
    lines = str(difference(one, two)).splitlines()
    assert lines[0].startswith("- epoch 1 (tinygrad_cnn ")
    assert lines[1] == "+ epoch 10 (another 1.0)"


def test_the_first_figure_beyond_rounding_is_named_though_it_counts_as_unmoved() -> None:
    found = difference(neuron(0.5), neuron(0.5001))
    assert not found.of("moved")
    assert found.first_forward is not None
    assert found.first_forward[1:3] == ("multiply", "‖w‖")
    text = str(found)
    assert "forward, figures part at 1 multiply: ‖w‖ 0.5 → 0.5001" in text
    assert "all figures agree to " in text
    assert difference(neuron(0.5), neuron(0.5 + 1e-7)).first_forward is None


def test_of_many_figures_those_that_moved_most_are_named_first() -> None:
    found = difference(network(), network(squash=nn.Tanh()), 1.05)
    lines = found.brief().splitlines()
    (line,) = (line for line in lines if line.startswith("moved most: "))
    named = line.removeprefix("moved most: ").split("; ")
    most = sorted(found.of("moved"), key=lambda change: -change.apart)[:3]
    assert [each.rpartition(" x")[0] for each in named] == [
        f"{change.number} {change.element} {change.what}" for change in most
    ]
    assert "figures moved by 5 % or more" in lines[0]
    lines = difference(neuron(0.5), neuron(1.0), 1.9).brief().splitlines()
    (rest,) = (line for line in lines if line.startswith("all other figures lie within a factor "))
    assert 1.001 < float(rest.split()[8].rstrip(",")) < 1.9
    assert "by a factor of 3 or more" in difference(network(), network(), 3.0).brief()


def test_elements_of_layers_with_other_names_are_paired_by_what_they_are() -> None:
    def run(outer: str) -> GraphDump:
        tg.random.manual_seed(0)

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                setattr(self, outer, nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))

            def forward(self, x: tg.Tensor) -> tg.Tensor:
                return getattr(self, outer)(x)

        return dump(Net()(tg.ones(2, 3)).sum())

    found = difference(run("one"), run("two"))
    assert (found.paired, found.of("added"), found.of("removed")) == (4, [], [])


def test_what_appears_or_vanishes_has_no_finite_ratio() -> None:
    def run(value: float) -> GraphDump:
        w = tg.Scalar(value, requires_grad=True, name="w")
        with record():
            y = (w * 2.0).relu()
            y.backward()
        return dump(y)

    ratios = {c.what: c.ratio for c in difference(run(-1.0), run(1.0)).of("moved")}
    assert ratios["‖a‖"] == ratios["‖∇w‖"] == np.inf
    ratios = {c.what: c.ratio for c in difference(run(1.0), run(-1.0)).of("moved")}
    assert ratios["‖a‖"] == ratios["‖∇w‖"] == 0.0


REFUSALS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: difference(neuron(), neuron(), 0.5), OptionError, "at least 1; got 0.5"),
    (lambda: difference(neuron(), neuron(), np.nan), OptionError, "at least 1; got nan"),
    (lambda: difference(neuron(), neuron(), "2"), OptionError, "at least 1; got '2'"),  # type: ignore[arg-type]
    (lambda: difference(neuron(), tg.Tensor([1.0])), GraphError, "difference: no recorded"),
    (lambda: difference("a.json", neuron()), DTypeError, "difference: .*got str"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("ask", "error", "message"), REFUSALS)
def test_what_cannot_be_compared_is_refused(
    ask: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ask()
