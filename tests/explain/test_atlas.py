"""The atlas of error signals: maps, depth, idle units and updates, found in another way."""

import base64
import json
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import GraphError, OptionError, TinygradCnnError, UnknownNameError
from tinygrad_cnn.explain.atlas import atlas, compare, follow, measure_updates, record_excerpts
from tinygrad_cnn.explain.atlas.atlas import Atlas
from tinygrad_cnn.explain.atlas.blocks import blocks_of, caption_of, parents_of
from tinygrad_cnn.explain.atlas.excerpts import coarser
from tinygrad_cnn.explain.atlas.plates import Plate
from tinygrad_cnn.explain.atlas.png import grey_png
from tinygrad_cnn.explain.atlas.tiles import signed_greys
from tinygrad_cnn.explain.atlas.units import idle_units

IMAGES = np.random.default_rng(0).normal(size=(4, 1, 8, 8)).astype(np.float32)
LABELS = np.array([0, 2, 1, 2])


class Gated(nn.Module):
    """A residual block with a gate, and everything else that an atlas tells apart."""

    def __init__(self) -> None:
        super().__init__()
        tg.manual_seed(3)
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.se = nn.SqueezeExcitation(4, 2)
        self.pool = nn.MaxPool2d(2)
        self.output = nn.Linear(64, 3)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.conv1(x))
        x = self.pool(self.se(self.conv2(x)) + x)
        return self.output(F.flatten(x, 1))


def loss_of(network: nn.Module) -> tg.Tensor:
    return F.cross_entropy(network(tg.Tensor(IMAGES)), LABELS)


def recorded(keep: str = "arrays", walked: bool = True) -> tg.Tensor:
    with tg.explain.record(keep=keep):
        loss = loss_of(Gated())
        if walked:
            loss.backward()
    return loss


def plates(found: Atlas) -> dict[str, Plate]:
    return {plate.label: plate for plate in found.runs[0].moments[0].plates}


