"""A recorded run as one document, in JSON: what text, pictures and pages are rendered from.

::

    with record(): ...  ──▶  Recording  ──▶  GraphDump  ◀──▶  file.json
                                                 │
                       story · Markdown · LaTeX · DOT · SVG · HTML · difference

A document lists **values** (shapes, names, figures of the value and of its error signal) and
**elements** in execution order, which say by number what values they read and made, by which
rule, from which line of the program, at what cost, and what error signal went to each input.
Values are numbered from 0, elements from 1, as they appear; so two runs of one program have the
same numbers. The schema is ``graph_dump.schema.json`` beside this module.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tinygrad_cnn.atomic import write_atomically
from tinygrad_cnn.errors import DataError, DTypeError, GraphError
from tinygrad_cnn.explain.fan_in import FanIn
from tinygrad_cnn.explain.graph_dump_parts import (
    number_to_json,
    rule_from_json,
    signal_to_json,
    signals_from_json,
    step_from_json,
    step_to_json,
    value_from_json,
    value_to_json,
)
from tinygrad_cnn.explain.recording import Kept, Step, recording_of, structure_behind
from tinygrad_cnn.explain.schema_check import Check, compiled
from tinygrad_cnn.variable import Variable
from tinygrad_cnn.version import __version__

FORMAT, VERSION = "tinygrad_cnn graph", 1
SCHEMA = Path(__file__).with_name("graph_dump.schema.json")


@dataclass
class GraphDump:
    """A composite function as it ran.

    Attributes
    ----------
    steps : list of Step
        In execution order.
    result : Kept
        The value that all of them lead to.
    recorded : bool
        Whether figures were kept; else this is structure alone.
    title : str
    gradients : dict of int to Kept
        Of the leaves, by their key: what ``.grad`` held when this was made.
    fan_ins : dict of int to FanIn
        Of values that δ reached by several paths, by their key.
    library : str
        Who ran it.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(3.0, requires_grad=True, name="x")
    >>> with tg.explain.record():
    ...     y = x * x
    >>> document = tg.explain.dump(y).to_json()
    >>> document["elements"][0]["inputs"], document["elements"][0]["outputs"]
    ([0, 0], [1])
    >>> document["values"][1]["number"]
    9.0
    """

    steps: list[Step]
    result: Kept
    recorded: bool = True
    title: str = ""
    gradients: dict[int, Kept] = field(default_factory=dict)
    fan_ins: dict[int, FanIn] = field(default_factory=dict)
    library: str = f"tinygrad_cnn {__version__}"

    # -- in notebooks ----------------------------------------------------------------

    def _repr_svg_(self) -> str:
        from tinygrad_cnn.explain.rendering.svg import svg

        return svg(self)

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self._repr_svg_()}</div>'

    # -- to JSON ---------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return the document: dictionaries, lists, strings, numbers and None."""
        places: dict[int, int] = {}
        values: list[dict[str, Any]] = []
        rules: dict[str, int] = {}  # by what is written of them
        elements = []
        made = {kept.key for step in self.steps for kept in step.outputs}
        for number, step in enumerate(self.steps, 1):
            for kept in (*step.inputs, *step.outputs):
                if kept.key not in places:
                    places[kept.key] = len(values)
                    gradient = self.gradients.get(kept.key)
                    values.append(value_to_json(kept, kept.key in made, gradient))
            elements.append(step_to_json(step, number, places, rules))
            for kept, signal in zip(step.outputs, step.outgoing or (), strict=False):
                values[places[kept.key]]["signal"] = signal_to_json(signal)
        numbers = {step.order: number for number, step in enumerate(self.steps, 1)}
        return {
            "format": FORMAT,
            "version": VERSION,
            "library": self.library,
            "title": self.title,
            "recorded": self.recorded,
            "result": places[self.result.key],
            "rules": list(map(json.loads, rules)),
            "values": values,
            "elements": elements,
            "fan_ins": [
                fan_in.to_json(places[key], numbers, number_to_json)
                for key, fan_in in self.fan_ins.items()
            ],
        }

    def save(self, path: str | Path) -> None:
        """Write the document to a file, whole or not at all."""
        text = json.dumps(self.to_json(), ensure_ascii=False, indent=1, allow_nan=False)
        write_atomically(Path(path), f"{text}\n".encode(), operation="graph dump")

    # -- from JSON -------------------------------------------------------------------

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "GraphDump":
        """Read a document of :meth:`to_json`.

        Raises
        ------
        DataError
            If it is none, or of a later version.
        """
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise DataError(
                f'graph dump: a document says "format": "{FORMAT}"; got '
                f"{type(document).__name__} without it"
            )
        if document.get("version") != VERSION:
            raise DataError(
                f"graph dump: this library reads version {VERSION}; got version "
                f"{document.get('version')!r}. Write it again with tg.explain.dump(loss).save(path)"
            )
        if (wrong := _schema_check()(document)) is not None:
            where, what = wrong
            raise DataError(
                f"graph dump: {where.lstrip('.') or 'a document'} {what.removeprefix('it ')} "
                f"({SCHEMA.name} says so)"
            )
        try:
            _refuse_disorder(document)
            rules = [rule_from_json(rule) for rule in document["rules"]]
            values = [value_from_json(k, value) for k, value in enumerate(document["values"])]
            steps = [step_from_json(e, values, rules) for e in document["elements"]]
            facts = (steps, values[document["result"]], document["recorded"], document["title"])
            signals = (value["signal"] for value in document["values"])
            gradients = zip(values, signals_from_json(signals, values), strict=True)
            leaves = {v.key: signal for v, signal in gradients if v.is_leaf and signal}
            counts = len(steps), len(values)
            return cls(
                *facts,
                leaves,
                {f["value"]: FanIn.from_json(f, *counts) for f in document["fan_ins"]},
                document["library"],
            )
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                "graph dump: elements refer to values and rules of the same document, as the "
                f"schema says; got {type(error).__name__}: {error}"
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> "GraphDump":
        """Read a file that :meth:`save` wrote.

        Raises
        ------
        DataError
            If it is no such file.
        """
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"graph dump: {path} is a file to read; got {reason}") from error
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"graph dump: {path} holds the JSON that save() wrote; got {error or 'none'}"
            ) from error
        try:
            return cls.from_json(document)
        except DataError as error:
            told = str(error).removeprefix("graph dump: ")
            raise DataError(f"graph dump: {path}: {told}") from error


