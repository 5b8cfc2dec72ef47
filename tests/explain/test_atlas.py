"""The atlas of error signals: maps, depth, idle units and updates, found in another way."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import GraphError, OptionError, TinygradCnnError, UnknownNameError
from tinygrad_cnn.explain.atlas import (
    atlas,
    compare_networks,
    follow_training,
    measure_updates,
    record_excerpts,
)
from tinygrad_cnn.explain.atlas.tiles import signed_greys
from tinygrad_cnn.explain.atlas.units import idle_units
from tinygrad_cnn.explain.rendering.png_file import png

from .atlas_runs import IMAGES, LABELS, Gated, decoded, loss_of, plates, recorded

# -- maps --------------------------------------------------------------------------------


def test_maps_are_the_error_signals_of_one_image() -> None:
    with tg.explain.record(keep="arrays") as recording:
        loss = loss_of(Gated())
        loss.backward()
    found = plates(atlas(loss, image=2, channels=(3, 0)))
    for step in recording.steps:
        signal = step.outgoing[0]
        if step.outputs[0].shape == ():
            assert found[step.label].excerpt.maps is None
            continue
        of_image = np.asarray(signal.value, np.float64)[2]
        maps = found[step.label].excerpt.maps
        assert found[step.label].signal.norm == pytest.approx(np.linalg.norm(signal.value))
        if of_image.ndim == 3 and of_image.shape[1:] != (1, 1):
            np.testing.assert_allclose(maps, [of_image.mean(0), of_image[3], of_image[0]])
        else:
            np.testing.assert_allclose(maps, of_image.reshape(1, 1, -1))


def test_the_strongest_channels_come_first() -> None:
    found = plates(atlas(recorded(), image=1, channels=4))
    maps = found["conv1.conv2d"].excerpt.maps
    norms = np.linalg.norm(maps[1:], axis=(1, 2))
    assert norms.tolist() == sorted(norms, reverse=True)
    assert sorted(found["conv1.conv2d"].excerpt.channels) == [0, 1, 2, 3]
    np.testing.assert_allclose(maps[0], maps[1:].mean(0))


def test_excerpts_taken_during_the_walk_show_the_same() -> None:
    whole = plates(atlas(recorded(), image=3, channels=2, lr=0.1))
    with record_excerpts(image=3, channels=2) as recording:
        loss = loss_of(Gated())
        loss.backward()
    sparing = plates(atlas(loss, image=3, channels=2, lr=0.1))
    assert all(
        kept.value is None or isinstance(kept.value, float)
        for step in recording.steps
        for kept in (*step.inputs, *step.outputs, *step.outgoing, *step.incoming)
        if kept is not None
    )
    for label, plate in whole.items():
        other = sparing[label].excerpt
        assert (plate.signal, plate.excerpt.idle) == (sparing[label].signal, other.idle)
        for mine, others in ((plate.excerpt.maps, other.maps), (plate.excerpt.gates, other.gates)):
            np.testing.assert_equal(mine, others)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_greys_are_the_map_up_to_half_a_step(values: list[float]) -> None:
    tile = np.array([values])
    greys, largest = signed_greys(tile)
    assert largest == np.abs(tile).max()
    back = (greys.astype(float) - 128) / 127 * largest
    np.testing.assert_allclose(back, tile, atol=largest / 253)


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_picture_is_read_back(height: int, width: int) -> None:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width)).astype(np.uint8)
    np.testing.assert_array_equal(decoded(png(pixels)), pixels)


def test_what_is_not_finite_is_left_blank() -> None:
    greys, largest = signed_greys(np.array([[1.0, np.nan]]))
    assert greys.tolist() == [[128, 128]]
    assert np.isnan(largest)


# -- figures -----------------------------------------------------------------------------

SLOPES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "sigmoid": (F.sigmoid, 0.25),
    "tanh": (F.tanh, 1.0),
    "scaled_tanh": (F.scaled_tanh, 2 / 3 * 1.7159),
    "hardsigmoid": (F.hardsigmoid, 1 / 6),
    "relu": (F.relu, 1.0),
}


@pytest.mark.parametrize("name", SLOPES)
def test_idle_units_are_those_whose_slope_vanishes_for_all_images(name: str) -> None:
    activation, steepest = SLOPES[name]
    z = tg.Tensor(np.random.default_rng(5).normal(size=(3, 200)) * 6, requires_grad=True)
    a = activation(z)
    a.backward(gradient=tg.Tensor(np.ones(a.shape)))
    gentle = np.abs(z.grad.numpy()) < 0.01 * steepest
    found = idle_units(name, a.numpy())
    assert found is not None
    assert found.share == gentle.all(0).mean()
    assert 0 < found.share < 1
    assert found.kind == ("dead" if name == "relu" else "saturated")


@pytest.mark.parametrize("name", ["leaky_relu", "conv2d", "softmax", "elu"])
def test_other_elements_have_no_idle_units(name: str) -> None:
    assert idle_units(name, np.zeros((2, 3))) is None


def test_depth_follows_the_longest_path_past_a_gate() -> None:
    found = plates(atlas(recorded()))
    assert found["conv1.conv2d"].depth == 1
    assert found["conv2.conv2d"].depth == 3  # behind the rectifier
    assert found["se.multiply"].depth == 4  # the gate is a branch
    assert found["add"].depth == 5
    assert [found[label].layer for label in ("relu", "conv2.conv2d", "add")] == [1, 2, 2]
    assert found["output.affine"].layer == 3
    off = {label for label, plate in found.items() if not plate.on_longest_path}
    assert "se.sigmoid" in off
    assert {"se.multiply", "add", "relu"}.isdisjoint(off)


def test_gates_are_what_the_sigmoid_gives() -> None:
    network = Gated()
    with tg.explain.record(keep="arrays"):
        loss = loss_of(network)
        loss.backward()
    with tg.no_grad():
        expected = network.se.gate(network.conv2(F.relu(network.conv1(tg.Tensor(IMAGES))))).numpy()
    gates = plates(atlas(loss))["se.sigmoid"].excerpt.gates
    np.testing.assert_allclose(gates, expected[:, :, 0, 0], rtol=1e-6)
    assert "gates of" in atlas(loss).text()
    strip = atlas(loss, image=2).html().split('class="map open"')[1]
    png = base64.b64decode(strip.split("data:image/png;base64,")[1].split(")")[0])
    np.testing.assert_array_equal(decoded(png), np.rint(255 * gates[2:3]))


def test_updates_of_plain_descent_are_those_of_the_optimiser() -> None:
    network = Gated()
    with tg.explain.record(keep="arrays"):
        loss = loss_of(network)
        loss.backward()
    told = {u.name: u for u in atlas(loss, lr=0.5).runs[0].moments[0].updates}
    optimiser = tg.optim.SGD(network.parameters(), lr=0.5)
    measured = {u.name: u for u in measure_updates(network.named_parameters(), optimiser.step)}
    assert told.keys() == measured.keys()
    for name, update in measured.items():
        assert told[name].step == pytest.approx(update.step, rel=1e-4)
        assert told[name].gradient == pytest.approx(update.gradient, rel=1e-5)
        assert told[name].weight == pytest.approx(update.weight, rel=1e-5)
        assert told[name].dimensions == update.dimensions
    assert atlas(loss, updates=measured.values()).runs[0].moments[0].updates == tuple(
        measured.values()
    )


def test_of_a_parameter_with_two_readers_the_whole_gradient_is_told() -> None:
    w = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="w")
    x = tg.Tensor([[3.0], [4.0]])
    with tg.explain.record(keep="arrays"):
        loss = ((x @ w) + (x @ w)).sum()
        loss.backward()
    (update,) = atlas(loss).runs[0].moments[0].updates
    assert update.gradient == pytest.approx(np.linalg.norm(w.grad.numpy()))
    assert np.isnan(update.ratio)


# -- over training -------------------------------------------------------------------------


def test_a_network_is_followed_over_the_steps_that_it_is_trained() -> None:
    network, alone = Gated(), Gated()
    run = follow_training(
        network, tg.optim.SGD(network.parameters(), lr=0.1), [(IMAGES, LABELS)],
        (IMAGES, LABELS), (0, 2), channels=1,
    )  # fmt: skip
    optimiser = tg.optim.SGD(alone.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        loss = loss_of(alone)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert [moment.step for moment in run.moments] == [0, 2]
    assert [moment.loss for moment in run.moments] == pytest.approx([losses[0], losses[2]])
    np.testing.assert_array_equal(network.conv1.weight.numpy(), alone.conv1.weight.numpy())


def test_a_preset_shows_its_networks_at_the_same_steps() -> None:
    told: list[tuple[str, int, int]] = []
    found = compare_networks(
        "lenet5-sigmoid-relu", steps=2, batch_size=4,
        progress=lambda text, done, total: told.append((text, done, total)),
    )  # fmt: skip
    assert [run.title for run in found.runs] == ["sigmoid", "ReLU"]
    assert [[m.step for m in run.moments] for run in found.runs] == [[0, 1, 2]] * 2
    assert told[-1] == ("ReLU: step 2 of 2", 6, 6)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    first = [run.moments[0].plates[0].signal.norm for run in found.runs]
    assert first[0] < first[1] / 5  # what the preset is about
    for form in (found.html(), found.svg(), found.text(complete=True)):
        for title in ("sigmoid", "ReLU"):
            assert title in form


# -- refusals ---------------------------------------------------------------------------


def kept_of_another_image() -> tg.Tensor:
    with record_excerpts(image=2):
        loss = loss_of(Gated())
        loss.backward()
    return loss


REFUSALS: dict[str, tuple[Callable[[], Any], type[TinygradCnnError], str]] = {
    "nothing recorded": (
        lambda: atlas(loss_of(Gated())), GraphError, 'Compute the loss .*record\\(keep="arrays"',
    ),
    "figures alone": (
        lambda: atlas(recorded("statistics")), GraphError, 'Record with .*keep="arrays"',
    ),
    "never walked back": (
        lambda: atlas(recorded(walked=False)), GraphError, "Call loss.backward\\(\\) inside",
    ),
    "image": (lambda: atlas(recorded(), image=4), OptionError, "0 to 3; got image 4"),
    "negative image": (lambda: atlas(recorded(), image=-1), OptionError, "from 0; got -1"),
    "channel": (lambda: atlas(recorded(), channels=(0, 9)), OptionError, "0 to 3; got channel 9"),
    "channels": (lambda: atlas(recorded(), channels=-1), OptionError, "got -1"),
    "layer": (
        lambda: atlas(recorded(), layers="conv3"), UnknownNameError, "conv1, .*Did you mean 'conv",
    ),
    "layers": (lambda: atlas(recorded(), layers=3), OptionError, "atlas: layers are names, .* 3"),  # type: ignore[arg-type]
    "other excerpts": (
        lambda: atlas(kept_of_another_image()), OptionError,
        "kept image 2 and 3 channels; got image 0 and 3 channels. Pass the same",
    ),
    "rate": (lambda: atlas(recorded(), lr=-1.0), OptionError, "from 0 up; got -1.0"),
    "no runs": (lambda: atlas([]), OptionError, "at least one run; got none"),
    "no moments": (lambda: atlas({"a": {}}), OptionError, "got none of 'a'"),
    "other moments": (
        lambda: atlas({"a": {0: recorded()}, "b": {1: recorded()}}), OptionError, "same steps; got",
    ),
    "preset": (lambda: compare_networks("vgg"), UnknownNameError, "lenet5-sigmoid-relu, .* 'vgg'"),
    "steps": (lambda: compare_networks("batch-norm", steps=-1), OptionError, "steps is .* got -1"),
    "ending": (lambda: atlas(recorded()).save("x.pdf"), OptionError, ".html, .svg or .txt; got"),
    "no parameters": (lambda: measure_updates([], lambda: None), OptionError, "got none"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_makes_no_sense_is_refused(
    call: Callable[[], Any], kind: type[TinygradCnnError], message: str
) -> None:
    with pytest.raises(kind, match=message) as told:
        call()
    assert "\n" not in str(told.value)
