"""The document that everything renders from: schema, round trip, numbering, refusals."""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models
from tinygrad_cnn.errors import DataError, DTypeError, GraphError
from tinygrad_cnn.explain import GraphDump, dump, record, story
from tinygrad_cnn.explain.graph_dump import SCHEMA

Validator = jsonschema.Draft202012Validator
COLUMNS = ("time", "bytes", "multiply-adds", "kernel")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return loaded


def neuron() -> tg.Scalar:
    w, x = (tg.Scalar(v, True, name=name) for v, name in ((0.5, "w"), (-3.0, "x")))
    with record():
        loss = (w * x).sigmoid()
        loss.backward()
    return loss


def twin(name: str) -> Callable[[], Any]:
    def run() -> Any:
        row = models.find(name)
        tg.random.manual_seed(0)
        network = row.build_twin()
        generator = np.random.default_rng(1)
        images = tg.Tensor(generator.normal(size=(3, *row.twin_input)), dtype=np.float32)
        with record():
            loss = row.loss(network(images), np.array([0, 1, 0]))
            loss.backward()
        return loss

    return run


def not_recorded() -> tg.Tensor:
    return (tg.Tensor([1.0, 2.0], requires_grad=True) * 3.0).sum()


def before_backward() -> tg.Tensor:
    with record():
        return not_recorded()


def not_finite() -> tg.Tensor:
    x = tg.Tensor([1e30, -np.inf, 0.0], requires_grad=True, dtype=np.float32)
    with record():
        y = (x * x).sum()
        y.backward()
    return y


def begun_late() -> tg.Tensor:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    before = x * x
    with record():
        y = before.sum()
        y.backward()
    return y


RUNS = {
    "neuron": neuron,
    "not recorded": not_recorded,
    "before backward": before_backward,
    "not finite": not_finite,
    "begun late": begun_late,
    **{name: twin(name) for name in ("lenet5", "resnet20", "densenet_bc100_12", "googlenet")},
}


@pytest.fixture(scope="module", params=RUNS.values(), ids=RUNS)
def result(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    Validator.check_schema(schema)


def test_documents_are_as_the_schema_says(result: Any, schema: dict[str, Any]) -> None:
    Validator(schema).validate(json.loads(json.dumps(dump(result).to_json(), allow_nan=False)))


def test_what_was_read_back_tells_the_same_story(result: Any) -> None:
    document = dump(result, "title").to_json()
    again = GraphDump.from_json(json.loads(json.dumps(document)))
    assert story(again, COLUMNS) == story(result, COLUMNS)
    assert again.to_json() == document


def test_two_runs_differ_in_nothing_but_time(result: Any, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    one, other = (dump(each).to_json() for each in (result, RUNS[name]()))
    for element in (*one["elements"], *other["elements"]):
        for way in ("forward", "backward"):
            if element[way] is not None:
                element[way]["seconds"] = 0.0
    assert one == other


def test_each_value_stands_there_once_with_what_came_back_to_it() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    with record():
        loss = (x * x + x).sum()
        loss.backward()
    document = dump(loss).to_json()
    assert [e["inputs"] for e in document["elements"]] == [[0, 0], [1, 0], [2]]
    assert [v["role"] for v in document["values"]] == ["parameter", "made", "made", "made"]
    leaf = document["values"][0]
    assert leaf["name"] == "x"
    assert leaf["passes"] == 1
    assert leaf["signal"]["figures"]["norm"] == pytest.approx(math.hypot(3.0, 5.0))
    assert document["values"][document["result"]]["signal"]["figures"]["norm"] == 1.0


def test_each_element_names_the_line_that_ran_it() -> None:
    document = dump(neuron()).to_json()
    sources = [element["source"] for element in document["elements"]]
    assert {(source["function"], source["text"]) for source in sources} == {
        ("neuron", "loss = (w * x).sigmoid()")
    }
    assert {Path(source["file"]).name for source in sources} == {"test_graph_dump.py"}
    layers = dump(twin("lenet5")()).to_json()["elements"]
    assert layers[0]["source"]["file"] == "tinygrad_cnn/models/lenet.py"
    assert "self.C1(x)" in layers[0]["source"]["text"]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["elements"][0].pop("rule"),
        lambda d: d["values"][0].update(role="weight"),
        lambda d: d["elements"][0].update(inputs=["w"]),
        lambda d: d.update(notes="none"),
    ],
    ids=["a fact missing", "another role", "a name for a number", "a fact too many"],
)
def test_the_schema_refuses_what_is_otherwise(
    change: Callable[[Any], Any], schema: dict[str, Any]
) -> None:
    document = dump(neuron()).to_json()
    change(document)
    with pytest.raises(jsonschema.ValidationError):
        Validator(schema).validate(document)


def test_a_file_is_read_back(tmp_path: Path) -> None:
    graph = dump(neuron(), "one neuron")
    graph.save(tmp_path / "neuron.json")
    again = GraphDump.load(tmp_path / "neuron.json")
    assert again.title == "one neuron"
    assert again.to_json() == graph.to_json()


DOCUMENT = dump(not_recorded()).to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("format"), 'a document says "format": "tinygrad_cnn graph"'),
        (lambda d: d.update(version=2), "reads version 1; got version 2"),
        (lambda d: d["elements"][0].update(inputs=[7]), "refer to values .*got IndexError"),
        (lambda d: d["elements"][0].pop("cost"), "elements.0. has 'cost'; got "),
        (lambda d: d.update(values=None), "values is a list; got null"),
        (lambda d: d["rules"][0].update(forward="{who}"), "schema says; got KeyError: 'who'"),
        (lambda d: d["rules"][0].update(outputs=[]), "as the schema says; got IndexError"),
        (lambda d: d["rules"][0].update(inputs=["x"], forward="1"), "says; got (Key|Index)Error"),
    ],
)
def test_other_documents_are_refused(change: Callable[[Any], Any], message: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    with pytest.raises(DataError, match=message):
        GraphDump.from_json(document)


def test_what_is_no_json_and_no_document_is_refused(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"format": "tinygrad', encoding="utf-8")
    with pytest.raises(DataError, match=r"half.json holds the JSON .*; got Unterminated string"):
        GraphDump.load(tmp_path / "half.json")
    with pytest.raises(DataError, match="got list without it"):
        GraphDump.from_json([])  # type: ignore[arg-type]


def test_what_no_element_computed_is_refused() -> None:
    with pytest.raises(GraphError, match=r"dump: no recorded element .*got x of shape \(2,\)"):
        dump(tg.Tensor([1.0, 2.0], requires_grad=True, name="x"))
    with pytest.raises(DTypeError, match=r"dump: it is told of a value.*got float"):
        dump(1.0)  # type: ignore[arg-type]


def test_a_title_is_a_text() -> None:
    with pytest.raises(DTypeError, match="dump: a title is a text; got int"):
        dump(neuron(), 5)  # type: ignore[arg-type]