def dump(result: Variable, title: str = "") -> GraphDump:
    """Return the run that led to a value, as a document that everything renders from.

    Parameters
    ----------
    result : Scalar or Tensor
        Usually a loss. Figures are those kept by :func:`record`; of a value computed outside a
        recording only the structure is there.
    title : str
        What pictures and pages are headed by.

    Raises
    ------
    DTypeError
        If it is no value of a graph, or the title no text.
    GraphError
        If no element computed it.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.5, requires_grad=True, name="x")
    >>> graph = tg.explain.dump(x.exp(), "a single element")
    >>> [step.label for step in graph.steps], graph.recorded
    (['exp'], False)
    """
    if not isinstance(title, str):
        raise DTypeError(f"dump: a title is a text; got {type(title).__name__}")
    return graph_of("dump", result, title)


def graph_of(operation: str, result: Variable | GraphDump, title: str = "") -> GraphDump:
    """Return the run behind a value, or the one that was given; errors name the operation."""
    if isinstance(result, GraphDump):
        return result
    if not isinstance(result, Variable):
        raise DTypeError(
            f"{operation}: it is told of a value, usually a loss; got {type(result).__name__}. "
            "Pass the Tensor or Scalar that was computed inside the recording"
        )
    recording = recording_of(result.node)
    steps = structure_behind(result.node) if recording is None else recording.behind(result.node)
    if not steps:
        raise GraphError(
            f"{operation}: no recorded element computed this value; got "
            f"{result.name or 'a leaf'} of shape {result.shape}. Compute it from something "
            "that requires a gradient, or inside 'with tg.explain.record():'"
        )
    place = id(result.node) if recording is None else recording.key_of(result.node)
    made = {kept.key: kept for step in steps for kept in step.outputs}
    leaves = {kept.key: kept for step in steps for kept in step.inputs if kept.is_leaf}
    gradients = {key: signal for key, leaf in leaves.items() if (signal := leaf.gradient())}
    fan_ins = {} if recording is None else recording.fan_ins(steps)
    return GraphDump(steps, made[place], recording is not None, title, gradients, fan_ins)


@cache
def _schema_check() -> Check:
    return compiled(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _refuse_disorder(document: Mapping[str, Any]) -> None:
    """Refuse an element that reads what no element before it made."""
    makers: dict[int, int] = {}
    for number, element in enumerate(document["elements"], 1):
        for value in element["outputs"]:
            if makers.setdefault(value, number) != number:
                raise ValueError(f"value {value} made by elements {makers[value]} and {number}")
    for number, element in enumerate(document["elements"], 1):
        for value in element["inputs"]:
            if makers.get(value, 0) >= number:
                raise ValueError(f"element {number} reads value {value}, which is made later")
