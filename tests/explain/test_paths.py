"""Numbers of paths, δ by their length, who sent it, and why the order of a walk matters."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError
from tinygrad_cnn.explain import (
    compare_orders,
    contribution_matrices,
    count_paths,
    record,
    split_by_length,
)
from tinygrad_cnn.explain.paths.counts import written_count


def scalar(number: float = 1.0, name: str = "x") -> tg.Scalar:
    return tg.Scalar(number, requires_grad=True, name=name)


def leaf(*shape: int, seed: int = 0, name: str | None = None) -> tg.Tensor:
    values = np.random.default_rng(seed).normal(size=shape)
    return tg.Tensor(values, requires_grad=True, name=name)


# -- how many ----------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "blocks"), [(20, 9), (110, 54)])
def test_n_residual_blocks_make_two_to_the_n_paths(depth: int, blocks: int) -> None:
    network = models.build(f"resnet{depth}", width=1 / 8)
    loss = F.cross_entropy(network(tg.Tensor(np.zeros((1, 3, 8, 8), np.float32))), np.array([0]))
    counts = count_paths(loss)
    assert counts["conv1.weight"] == 2**blocks
    assert counts["layer1.0.conv2.weight"] == 2 ** (blocks - 1)
    assert counts["linear.bias"] == 1
    assert len(counts.leaves) == len(list(network.parameters()))


def test_a_plain_network_has_one_path_to_each_weight() -> None:
    network = models.find("plain20").build_twin()
    loss = F.cross_entropy(network(tg.Tensor(np.zeros((1, 3, 8, 8), np.float32))), np.array([0]))
    assert {leaf.paths for leaf in count_paths(loss).leaves} == {1}


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=40))
def test_with_sums_alone_the_gradient_is_the_number_of_paths(pairs: list[tuple[int, int]]) -> None:
    values: list[Any] = [scalar(name="a"), scalar(name="b")]
    for one, other in pairs:
        values.append(values[one % len(values)] + values[other % len(values)])
    values[-1].backward(retain_graph=True)
    counted = {leaf.name: leaf.paths for leaf in count_paths(values[-1]).leaves}
    assert counted == {v.name: v.grad.item() for v in values[:2] if v.grad is not None}


def test_counts_are_exact_whatever_their_size() -> None:
    x = scalar()
    y: Any = x
    for _ in range(700):
        y = y + y + y
    assert count_paths(y)["x"] == 3**700
    assert "about 10^333" in str(count_paths(y))


@pytest.mark.parametrize("recorded", [False, True])
def test_two_to_the_thirtieth_paths_are_counted_and_told_at_once(recorded: bool) -> None:
    x = scalar()
    with record():
        y: Any = x
        for _ in range(30):
            y = y + y
        if recorded:
            y.backward()
    assert count_paths(y)["x"] == 2**30
    if recorded:
        rows = tg.explain.fan_ins(y).rows
        assert len(rows) == 30
        assert rows[-1].fan_in.norm == 2.0**30


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1"),
        (1_073_741_824, "1,073,741,824"),
        (2**54, "2^54 = 18,014,398,509,481,984"),
        (2**200, "2^200"),
        (3 * 2**50, "3,377,699,720,527,872"),
        (10**500 + 1, "about 10^500"),
    ],
)
def test_counts_are_written_for_readers(count: int, text: str) -> None:
    assert written_count(count) == text


# -- by length ---------------------------------------------------------------------------


def residual_net(blocks: int, x: Any, weights: list[Any], ways: Any = None) -> Any:
    """Blocks y = tanh(w x) + x; with `ways`, δ comes by the branch or the shortcut alone."""
    for k in range(blocks):
        branch, shortcut = (x @ weights[k]).tanh(), x
        if ways is not None:
            branch, shortcut = (
                (branch, shortcut.detach()) if ways[k] else (branch.detach(), shortcut)
            )
        x = branch + shortcut
    return x


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_parts_are_those_of_all_paths_one_by_one(blocks: int) -> None:
    weights = [leaf(3, 3, seed=k + 1).detach() for k in range(blocks)]
    x = leaf(2, 3, name="x")
    (split,) = split_by_length((residual_net(blocks, x, weights) ** 2).sum(), x).splits
    expected = np.zeros((blocks + 1, 2, 3))
    for ways in itertools.product((False, True), repeat=blocks):
        x.zero_grad()
        (residual_net(blocks, x, weights, ways) ** 2).sum().backward()
        if x.grad is not None:
            expected[sum(ways)] += x.grad.numpy()
    assert split.paths == tuple(math.comb(blocks, k) for k in range(blocks + 1))
    np.testing.assert_allclose(np.stack(split.parts), expected, rtol=1e-12, atol=1e-13)


NETS: dict[str, dict[str, Any]] = {
    "after": {},
    "before": {"preactivation": True},
    "projections": {"shortcut": "B"},
    "all projections": {"shortcut": "C"},
}


@pytest.mark.parametrize("options", NETS.values(), ids=NETS)
@pytest.mark.parametrize("fused", [False, True])
def test_parts_add_up_to_what_backward_leaves(options: dict[str, Any], fused: bool) -> None:
    tg.manual_seed(0)
    network = models.build("resnet20", width=1 / 4, **options)
    if fused:
        network = tg.nn.fuse(network)
    images = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    loss = F.cross_entropy(network(tg.Tensor(images)), np.array([0, 1]))
    named = dict(network.named_parameters())
    asked = [named["conv1.weight"], named["layer2.1.conv1.weight"], named["linear.weight"]]
    found = split_by_length(loss, asked)
    assert found.blocks == 9
    assert [sum(split.paths) for split in found.splits] == [2**9, 2**4, 1]
    loss.backward()
    for split, parameter in zip(found.splits, asked, strict=True):
        grad = parameter.grad.numpy()
        largest = np.abs(np.stack(split.parts)).max()
        np.testing.assert_allclose(split.total, grad, rtol=0, atol=2e-5 * largest)
        assert split.paths == tuple(np.trim_zeros(split.paths, "b"))


def test_a_plain_network_has_one_length() -> None:
    network = models.find("plain20").build_twin()
    loss = F.cross_entropy(network(tg.Tensor(np.ones((2, 3, 8, 8), np.float32))), np.array([0, 1]))
    found = split_by_length(loss, next(network.parameters()))
    assert (found.blocks, found.splits[0].paths) == (0, (1,))


def test_what_counts_as_a_branch_can_be_said() -> None:
    x = leaf(2, 2, name="x")
    loss = (x.tanh().exp().tanh() * x).sum()
    (split,) = split_by_length(loss, x, lambda element, position: element.name == "tanh").splits
    assert split.paths == (1, 0, 1)
    assert "branches" in str(split)
    assert len(str(split).splitlines()) == 4  # no row for the length that no path has


def test_biases_and_equal_ways_are_no_residual_sums() -> None:
    x, bias = leaf(2, 3, name="x"), leaf(3, seed=1)
    loss = ((x.tanh() + bias) + (x.exp() + bias)).sum()
    assert split_by_length(loss, x).blocks == 0


# -- who sent it -------------------------------------------------------------------------


def dense_net(x: Any, weights: list[Any], read: Any = None) -> Any:
    """Layers that each read all before it; `read` lets each layer have a copy of its own."""
    read = read or (lambda value: value)
    joined = x
    for weight in weights:
        made = (read(joined) @ weight).tanh()
        joined = tg.concatenate((joined, made), 1)
    return (read(joined) ** 2).sum()


def test_contributions_are_the_parts_of_what_each_reader_sent() -> None:
    growth, layers = 2, 4
    weights = [leaf(3 + growth * k, growth, seed=k + 1) for k in range(layers)]
    x = leaf(5, 3, name="x")
    (matrix,) = contribution_matrices(dense_net(x, weights))
    copies: list[Any] = []

    def read(value: Any) -> Any:
        copies.append((value * 1.0).retain_grad())
        return copies[-1]

    dense_net(x, weights, read).backward()
    edges = [0, 3, *(3 + growth * (k + 1) for k in range(layers))]
    expected = np.zeros((layers + 1, layers + 1))
    totals = np.zeros(layers + 1)
    for source in range(layers + 1):
        total: Any = 0.0
        for reader, copy in enumerate(copies):
            if reader >= source:
                part = copy.grad.numpy()[:, edges[source] : edges[source + 1]]
                expected[source, reader] = np.linalg.norm(part)
                total = total + part
        totals[source] = np.linalg.norm(total)
    assert matrix.sources == ("x", *("tanh",) * layers)
    assert matrix.readers == (*("matmul",) * layers, "power")
    np.testing.assert_allclose(matrix.norms, expected, rtol=1e-12)
    np.testing.assert_allclose(matrix.totals, totals, rtol=1e-12)
    np.testing.assert_allclose(matrix.shares.sum(1), 1.0)


@pytest.mark.parametrize("name", ["densenet_bc100_12", "densenet121", "googlenet"])
def test_each_block_of_a_network_has_its_matrix(name: str) -> None:
    row = models.find(name)
    network = row.build_twin()
    images = np.random.default_rng(1).normal(size=(2, *row.twin_input)).astype(np.float32)
    matrices = contribution_matrices(row.loss(network(tg.Tensor(images)), np.array([0, 1])))
    assert len(matrices) == {"densenet_bc100_12": 3, "densenet121": 4, "googlenet": 9}[name]
    for matrix in matrices:
        assert (matrix.totals <= matrix.norms.sum(1) * (1 + 1e-5)).all()
        if name != "googlenet":
            assert (np.tril(matrix.norms, -1) == 0).all()
            assert (matrix.norms[np.triu_indices(len(matrix.norms))] > 0).all()
    assert "r1 = " in str(matrices[0])


def test_values_joined_in_several_ways_are_one_group() -> None:
    x, y, z = (leaf(1, 2, seed=k, name=name) for k, name in enumerate("xyz"))
    first = tg.concatenate((x, y), 1)
    loss = (tg.concatenate((first, z), 1).tanh()).sum() + (tg.concatenate((first, y), 1)).sum()
    (matrix,) = contribution_matrices(loss)
    assert matrix.sources == ("x", "y", "z")
    assert matrix.readers == ("tanh", "sum")


# -- orders ------------------------------------------------------------------------------


def diamond(x: Any = None) -> Any:
    h = tg.name((scalar() if x is None else x) * 2.0, "h")
    return h + h * h


def reused_leaf(x: Any = None) -> Any:
    x = scalar(3.0) if x is None else x
    return x * x + x


def chain(x: Any = None) -> Any:
    return ((scalar() if x is None else x).tanh() * 2.0).exp()


def arrays(x: Any = None) -> Any:
    h = ((leaf(2, 3, name="x") if x is None else x) * 2.0).tanh()
    return (h + (h * 0.5).tanh().exp()).sum()


# The graph, then per value δ by: topological order, when reached, sums, each.
# diamond: h + h² at h = 2 has slope 5, x = h / 2 has 10. Reached first through the sum, h sends
# its 1 on, and what comes through the product stays there; sums passed on are 1, 1 + 2, 1 + 2 + 2.
EXPECTED: dict[Any, dict[str, tuple[float, ...]]] = {
    diamond: {"x": (10.0, 2.0, 2.0 * (1 + 3 + 5), 10.0), "h": (5.0,) * 4},
    reused_leaf: {"x": (7.0,) * 4},
}


@pytest.mark.parametrize("graph", EXPECTED)
def test_each_order_leaves_what_it_must(graph: Any) -> None:
    found = compare_orders(graph())
    rows = {row.value: tuple(float(s) for s in row.signals) for row in found.rows}
    assert rows == EXPECTED[graph]
    for row in found.rows:
        assert row.wrong == tuple(s != row.signals[0] for s in row.signals)


@pytest.mark.parametrize("graph", [diamond, reused_leaf, chain, arrays])
def test_the_topological_walk_is_backward_and_passing_each_signal_on_agrees(graph: Any) -> None:
    x: Any = leaf(2, 3, name="x") if graph is arrays else scalar(0.3)
    result = graph(x)
    found = {row.value: row for row in compare_orders(result).rows}
    result.backward()
    assert not found["x"].wrong[0]
    assert not found["x"].wrong[3]
    np.testing.assert_allclose(found["x"].signals[0], np.array(x.grad._value), rtol=1e-13)


def test_arrays_are_compared_too() -> None:
    found = compare_orders(arrays())
    assert {row.value: row.wrong for row in found.rows} == {
        "x": (False, True, True, False),
        "tanh": (False, False, False, False),
    }
    assert "WRONG" in str(found)


def test_where_nothing_is_read_twice_every_order_is_right() -> None:
    found = compare_orders(chain())
    assert found.visits == (3, 3, 3, 3)
    assert not any(any(row.wrong) for row in found.rows)


def test_a_recursion_of_two_to_the_thirtieth_paths_is_counted_and_not_made() -> None:
    y: Any = scalar()
    for _ in range(30):
        y = y + y
    found = compare_orders(y)
    assert found.visits == (30, 30, 2**30 - 1, 2**30 - 1)
    assert found.rows[0].signals[2:] == (None, None)
    assert "not run" in str(found)


# -- refusals ----------------------------------------------------------------------------


def freed() -> Any:
    y = diamond()
    y.backward()
    return y


def changed() -> Any:
    x = leaf(2)
    h = x * 1.0
    y = (h * h).sum()
    with tg.no_grad():
        h += 1.0
    return y


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "freed": (freed, GraphError, r"one that a walk has freed.*backward\(retain_graph=True\)"),
    "changed": (changed, GraphError, "changed in place since"),
    "leaf": (scalar, GraphError, "a computed value that requires a gradient; got x"),
    "several": (lambda: leaf(2) * 2.0, GraphError, r"starts from one number.*shape \(2,\)"),
    "number": (lambda: 2.0, DTypeError, "works on Tensors and Scalars; got float"),
}


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("split_by_length", lambda y: split_by_length(y, scalar())),
        ("contribution_matrices", contribution_matrices),
        ("compare_orders", compare_orders),
    ],
)
@pytest.mark.parametrize(("make", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_walked_is_refused(
    operation: str, call: Any, make: Any, error: Any, words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        call(make())
    if make is not changed:  # that message names the element
        assert str(caught.value).startswith(f"{operation}: ")


@pytest.mark.parametrize(("values", "name"), [(3, "int"), (None, "NoneType"), ("w", "str")])
def test_what_is_split_is_a_value(values: Any, name: str) -> None:
    with pytest.raises(DTypeError, match=f"^split_by_length: .*; got {name}"):
        split_by_length(scalar() * 2.0, values)


def test_other_requests_that_make_no_sense_are_refused() -> None:
    with pytest.raises(OptionError, match="split_by_length: it splits δ of some values; got none"):
        split_by_length(diamond(), [])
    with pytest.raises(DTypeError, match=r"split_by_length: it works on Tensors .*; got str"):
        split_by_length(diamond(), ["w"])  # type: ignore[list-item]
    with pytest.raises(GraphError, match="got no error signal for other of shape"):
        split_by_length(diamond(), scalar(name="other"))
    with pytest.raises(GraphError, match="values that are joined; got a graph of 3 elements"):
        contribution_matrices(diamond())
    with pytest.raises(OptionError, match="limit is a positive number; got 0"):
        compare_orders(diamond(), limit=0)
