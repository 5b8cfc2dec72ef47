"""What came to a value by each path: against the same net with one leaf for each path."""

import json
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models
from tinygrad_cnn.errors import DTypeError, GraphError
from tinygrad_cnn.explain import GraphDump, count_paths, dump, fan_ins, record

Paths = tuple[Callable[[Any], Any], ...]
READERS: dict[str, Paths] = {
    "two": (lambda x: x.tanh(), lambda x: x * 0.5),
    "three": (lambda x: x.tanh(), lambda x: x * -2.0, lambda x: x.exp()),
    "five": tuple(lambda x, k=k: x * float(k - 1) for k in range(5)),
    "against each other": (lambda x: x * 3.0, lambda x: x * -3.0),
    "nothing by one of them": (lambda x: x * 0.0, lambda x: x * 2.0),
}
KINDS = ("tensor", "images", "scalar")


def value(kind: str, **options: Any) -> Any:
    generator = np.random.default_rng(3)
    if kind == "scalar":
        return tg.Scalar(0.7, **options)
    return tg.Tensor(generator.normal(size=(2, 3, 4, 5) if kind == "images" else 6), **options)


def number(values: list[Any], kind: str) -> Any:
    weights = np.random.default_rng(4).normal(size=values[0].shape)
    total = values[0]
    for other in values[1:]:
        total = total + other
    return total * 1.5 if kind == "scalar" else (total * tg.Tensor(weights)).sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("paths", READERS.values(), ids=READERS)
@pytest.mark.parametrize("inside", [False, True], ids=["leaf", "value on the way"])
def test_figures_are_those_of_one_leaf_for_each_path(paths: Paths, kind: str, inside: bool) -> None:
    x = value(kind, requires_grad=True, name="x")
    with record():
        h = tg.name(x * 1.0, "h") if inside else x
        loss = number([path(h) for path in paths], kind)
        loss.backward()
    (row,) = fan_ins(loss).rows
    leaves = [value(kind, requires_grad=True) for _ in paths]
    number([path(leaf) for path, leaf in zip(paths, leaves, strict=True)], kind).backward()
    parts = [np.array(leaf.grad._value, np.float64).ravel() for leaf in leaves][::-1]
    total = np.sum(parts, axis=0)
    norms = [float(np.linalg.norm(part)) for part in parts]
    assert row.value == ("h" if inside else "x")
    found = row.fan_in
    assert found.norm == pytest.approx(np.linalg.norm(total), rel=1e-12, abs=1e-14)
    arrived = sorted(found.contributions, key=lambda one: -one.element)
    assert [one.norm for one in arrived] == pytest.approx(norms, rel=1e-12)
    assert found.cancellation == pytest.approx(np.linalg.norm(total) / sum(norms), abs=1e-14)
    assert found.norm_shares == pytest.approx([norm / sum(norms) for norm in norms])
    if np.linalg.norm(total) > 0:
        assert found.shares == pytest.approx(
            [part @ total / (total @ total) for part in parts], abs=1e-13
        )
        assert sum(found.shares) == pytest.approx(1.0)
    for i, one in enumerate(parts):
        for j, other in enumerate(parts):
            if norms[i] and norms[j]:
                assert found.cosine(i, j) == pytest.approx(one @ other / norms[i] / norms[j])
            else:
                assert math.isnan(found.cosine(i, j))


def test_both_operands_of_one_element_count() -> None:
    x = tg.Scalar(3.0, requires_grad=True, name="x")
    with record():
        y = x * x
        y.backward()
    (row,) = fan_ins(y).rows
    assert row.senders == ("multiply (x)", "multiply (y)")
    assert [sent.norm for sent in row.fan_in.contributions] == [3.0, 3.0]


def test_a_shared_weight_is_a_fan_in_and_a_weight_read_once_is_none() -> None:
    w = tg.Tensor(np.eye(2), requires_grad=True, name="w")
    v = tg.Tensor(np.eye(2), requires_grad=True, name="v")
    with record():
        loss = (((tg.Tensor([[1.0, 2.0]], dtype=np.float64) @ w).tanh() @ w) @ v).sum()
        loss.backward()
    assert [row.value for row in fan_ins(loss).rows] == ["w"]


