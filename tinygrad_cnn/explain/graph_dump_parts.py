"""Parts of a document of a run, to JSON and from it: values, rules, elements, figures."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_cnn.element import Cost, Work
from tinygrad_cnn.explain.recording import Kept, Source, Spent, Statistics, Step, Used
from tinygrad_cnn.rule import Rule

__all__ = [
    "number_to_json", "rule_from_json", "signal_to_json", "signals_from_json", "step_from_json",
    "step_to_json", "value_from_json", "value_to_json",
]  # fmt: skip


def number_to_json(number: float) -> float | str:
    """Return a number; JSON has no word for those that are not finite."""
    return number if math.isfinite(number) else str(number)


def _statistics_to_json(statistics: Statistics) -> dict[str, Any] | None:
    if math.isnan(statistics.norm) and math.isnan(statistics.zeros):
        return None
    return {name: number_to_json(x) for name, x in statistics._asdict().items()}


def _statistics_from_json(figures: Mapping[str, Any] | None) -> Statistics:
    if figures is None:
        return Statistics(math.nan, math.nan, math.nan, math.nan)
    return Statistics(**{name: float(x) for name, x in figures.items()})


def value_to_json(kept: Kept, made: bool, gradient: Kept | None) -> dict[str, Any]:
    """Return what a document says of a value; `gradient` is what its ``.grad`` holds."""
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
        "signal": signal_to_json(gradient),
    }


def _single_to_json(kept: Kept) -> float | str | None:
    return number_to_json(kept.value) if isinstance(kept.value, float) else None


def value_from_json(key: int, value: Mapping[str, Any]) -> Kept:
    """Return the value at a place of a document."""
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


def signal_to_json(signal: Kept | None) -> dict[str, Any] | None:
    """Return what a document says of an error signal."""
    if signal is None:
        return None
    return {"figures": _statistics_to_json(signal.statistics), "number": _single_to_json(signal)}


def signals_from_json(signals: Iterable[Any] | None, of: Iterable[Kept]) -> Any:
    """Return error signals of some values, as they stand in a document."""
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


def rule_from_json(rule: Mapping[str, Any]) -> Rule:
    """Return a rule; a symbol that it does not declare is an error."""
    read = Rule(**{**rule, "inputs": tuple(rule["inputs"]), "outputs": tuple(rule["outputs"])})
    read.forward_text()  # a symbol that nobody declared is noticed here
    for symbol in read.backward:
        read.backward_text(symbol)
    return read


def step_to_json(
    step: Step, number: int, places: Mapping[int, int], rules: dict[str, int]
) -> dict[str, Any]:
    """Return what a document says of an element, and put its rule among the others."""
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
    return None if signals is None else list(map(signal_to_json, signals))


def _spent_to_json(spent: Spent) -> dict[str, Any]:
    return {"seconds": spent.seconds, "kernels": [list(used) for used in spent.kernels]}


def _spent_from_json(spent: Mapping[str, Any]) -> Spent:
    return Spent(spent["seconds"], tuple(Used(*used) for used in spent["kernels"]))


def step_from_json(element: Mapping[str, Any], values: list[Kept], rules: list[Rule]) -> Step:
    """Return an element that reads and makes some of the values of a document."""
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
        signals_from_json(element["outgoing"], outputs),
        signals_from_json(element["incoming"], inputs),
        None if backward is None else _spent_from_json(backward),
        element["passes"],
    )