def decoded(png: bytes) -> np.ndarray:
    """Read a grey PNG of eight bits by the specification, checksums included."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, content, size = 8, b"", (0, 0)
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        name, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", png[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(name + body)
        if name == b"IHDR":
            width, height, *kind = struct.unpack(">IIBBBBB", body)
            assert kind == [8, 0, 0, 0, 0]
            size = (height, width)
        content += body if name == b"IDAT" else b""
        place += 12 + length
    rows = np.frombuffer(zlib.decompress(content), np.uint8).reshape(size[0], size[1] + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]


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


@given(st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)), st.integers(1, 12))
def test_a_coarser_map_holds_means_of_blocks(shape: tuple[int, int, int], side: int) -> None:
    maps = np.random.default_rng(1).normal(size=shape)
    found = coarser(maps, side)
    assert max(found.shape[1:]) <= side
    strides = [-(-size // side) for size in shape[1:]]
    for place in np.ndindex(*found.shape[1:]):
        block = tuple(
            slice(k * stride, (k + 1) * stride) for k, stride in zip(place, strides, strict=True)
        )
        np.testing.assert_allclose(found[:, *place], maps[:, *block].mean((1, 2)), atol=1e-12)


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
    np.testing.assert_array_equal(decoded(grey_png(pixels)), pixels)


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
    run = follow(
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
    found = compare(
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


# -- what is written ----------------------------------------------------------------------


def test_the_page_holds_the_maps_and_asks_for_nothing() -> None:
    found = atlas({"first": recorded(), "<second> & other": recorded()}, image=1)
    page = found.html()
    assert "<second>" not in page
    assert not re.findall(r'(?:src|href)="(?!#)|url\((?!data:image/png;base64,|#)', page)
    document = json.loads(page.split('id="atlas">')[1].split("</script>")[0])
    assert [run["title"] for run in document["runs"]] == ["first", "<second> & other"]
    for plate, told in zip(
        found.runs[0].moments[0].plates, document["runs"][0]["plates"], strict=True
    ):
        assert told["label"] == f"{plate.number} {plate.label}"
    card = page.split('data-plate="0"')[1]
    png = base64.b64decode(card.split("data:image/png;base64,")[1].split(")")[0])
    maps = found.runs[0].moments[0].plates[0].excerpt.maps
    expected = np.concatenate([signed_greys(tile)[0] for tile in maps], 1)
    np.testing.assert_array_equal(decoded(png), expected)
    assert page.count("<figure") == 2 * len(document["runs"][0]["plates"])


def test_the_text_has_a_line_for_each_element() -> None:
    found = atlas({"a": recorded(), "b": recorded()})
    lines = [line.split() for line in str(found).splitlines()]
    for run in found.runs:
        for plate in run.moments[0].plates:
            assert any(
                line[:6]
                == [run.title, *map(str, (0, plate.number, plate.layer, plate.depth)), plate.label]
                for line in lines
            )


def test_curves_lie_where_the_figures_are() -> None:
    found = atlas({"only": recorded()}, lr=0.1)
    moment = found.runs[0].moments[0]
    picture = ElementTree.fromstring(found.svg())
    name = "{http://www.w3.org/2000/svg}"
    panels = [g for g in picture.iter(f"{name}g") if g.get("class") == "panel"]
    assert len(panels) == 4  # ‖δ‖, updates, idle units, gates
    marks = {
        mark.find(f"{name}title").text.split(":")[0]: numbers(mark.get("d"))[:2]
        for mark in panels[0].iter(f"{name}path")
        if mark.find(f"{name}title") is not None
    }
    assert list(marks) == [f"{plate.number} {plate.label}" for plate in moment.plates]
    places = np.array(list(marks.values()))
    norms = np.log10([plate.signal.norm for plate in moment.plates])
    layers = np.array([float(plate.layer) for plate in moment.plates])
    slope, shift = np.polyfit(layers, places[:, 0], 1)
    assert slope > 0
    np.testing.assert_allclose(
        slope * layers + shift, places[:, 0], atol=4.0
    )  # markers have a size
    ticks = {
        int(text.text.removeprefix("10").translate(DIGITS)): float(text.get("y")) - 4
        for text in panels[0].iter(f"{name}text")
        if text.get("class") == "tick"
    }
    powers = sorted(ticks)
    assert len(powers) > 1
    assert [ticks[power] for power in powers] == sorted(ticks.values(), reverse=True)
    expected = np.interp(norms, powers, [ticks[power] for power in powers])
    np.testing.assert_allclose(places[:, 1], expected, atol=4.0)
    lines = panels[0].find(f".//{name}polyline").get("points").split()
    through = [plate for plate in moment.plates if plate.is_linear and plate.on_longest_path]
    assert [plate.label for plate in through] == ["conv1.conv2d", "conv2.conv2d", "output.affine"]
    assert len(lines) == len(through)


DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def numbers(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?[0-9.]+", path)]


@pytest.mark.parametrize(
    ("scopes", "blocks", "captions"),
    [
        (["C1", "", "S2"], [("", 3)], ["C1", "relu", "S2"]),
        (
            ["conv1", "layer1.0.conv1", "layer1.0", "layer1.1.conv1", "fc"],
            [("", 1), ("layer1.0", 2), ("layer1.1", 1), ("", 1)],
            ["conv1", "conv1", "relu", "conv1", "fc"],
        ),
        (
            ["features.0", "features.1", "classifier.0"],
            [("features", 2), ("classifier", 1)],
            ["0 relu", "1 relu", "0 relu"],
        ),
        (
            ["layer1.0.gate", "layer1.0.gate.fc1", "layer1.0.gate"],
            [("layer1.0", 3)],
            ["relu", "gate.fc1", "relu"],
        ),
    ],
)
def test_elements_of_a_block_stand_together(
    scopes: list[str], blocks: list[tuple[str, int]], captions: list[str]
) -> None:
    some = plates(atlas(recorded()))["relu"]
    made = [replace(some, scope=scope) for scope in scopes]
    found = list(blocks_of(made))
    assert [(path, len(places)) for path, places in found] == blocks
    assert [place for _, places in found for place in places] == list(range(len(made)))
    parents = parents_of(made)
    told = [caption_of(made[place], path, parents) for path, places in found for place in places]
    assert told == captions


def test_notebooks_and_files_show_it(tmp_path: Any) -> None:
    found = atlas(recorded())
    assert found._repr_html_().startswith("<iframe srcdoc=")
    for ending, begins in ((".html", "<!doctype"), (".svg", "<svg"), (".txt", "Error-signal")):
        found.save(tmp_path / f"atlas{ending}")
        assert (tmp_path / f"atlas{ending}").read_text(encoding="utf-8").startswith(begins)
    assert found._repr_svg_() == (tmp_path / "atlas.svg").read_text(encoding="utf-8")


def test_a_graph_of_numbers_has_figures_and_no_maps() -> None:
    x = tg.Scalar(0.5, requires_grad=True, name="x")
    with tg.explain.record(keep="arrays"):
        y = (x * 3.0).sigmoid()
        y.backward()
    found = atlas(y)
    assert [plate.excerpt.maps for plate in plates(found).values()] == [None, None]
    assert found.runs[0].moments[0].loss == y.item()
    assert "multiply" in found.html()


def test_a_document_without_arrays_is_refused() -> None:
    read_back = tg.explain.GraphDump.from_json(tg.explain.dump(recorded()).to_json())
    with pytest.raises(GraphError, match="a recording of figures alone"):
        atlas(read_back)


def test_a_signal_that_is_zero_or_infinite_is_drawn_too() -> None:
    x = tg.Tensor([[1e30, 1.0], [0.0, 2.0]], requires_grad=True, dtype=np.float32)
    with np.errstate(all="ignore"), tg.explain.record(keep="arrays"):
        loss = ((x * x) * (x * x) * 0.0).sum()
        loss.backward()
    found = atlas(loss)
    for form in (found.html(), found.svg(), str(found)):
        assert "multiply" in form


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
    "rate": (lambda: atlas(recorded(), lr=-1.0), OptionError, "from 0 up; got -1.0"),
    "no runs": (lambda: atlas([]), OptionError, "at least one run; got none"),
    "no moments": (lambda: atlas({"a": {}}), OptionError, "got none of 'a'"),
    "other moments": (
        lambda: atlas({"a": {0: recorded()}, "b": {1: recorded()}}), OptionError, "same steps; got",
    ),
    "preset": (lambda: compare("vgg"), UnknownNameError, "lenet5-sigmoid-relu, .* got 'vgg'"),
    "steps": (lambda: compare("batch-norm", steps=-1), OptionError, "steps is .* got -1"),
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
