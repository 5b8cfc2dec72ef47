"""Documents that are damaged, of another kind or of another version: refused, in one sentence."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cnn.errors import DataError
from tinygrad_cnn.explain import GraphDump
from tinygrad_cnn.explain.graph_dump import SCHEMA
from tinygrad_cnn.explain.schema_check import compiled

from .runs import neuron, small_network

SCHEMA_READ = json.loads(SCHEMA.read_text(encoding="utf-8"))
GOOD = json.loads(json.dumps(small_network().to_json()))


def put(*path: Any) -> Callable[[Any], None]:
    """Return what puts the last of these where the others lead."""
    *way, last, value = path

    def change(document: Any) -> None:
        for step in way:
            document = document[step]
        document[last] = value

    return change


def drop(*path: Any) -> Callable[[Any], None]:
    *way, last = path

    def change(document: Any) -> None:
        for step in way:
            document = document[step]
        del document[last]

    return change


LATER = GOOD["elements"][-1]["outputs"][0]
DAMAGED: list[tuple[Callable[[Any], None], str]] = [
    (put("format", "another"), 'a document says "format": "tinygrad_cnn graph"; got dict'),
    (put("version", 7), "reads version 1; got version 7. Write it again with tg.explain.dump"),
    (drop("library"), "a document has 'library'; got 'format', 'version'"),
    (put("more", 1), "a document has only .*; got 'more' too"),
    (put("recorded", "yes"), "recorded is true or false; got 'yes'"),
    (put("recorded", 1), "recorded is true or false; got 1"),
    (put("title", 5), "title is a text; got 5"),
    (put("elements", []), "elements has at least 1 items; got 0"),
    (put("elements", {}), "elements is a list; got an object"),
    (put("result", -1), "result is at least 0; got -1"),
    (put("result", True), "result is a whole number; got True"),
    (put("result", 999), "refer to values and rules of the same document.*IndexError"),
    (put("elements", 0, "inputs", 0, -1), r"elements\[0\].inputs\[0\] is at least 0; got -1"),
    (put("elements", 0, "inputs", 0, 999), "refer to values .*IndexError"),
    (put("elements", 0, "inputs", 0, LATER), f"element 1 reads value {LATER}, which is made later"),
    (put("elements", 0, "outputs", [LATER]), f"value {LATER} made by elements 1 and"),
    (put("elements", 0, "rule", 99), "refer to values and rules .*IndexError"),
    (put("elements", 0, "options", [1]), r"elements\[0\].options is an object; got a list"),
    (put("elements", 0, "forward", "seconds", "x"), r"forward.seconds is a number; got 'x'"),
    (
        put("elements", 0, "forward", "kernels", [["conv2d"]]),
        r"kernels\[0\] has 2 to 2 items; got 1",
    ),
    (put("values", 0, "shape", "abc"), r"values\[0\].shape is a list; got 'abc'"),
    (put("values", 0, "role", "x"), r"values\[0\].role is 'parameter', .*; got 'x'"),
    (put("values", 0, "forward", "norm", None), r"values\[0\].forward.norm is .*; got null"),
    (put("rules", 0, "forward", "{nope}"), "KeyError: 'nope'"),
    (put("rules", 0, "forward", "{weight"), "ValueError"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGED)
def test_a_damaged_document_is_refused_in_one_sentence(
    change: Callable[[Any], None], message: str, tmp_path: Path
) -> None:
    document = copy.deepcopy(GOOD)
    change(document)
    with pytest.raises(DataError, match=f"^graph dump: .*{message}") as told:
        GraphDump.from_json(document)
    assert "\n" not in str(told.value)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match=r"^graph dump: .*run\.json: "):
        GraphDump.load(file)


FILES: list[tuple[bytes, str]] = [
    (b"", "run.json holds the JSON that save.. wrote; got Expecting value"),
    (b"[]", "run.json: a document says .*; got list without it"),
    (b'"text"', "got str without it"),
    (b"{", "holds the JSON"),
    (b"\xb8\x00", "holds the JSON .*; got 'utf-8' codec"),
    (b"[" * 100_000, "holds the JSON"),
]


@pytest.mark.parametrize(("content", "message"), FILES)
def test_a_file_of_something_else_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        GraphDump.load(file)


def test_a_folder_or_nothing_is_no_file_to_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.json"):
        with pytest.raises(DataError, match=r"graph dump: .* is a file to read; got "):
            GraphDump.load(path)


WORDS = [None, True, 0, -1, 1.5, "nan", "text", [], [0], {}, {"norm": 1.0}]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_check_agrees_with_another_reader_of_schemas(data: st.DataObject) -> None:
    document = copy.deepcopy(NEURON)
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.integers(0, 3)):
            place = inner
            continue
        break
    if data.draw(st.booleans()):
        place[key] = data.draw(st.sampled_from(WORDS))
    else:
        del place[key]
    valid = jsonschema.Draft202012Validator(SCHEMA_READ).is_valid(document)
    assert (compiled(SCHEMA_READ)(document) is None) == valid


NEURON = json.loads(json.dumps(neuron().to_json()))


def test_a_word_that_the_check_does_not_know_is_refused() -> None:
    with pytest.raises(KeyError, match="pattern"):
        compiled({"type": "string", "pattern": "x"})
