"""Feature maps and filters, and the sheets of pictures that all of sight is drawn on."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import (
    DTypeError,
    GraphError,
    OptionError,
    ShapeError,
    UnknownNameError,
)
from tinygrad_cnn.explain import error_field, feature_maps, filters, receptive_field, record
from tinygrad_cnn.explain.rendering.array_picture import Scale
from tinygrad_cnn.explain.sight import Panel, Sheet
from tinygrad_cnn.explain.sight.picture_sheet import Box, maps_panel


def network() -> nn.Sequential:
    tg.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 20, 3), nn.Flatten(), nn.Linear(80, 2)
    )


def run(keep: str = "arrays") -> tuple[Any, Any]:
    model = network()
    x = tg.Tensor(np.random.default_rng(0).normal(size=(2, 3, 6, 6)), dtype=np.float32)
    with record(keep=keep) as recording:
        model(x)
    return recording, (model, x)


def test_maps_are_what_the_layers_computed() -> None:
    recording, (model, x) = run()
    found = feature_maps(recording, image=1)
    assert list(found.maps) == ["0", "1", "2"]
    first = model[0](x)
    assert np.array_equal(found.maps["0"], first.numpy()[1])
    assert np.array_equal(found.maps["1"], F.relu(first).numpy()[1])
    assert list(feature_maps(recording, "1").maps) == ["1"]
    assert re.match("feature maps of image 1\n0: 4 maps 4x4, from -", found.text())


def test_of_many_elements_some_are_chosen_evenly() -> None:
    y = tg.Tensor(np.ones((1, 1, 2, 2)))
    with record(keep="arrays") as recording:
        for _ in range(70):
            y = y * 1.5
    found = feature_maps(recording)
    assert (len(found.maps), found.left_out) == (24, 46)
    assert next(iter(found.maps)) == "multiply#1"
    assert "46 more elements have maps" in found.sheet().svg()


def test_maps_that_are_0_everywhere_are_counted() -> None:
    x = tg.Tensor(np.array([[[[1.0, -1.0]], [[-1.0, -2.0]]]]))
    with record(keep="arrays") as recording:
        F.relu(x)
    assert "1 of them are 0 everywhere" in feature_maps(recording).sheet().svg()


def test_filters_are_the_weights() -> None:
    model = network()
    found = filters(model)
    assert list(found.weights) == ["0.weight", "2.weight"]
    assert np.array_equal(found.weights["2.weight"], model[2].weight.numpy())
    assert list(filters(model, "2.weight").weights) == ["2.weight"]
    assert list(filters(model[0].weight).weights) == ["weight"]
    svg = found.sheet().svg()
    assert "red, green, blue: grey 0" in svg  # over colour images
    assert "20 filters 4x3x3; one in each row, by channels; 16 filters and 4 channels" in svg


def sheet() -> Sheet:
    scale = Scale("signed", -2.0, 2.0)
    pixels = scale.pixels(np.linspace(-2, 2, 12).reshape(3, 4))
    boxed = Panel("a <b> & c", pixels, scale, ("a note",), 10, [Box(1, 2, 2, 1)])
    return Sheet("heading", [boxed, Panel("second", pixels), Panel("third", pixels, scale)])


def test_a_sheet_is_well_formed_and_stands_alone(tmp_path: Path) -> None:
    root = ElementTree.fromstring(sheet().svg())
    images = [each for each in root.iter() if each.tag.endswith("image")]
    assert len(images) == 5  # three pictures and two legends
    assert [(image.get("width"), image.get("height")) for image in images[:2]] == [
        ("40", "30"), ("128", "8"),
    ]  # fmt: skip
    (box,) = (e for e in root.iter() if e.get("class") == "box")
    place = [float(box.get(name) or 0) for name in ("x", "y", "width", "height")]
    corner = [float(images[0].get(name) or 0) for name in ("x", "y")]
    assert [place[0] - corner[0], place[1] - corner[1], *place[2:]] == [20, 10, 10, 20]
    page = sheet().html()
    assert not re.search(r'(src|href)="(?!data:image/png;base64,)', page)
    for ending in ("html", "svg", "png"):
        sheet().save(tmp_path / f"sheet.{ending}")
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "sheet.svg").read_text(encoding="utf-8") == f"{sheet().svg()}\n"
    assert "&lt;b&gt;" in (tmp_path / "sheet.html").read_text(encoding="utf-8")


def test_panels_do_not_overlap_and_stay_within_the_sheet() -> None:
    panels = [maps_panel(f"panel {k}", np.ones((k + 1, 5, 9 + 40 * k))) for k in range(9)]
    root = ElementTree.fromstring(Sheet("many", panels).svg())
    width, height = float(root.get("width") or 0), float(root.get("height") or 0)
    names = ("x", "y", "width", "height")
    boxes = [
        tuple(float(each.get(name) or 0) for name in names)
        for each in root.iter()
        if each.tag.endswith("image")
    ]
    assert len(boxes) == 9
    for k, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert x + w <= width
        assert y + h <= height
        for other_x, other_y, other_w, other_h in boxes[:k]:
            apart = x >= other_x + other_w or other_x >= x + w
            assert apart or y >= other_y + other_h or other_y >= y + h


def test_fields_are_drawn_with_and_without_what_was_measured() -> None:
    x = tg.Tensor(np.ones((2, 1, 8, 8)), requires_grad=True, name="x")
    w = tg.Tensor(np.ones((1, 1, 3, 3)), requires_grad=True, name="w")
    with record():
        y = F.avg_pool2d(F.conv2d(x, w), 2)
        loss = (y * y).reshape(2, -1).mean()
    seen = receptive_field(loss, "avg_pool2d")
    assert seen.sheet(np.ones((1, 8, 8))).svg().count("16 of 64 pixels") == 1
    errors = error_field(loss, "x", (1, 0, 4, 4)).sheet()
    assert [panel.title for panel in errors.panels] == [
        "conv2d", "avg_pool2d", "multiply", "reshape",
    ]  # fmt: skip
    assert errors.panels[0].pixels.shape[1] == 6  # the image of the pixel alone
    loss.backward()
    for each in (receptive_field(loss, "avg_pool2d"), error_field(loss, "w", (0, 0, 0, 0))):
        assert "not measured: the graph was freed" in each._repr_html_()


def test_a_notebook_shows_pictures() -> None:
    recording, (model, _) = run()
    for each in (feature_maps(recording), filters(model)):
        assert each._repr_html_().startswith('<div style="overflow-x: auto"><svg class="sight"')


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: feature_maps(run()[0], "3"), OptionError, r"are 0, 1, 2; got 3, of shape \(2, 80"),
        (lambda: feature_maps(run()[0], "conv"), UnknownNameError, "names are 0, 1, 2, 3, 4; got"),
        (lambda: feature_maps(run()[0], image=2), ShapeError, "this batch are 0 to 1; got 2"),
        (lambda: feature_maps(run("statistics")[0]), OptionError, 'got 0, of which.*keep="arrays"'),
        (lambda: feature_maps(None), DTypeError, "feature_maps: .*; got NoneType"),
        (lambda: feature_maps(tg.Tensor([1.0])), GraphError, "no recorded element"),
        (lambda: filters(network(), "4.weight"), UnknownNameError, "are 0.weight, 2.weight; got"),
        (lambda: filters(network(), ["4.weight"]), UnknownNameError, r"; got \['4.weight'\]"),
        (lambda: filters(nn.Linear(2, 2)), OptionError, "got Linear without any"),
        (lambda: filters(tg.Tensor([1.0])), ShapeError, r"got \(1,\)"),
        (lambda: filters([1.0]), DTypeError, "got list"),
        (lambda: sheet().save("x.pdf"), OptionError, ".html, .svg or .png; got 'x.pdf'"),
    ],
)
def test_refusals(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