def test_readers_that_no_error_signal_comes_from_do_not_count() -> None:
    x = value("tensor", requires_grad=True, name="x")
    with record():
        h = tg.name(x * 2.0, "h")
        loss = (h.tanh() + h).sum()
        h.exp()  # leads nowhere
        h.detach() * 3.0
        loss.backward()
    (row,) = fan_ins(loss).rows
    assert row.senders == ("add", "tanh")
    with record():
        other = x.tanh().sum()
        x.exp()
        other.backward()
    assert fan_ins(other).rows == ()
    assert str(fan_ins(other)) == "fan-ins: none; each error signal came by one path"


def test_two_walks_are_not_one_fan_in() -> None:
    x = value("tensor", requires_grad=True, name="x")
    with record():
        one, other = x.tanh().sum(), x.exp().sum()
        one.backward()
        other.backward()
    assert fan_ins(one).rows == fan_ins(other).rows == ()


def test_a_second_walk_takes_the_place_of_the_first() -> None:
    x = value("tensor", requires_grad=True, name="x")
    with record():
        loss = (x.tanh() + x).sum()
        loss.backward(retain_graph=True)
        loss.backward(tg.Tensor(np.array(3.0)))
    (row,) = fan_ins(loss).rows
    assert row.fan_in.norm == pytest.approx(np.linalg.norm(x.grad.numpy()) * 3 / 4)


def test_contributions_are_let_go_once_all_have_arrived() -> None:
    seen: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def look(element: Any, outgoing: Any, incoming: Any) -> None:
        alive.append(sum(reference() is not None for reference in seen))
        seen.extend(weakref.ref(s._value) for s in incoming if s is not None)

    x = value("tensor", requires_grad=True)
    with record() as recording:
        h = x
        for _ in range(20):
            h = h.tanh() + h
        loss = h.sum()
        with tg.hooks.on_backward(look):
            loss.backward()
        held = recording._fan_ins._waiting
    assert len(alive) == 41
    assert max(alive) <= 6  # of 61 that were sent
    assert not held
    assert len(fan_ins(loss).rows) == 20


def test_a_document_tells_the_same(generator: np.random.Generator) -> None:
    row = models.find("resnet20")
    network = row.build_twin()
    images = tg.Tensor(generator.normal(size=(2, *row.twin_input)), dtype=np.float32)
    with record():
        loss = row.loss(network(images), np.array([0, 1]))
        loss.backward()
    again = GraphDump.from_json(json.loads(json.dumps(dump(loss).to_json())))
    assert str(fan_ins(again)) == str(fan_ins(loss))
    assert str(count_paths(again)) == str(count_paths(loss))
    assert [row.senders for row in fan_ins(loss).rows] == [
        ("layer3.0.shortcut.index", "layer3.0.conv1.conv2d"),
        ("layer2.0.shortcut.index", "layer2.0.conv1.conv2d"),
        ("layer1.0.add.add", "layer1.0.conv1.conv2d"),
    ]


def test_gradients_are_bit_for_bit_those_without_a_recording() -> None:
    grads = []
    for keep in (False, True):
        x = value("images", requires_grad=True)

        def run(x: Any = x) -> None:
            h = x * 1.5
            number([h.tanh(), h, h.exp(), h.relu()], "images").backward()

        if keep:
            with record():
                run()
        else:
            run()
        grads.append(x.grad.numpy())
    np.testing.assert_array_equal(*grads)


@pytest.mark.parametrize("tell", [fan_ins, count_paths])
def test_what_has_no_paths_is_refused(tell: Any) -> None:
    with pytest.raises(DTypeError, match=rf"{tell.__name__}: it is told of a value.*got float"):
        tell(1.0)
    with pytest.raises(GraphError, match=rf"{tell.__name__}: no recorded element computed"):
        tell(tg.Tensor([1.0], requires_grad=True))


def test_images_in_another_layout_are_measured_alike() -> None:
    x = value("images", requires_grad=True, name="x")
    weight = tg.Tensor(np.random.default_rng(5).normal(size=(3, 3, 1, 1)), requires_grad=True)
    with record():
        loss = (F.conv2d(x, weight) + x).tanh().sum()
        loss.backward()
    (row,) = fan_ins(loss).rows
    assert row.fan_in.norm == pytest.approx(np.linalg.norm(x.grad.numpy()), rel=1e-12)
