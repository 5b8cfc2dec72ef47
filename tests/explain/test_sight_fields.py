"""Receptive and error fields: geometry against brute force, shares against differences."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models, nn
from tinygrad_cnn.errors import DTypeError, GraphError, KernelMismatchError, ShapeError
from tinygrad_cnn.errors import UnknownNameError as Unknown
from tinygrad_cnn.explain import dump, error_field, receptive_field, record
from tinygrad_cnn.explain.sight import dependence

Compute = Callable[[tg.Tensor, tg.Tensor, tg.Tensor], tg.Tensor]


def two_paths(x: tg.Tensor, v: tg.Tensor, w: tg.Tensor) -> tg.Tensor:
    """A strided and a dilated path that are joined, and a skip around a pooled convolution."""
    a = F.conv2d(x, v, stride=2, padding=1)
    b = F.avg_pool2d(F.conv2d(x, v, dilation=2, padding=2), 2)
    joined = F.concatenate([a, b], 1)
    inner = F.conv2d(joined[:, 1:3], w, padding=1)
    return joined[:, :2] + inner


def leaves(positive: bool = True, changed: str = "", place: Any = (), by: float = 0.0) -> Any:
    generator = np.random.default_rng(3)
    low = 0.2 if positive else -1.0
    shapes = {"x": (2, 1, 12, 12), "v": (2, 1, 3, 3), "w": (2, 2, 3, 3)}
    drawn = {name: generator.uniform(low, 1.0, shape) for name, shape in shapes.items()}
    if changed:
        drawn[changed][place] += by
    return [tg.Tensor(each, requires_grad=True, name=name) for name, each in drawn.items()]


# -- receptive fields ----------------------------------------------------------------------


@pytest.mark.parametrize("place", [(0, 0, 3, 3), (1, 1, 0, 5), (0, 1, 5, 0), (1, 0, 2, 0)])
def test_geometry_is_what_changes_the_number_when_it_is_changed(place: tuple[int, ...]) -> None:
    x, v, w = leaves()
    with record():
        y = two_paths(x, v, w)
    field = receptive_field(y, "add", place).check()
    before = y.numpy()[place]
    changed = np.zeros(x.shape, bool)
    for pixel in np.ndindex(x.shape):
        other = x.numpy().copy()
        other[pixel] += 1.0
        changed[pixel] = two_paths(tg.Tensor(other), v, w).numpy()[place] != before
    assert np.array_equal(field.mask, changed)
    assert field.gradient is not None
    assert np.array_equal(field.gradient != 0, changed)
    rows, columns = np.nonzero(changed[place[0], 0])
    assert field.ranges[2:] == ((rows.min(), rows.max()), (columns.min(), columns.max()))


sizes = st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.booleans()
)


@settings(max_examples=25, deadline=None)
@given(st.lists(sizes, min_size=1, max_size=3), st.data())
def test_positive_weights_fill_the_geometry(stack: list[Any], data: st.DataObject) -> None:
    x = tg.Tensor(np.ones((1, 1, 13, 11)), requires_grad=True, name="x")
    with record():
        y: tg.Tensor = x
        for kernel, stride, padding, dilation, skip in stack:
            window = {"stride": stride, "padding": padding, "dilation": dilation}
            if y.shape[2] + 2 * padding <= dilation * (kernel - 1) + 1:
                continue
            if y.shape[3] + 2 * padding <= dilation * (kernel - 1) + 1:
                continue
            z = F.conv2d(y, tg.Tensor(np.ones((1, 1, kernel, kernel))), **window)
            y = z + y if skip and z.shape == y.shape else z
        y = y * 1.0
    place = tuple(data.draw(st.integers(0, size - 1)) for size in y.shape)
    field = receptive_field(y, "multiply", place).check()
    assert field.gradient is not None
    assert np.array_equal(field.gradient != 0, field.mask)


@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_sizes_are_those_of_the_summary(name: str) -> None:
    shape = models.find(name).input_shape
    with nn.without_memory():
        network = models.build(name, allocate=False).eval()
        with record():
            result = network(tg.zeros(1, *shape, device="shapes"))
    compared = 0
    for row in tg.summary(network, shape).rows:
        seen = row.receptive_field
        if (
            seen is None
            or max(seen) > 64
            or row.kind not in ("Conv2d", "MaxPool2d")
            or compared == 6
        ):
            continue
        field = receptive_field(result, row.path)
        assert field.spans[2:] == seen
        assert field.not_measured == "x does not require a gradient"
        compared += 1
    assert compared >= 3


def test_batch_norm_reads_the_whole_batch_in_training_alone() -> None:
    x = tg.Tensor(np.random.default_rng(0).normal(size=(3, 1, 6, 6)), requires_grad=True)
    layers = nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1), nn.Conv2d(1, 1, 1)).double()
    found = {}
    for training in (True, False):
        layers.train(training)
        with record():
            y = layers(x)
        found[training] = receptive_field(y, "2", (1, 0, 0, 0)).check()
    assert found[True].mask.all()
    assert found[True].from_other_images() > 0.01
    assert "% of it is in other images" in found[True].text()
    assert found[False].mask.sum() == 9
    assert found[False].from_other_images() == 0


def test_a_field_is_told_from_element_to_element() -> None:
    x, v, w = leaves()
    with record():
        y = two_paths(x, v, w)
    text = receptive_field(y, "add", (0, 0, 3, 3)).text()
    assert text.startswith("add[0,0,3,3] depends on\n")
    assert re.search(r"concatenate +2x4x6x6 +0 x 0..2 x 2..4 x 2..4 +19", text)
    assert re.search(r"half of it is at \d+ pixels, 95 % at \d+$", text)


def test_pixels_are_counted_from_the_strongest() -> None:
    x = tg.Tensor(np.ones((1, 1, 1, 4)), requires_grad=True, name="x")
    w = tg.Tensor(np.array([[[[6.0, 1.0, -3.0, 0.0]]]]))
    field = receptive_field(F.conv2d(x, w), "conv2d", (0, 0, 0, 0))
    assert field.map().tolist() == [[0.6, 0.1, 0.3, 0.0]]
    assert [field.pixels_that_hold(share) for share in (0.5, 0.6, 0.61, 0.9, 1.0)] == [
        1,
        1,
        2,
        2,
        3,
    ]


def test_a_wrong_geometry_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = dependence.ROWS["conv2d"]

    def shifted(read: Any) -> Any:
        found = right(read)
        links = [
            link if link.table is None else link._replace(table=np.roll(link.table, 1, 0))
            for link in found.links
        ]
        return found._replace(links=tuple(links))

    monkeypatch.setitem(dependence.ROWS, "conv2d", shifted)
    x, v, w = leaves()
    with record():
        y = two_paths(x, v, w)
        loss = (y * y).sum()
    with pytest.raises(KernelMismatchError, match="a walk back stays inside the geometry"):
        receptive_field(loss, "add", (0, 0, 3, 3)).check()
    with pytest.raises(KernelMismatchError, match="errors come from inside the geometry"):
        error_field(loss, "x", (0, 0, 5, 5)).check()


# -- error fields ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "place"), [("v", (0, 0, 1, 2)), ("w", (1, 0, 2, 0)), ("x", (1, 0, 4, 7))]
)
def test_contributions_are_delta_times_a_difference_quotient(of: str, place: Any) -> None:
    def run(change: float = 0.0) -> tuple[Any, Any, dict[str, Any]]:
        given = leaves(False, of, place, change)
        with record(keep="arrays") as recording:
            y = two_paths(*given)
            loss = (F.tanh(y) * y).mean()
            loss.backward(retain_graph=True)
        values = tg.explain.sight.run_values.RunValues("test", loss)
        made = {values.names[key]: kept for key, kept in values.values.items()}
        signals = {
            values.names[step.outputs[0].key]: step.outgoing[0].value for step in recording.steps
        }
        own = next(leaf for leaf in given if leaf.name == of)
        return loss, own, {name: (kept.value, signals.get(name)) for name, kept in made.items()}

    loss, leaf, found = run()
    field = error_field(loss, of, place).check()
    above, below = run(1e-6)[2], run(-1e-6)[2]
    assert len(field.reached) > 4
    for each in field.reached:
        name = each.seen.name
        slope = (np.asarray(above[name][0]) - np.asarray(below[name][0])) / 2e-6
        expected = slope * found[name][1]
        np.testing.assert_allclose(each.contributions, expected, atol=1e-8)
        assert not slope[~each.mask].any()
    assert field.gradient == pytest.approx(leaf.grad.numpy()[place], rel=1e-12)
    assert field["add"].total == pytest.approx(field.gradient, rel=1e-9)  # all paths lead through
    assert field["L"].total == pytest.approx(field.gradient, rel=1e-9)


def test_the_error_field_is_the_dual_of_the_receptive_field() -> None:
    x, v, w = leaves()
    with record():
        y = two_paths(x, v, w)
        loss = y.sum()
    pixel = (1, 0, 5, 6)
    reached = error_field(loss, "x", pixel)["add"].mask
    for place in np.ndindex(y.shape):
        assert reached[place] == receptive_field(loss, "add", place).mask[pixel]


def test_what_skips_an_element_is_missing_there() -> None:
    x = tg.Tensor(np.array([3.0]), requires_grad=True, name="x")
    with record():
        branch = x * 2.0
        loss = (branch + x).sum()
    field = error_field(loss, "x", 0)
    assert field.gradient == 3.0
    assert [(each.seen.name, each.total) for each in field.reached] == [
        ("multiply", 2.0), ("add", 3.0), ("L", 3.0),
    ]  # fmt: skip
    assert re.search(r"multiply +1 +0 +1 +1 +66.67 % +100 %", field.text())


def test_images_without_an_error_have_no_share() -> None:
    x = tg.Tensor(np.array([[1.0], [2.0]]), name="x")
    w = tg.Tensor(np.array([[1.0]]), requires_grad=True, name="w")
    with record():
        loss = F.mse_loss(F.affine(x, w), tg.Tensor(np.array([[1.0], [0.0]])))
    field = error_field(loss, "w", (0, 0))
    assert field.by_image().tolist() == [0.0, 1.0]
    assert field.text().endswith("by image: 0 %, 100 %")


# -- what cannot be measured, and what is refused --------------------------------------------


def small(requires_grad: bool = True) -> tuple[tg.Tensor, tg.Tensor]:
    x = tg.Tensor(np.ones((1, 1, 4, 4)), requires_grad=requires_grad, name="x")
    w = tg.Tensor(np.ones((1, 1, 2, 2)), requires_grad=True, name="w")
    with record():
        return x, F.conv2d(x, w).mean()


def test_geometry_outlives_what_is_measured() -> None:
    _, loss = small()
    loss.backward()
    for field in (receptive_field(loss, "conv2d"), error_field(loss, "w", (0, 0, 1, 1))):
        assert "not measured: the graph was freed by backward(); ask before it" in field.text()
        assert field.gradient is None
    assert receptive_field(loss, "conv2d").mask.sum() == 4
    with pytest.raises(GraphError, match="the graph was freed by backward"):
        receptive_field(loss, "conv2d").measured()


def test_what_is_not_recorded_by_the_engine_is_not_measured() -> None:
    _, loss = small(requires_grad=False)
    assert receptive_field(loss, "conv2d").not_measured == "x does not require a gradient"
    with record() as recording:
        x = tg.Tensor(np.ones((1, 2, 4, 4)), requires_grad=True, name="x")
        scores = x * 2.0
    assert "errors are those of a loss" in error_field(recording, "x", (0, 0, 0, 0)).not_measured
    assert scores.shape == x.shape


def test_a_graph_that_is_gone_is_refused() -> None:
    document = dump(small()[1])
    with pytest.raises(GraphError, match=r"got conv2d, which is gone. Keep the loss, or record"):
        receptive_field(document, "conv2d")
    with record(keep="arrays"):
        x = tg.Tensor(np.ones((1, 1, 4, 4)), requires_grad=True, name="x")
        loss = F.max_pool2d(F.relu(x), 2).sum()
    document = dump(loss)
    del loss
    field = receptive_field(document, "max_pool2d")
    assert field.mask.sum() == 4
    assert field.not_measured == "the graph is gone; keep the loss, and ask before it is let go"


def test_a_field_of_no_images_is_empty() -> None:
    layer = tg.nn.Conv2d(1, 2, 3)
    with record():
        loss = layer(tg.zeros(0, 1, 8, 8)).sum()
    assert error_field(loss, layer.weight, (0, 0, 0, 0)).by_image().shape == (0,)


def test_scalars_have_fields_too() -> None:
    w = tg.Scalar(0.5, requires_grad=True, name="w")
    with record():
        loss = (w * 2.0).sigmoid() * w
    field = error_field(loss, "w")
    slope = 2.0 * np.exp(-1.0) / (1.0 + np.exp(-1.0)) ** 2
    assert field["sigmoid"].total == pytest.approx(0.5 * slope, rel=1e-12)
    assert field.gradient == pytest.approx(0.5 * slope + 1.0 / (1.0 + np.exp(-1.0)), rel=1e-12)
    assert receptive_field(loss, "sigmoid", ()).text().startswith("sigmoid depends on")
    assert "<svg" in field._repr_html_()


def nothing() -> Any:
    with record() as recording:
        pass
    return recording


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: receptive_field(small()[1], "C9"), Unknown, "known names are conv2d, L; got 'C9'"),
        (lambda: receptive_field(small()[1], "conv2d", (0, 0, 3, 0)), ShapeError,
         r"shape \(1, 1, 3, 3\), has a number for each axis .*; got \(0, 0, 3, 0\)"),
        (lambda: receptive_field(small()[1], "conv2d", image="y"), Unknown, "are x, w; got 'y'"),
        (lambda: receptive_field(nothing(), "conv2d"), GraphError, "got one in which nothing ran"),
        (lambda: receptive_field(3, "conv2d"), DTypeError, "receptive_field: .*; got int"),
        (lambda: error_field(small()[1], "ww", 0), Unknown, "known names are x, w; got 'ww'"),
        (lambda: error_field(small()[1], "w", (0, 0, 2, 0)), ShapeError, "0 to 1.*; got"),
        (lambda: error_field(small()[1], "w"), ShapeError, r"error_field: .*; got \(\)"),
        (lambda: error_field(small()[1], "w", (0, 0, 0, 0))["fc"], Unknown, "are conv2d, L"),
        (lambda: error_field(tg.Tensor([1.0]), "w"), GraphError, "no recorded element computed"),
    ],
)  # fmt: skip
def test_refusals(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
