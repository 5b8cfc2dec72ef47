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
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinygrad_cnn.atomic import write_atomically
from tinygrad_cnn.element import Cost, Rule, Work
from tinygrad_cnn.errors import DataError, DTypeError, GraphError
from tinygrad_cnn.explain.fan_in import FanIn
from tinygrad_cnn.explain.recording import (
    Kept,
    Source,
    Spent,
    Statistics,
    Step,
    Used,
    recording_of,
    structure_behind,
)
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
        from tinygrad_cnn.explain.svg import svg

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
                    values.append(_value_to_json(kept, kept.key in made, gradient))
            elements.append(_step_to_json(step, number, places, rules))
            for kept, signal in zip(step.outputs, step.outgoing or (), strict=False):
                values[places[kept.key]]["signal"] = _signal_to_json(signal)
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
                fan_in.to_json(places[key], numbers, _number_to_json)
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
        try:
            rules = [_rule_from_json(rule) for rule in document["rules"]]
            values = [_value_from_json(k, value) for k, value in enumerate(document["values"])]
            steps = [_step_from_json(e, values, rules) for e in document["elements"]]
            facts = (steps, values[document["result"]], document["recorded"], document["title"])
            signals = (value["signal"] for value in document["values"])
            gradients = zip(values, _signals_from_json(signals, values), strict=True)
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
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise DataError(f"graph dump: {path} holds JSON; got {error}") from error
        return cls.from_json(document)


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
        If it is no value of a graph.
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


# -- parts -----------------------------------------------------------------------------


def _number_to_json(number: float) -> float | str:
    """Return a number; JSON has no word for those that are not finite."""
    return number if math.isfinite(number) else str(number)


def _statistics_to_json(statistics: Statistics) -> dict[str, Any] | None:
    if math.isnan(statistics.norm) and math.isnan(statistics.zeros):
        return None
    return {name: _number_to_json(x) for name, x in statistics._asdict().items()}


def _statistics_from_json(figures: Mapping[str, Any] | None) -> Statistics:
    if figures is None:
        return Statistics(math.nan, math.nan, math.nan, math.nan)
    return Statistics(**{name: float(x) for name, x in figures.items()})


def _value_to_json(kept: Kept, made: bool, gradient: Kept | None) -> dict[str, Any]:
    role = "made" if made else "before"
    if kept.is_leaf:
        role = "parameter" if kept.requires_grad else "constant"
    return {
        "name": kept.name,
        "role": role,
        "shape": list(kept.shape),
        "dtype": kept.dtype,
        "device": kept.device,
        "requires_grad": kept.requires_grad,
        "passes": kept.grad_passes,
        "forward": _statistics_to_json(kept.statistics),
        "number": _single_to_json(kept),
        "signal": _signal_to_json(gradient),
    }


def _single_to_json(kept: Kept) -> float | str | None:
    return _number_to_json(kept.value) if isinstance(kept.value, float) else None


def _value_from_json(key: int, value: Mapping[str, Any]) -> Kept:
    number = value["number"]
    return Kept(
        key,
        tuple(value["shape"]),
        value["dtype"],
        value["device"],
        value["requires_grad"],
        value["role"] in ("parameter", "constant"),
        _statistics_from_json(value["forward"]),
        None if number is None else float(number),
        None,
        value["name"],
        value["passes"],
    )


def _signal_to_json(signal: Kept | None) -> dict[str, Any] | None:
    if signal is None:
        return None
    return {"figures": _statistics_to_json(signal.statistics), "number": _single_to_json(signal)}


def _signals_from_json(signals: Iterable[Any] | None, of: Iterable[Kept]) -> Any:
    if signals is None:
        return None
    return tuple(
        None
        if signal is None
        else kept.with_figures(
            _statistics_from_json(signal["figures"]),
            None if signal["number"] is None else float(signal["number"]),
        )
        for signal, kept in zip(signals, of, strict=True)
    )


def _rule_to_json(rule: Rule) -> dict[str, Any]:
    return {
        "inputs": list(rule.inputs),
        "outputs": list(rule.outputs),
        "forward": rule.forward,
        "backward": dict(rule.backward),
        "latex": rule.latex,
        "latex_backward": dict(rule.latex_backward),
    }


def _rule_from_json(rule: Mapping[str, Any]) -> Rule:
    read = Rule(**{**rule, "inputs": tuple(rule["inputs"]), "outputs": tuple(rule["outputs"])})
    read.forward_text()  # a symbol that nobody declared is noticed here
    for symbol in read.backward:
        read.backward_text(symbol)
    return read


def _step_to_json(
    step: Step, number: int, places: Mapping[int, int], rules: dict[str, int]
) -> dict[str, Any]:
    return {
        "number": number,
        "name": step.name,
        "scope": step.scope,
        "options": {name: _plain(option) for name, option in step.options.items()},
        "rule": rules.setdefault(json.dumps(_rule_to_json(step.rule)), len(rules)),
        "convention": step.convention,
        "inputs": [places[kept.key] for kept in step.inputs],
        "outputs": [places[kept.key] for kept in step.outputs],
        "cost": {
            "forward": step.cost.forward._asdict(),
            "gradients": {name: work._asdict() for name, work in step.cost.gradients.items()},
        },
        "source": None if step.source is None else step.source._asdict(),
        "forward": _spent_to_json(step.forward_effort),
        "backward": None if step.backward_effort is None else _spent_to_json(step.backward_effort),
        "outgoing": _signals_to_json(step.outgoing),
        "incoming": _signals_to_json(step.incoming),
        "passes": step.passes,
    }


def _plain(option: Any) -> Any:
    """Return an option as JSON knows it; what JSON has no word for as it is printed."""
    if isinstance(option, tuple | list):
        return list(map(_plain, option))
    if option is None or isinstance(option, bool | int | str):
        return option
    return option if isinstance(option, float) and math.isfinite(option) else str(option)


def _frozen(option: Any) -> Any:
    """Return an option as elements print it: with tuples."""
    return tuple(map(_frozen, option)) if isinstance(option, list) else option


def _signals_to_json(signals: tuple[Kept | None, ...] | None) -> list[Any] | None:
    return None if signals is None else list(map(_signal_to_json, signals))


def _spent_to_json(spent: Spent) -> dict[str, Any]:
    return {"seconds": spent.seconds, "kernels": [list(used) for used in spent.kernels]}


def _spent_from_json(spent: Mapping[str, Any]) -> Spent:
    return Spent(spent["seconds"], tuple(Used(*used) for used in spent["kernels"]))


def _step_from_json(element: Mapping[str, Any], values: list[Kept], rules: list[Rule]) -> Step:
    inputs, outputs = (
        tuple(values[place] for place in element[side]) for side in ("inputs", "outputs")
    )
    for position in range(len(inputs)):
        rules[element["rule"]].input_symbol(position)  # there is one for each
    cost, source, backward = element["cost"], element["source"], element["backward"]
    return Step(
        element["number"],
        element["name"],
        element["scope"],
        {name: _frozen(option) for name, option in element["options"].items()},
        rules[element["rule"]],
        element["convention"],
        Cost(Work(**cost["forward"]), {n: Work(**w) for n, w in cost["gradients"].items()}),
        inputs,
        outputs,
        _spent_from_json(element["forward"]),
        None if source is None else Source(**source),
        _signals_from_json(element["outgoing"], outputs),
        _signals_from_json(element["incoming"], inputs),
        None if backward is None else _spent_from_json(backward),
        element["passes"],
    )
