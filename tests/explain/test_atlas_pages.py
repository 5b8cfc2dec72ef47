"""What an atlas writes: the page, its curves and blocks, and the text."""

import base64
import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.explain.atlas import atlas
from tinygrad_cnn.explain.atlas.blocks import blocks_of, caption_of, parents_of
from tinygrad_cnn.explain.atlas.tiles import signed_greys

from .atlas_runs import decoded, plates, recorded

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
    drawn = (tmp_path / "atlas.svg").read_text(encoding="utf-8")
    assert drawn == f"{found._repr_svg_().rstrip()}\n"


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
