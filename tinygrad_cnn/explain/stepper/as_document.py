"""A walk as a document: the graph with the error signals of this walk, for pictures and pages."""

from dataclasses import replace
from typing import Any

from tinygrad_cnn.explain.fan_in import FanIn
from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.recording import Kept, Spent, Statistics, Step
from tinygrad_cnn.explain.stepper.paused_walk import PausedWalk, Visit
from tinygrad_cnn.explain.stepper.places import Places


def as_document(walk: PausedWalk, places: Places, title: str = "") -> GraphDump:
    """Return the graph with the error signals of a walk, as far as it got."""
    visits = {walk.order[k].order: visit for k, visit in enumerate(walk.visits)}
    steps = [_with_signals(step, visits.get(step.order)) for step in places.graph.steps]
    gradients: dict[int, Kept] = {}
    came: dict[int, list[tuple[int, int, Any]]] = {}
    incomplete = set()  # a document knows no fan-in that some are still to send to
    for position, element in enumerate(places.order):
        step = places.steps[position]
        for k, (kept, node) in enumerate(zip(step.inputs, element.inputs, strict=True)):
            if node.creator is None and node in walk.signals:
                gradients[kept.key] = _signal_of(kept, walk.signals[node]._value)
            if position >= walk.position:
                incomplete.add(kept.key)
                continue
            signal = walk.visits[position].incoming[k]
            if signal is not None:
                came.setdefault(kept.key, []).append((step.order, k, signal._value))
    read = dict.fromkeys(kept.key for step in places.graph.steps for kept in step.inputs)
    fan_ins = {
        key: FanIn.of(came[key])
        for key in read
        if len(came.get(key, ())) > 1 and key not in incomplete
    }
    return replace(places.graph, steps=steps, title=title, gradients=gradients, fan_ins=fan_ins)


def _with_signals(step: Step, visit: Visit | None) -> Step:
    """Return a step with the error signals of a visit; what goes to one value adds up."""
    if visit is None or visit.effort is None:
        return replace(step, outgoing=None, incoming=None, backward_effort=None, passes=0)
    totals: dict[int, Any] = {}
    for kept, signal in zip(step.inputs, visit.incoming, strict=True):
        if signal is not None:
            before = totals.get(kept.key)
            totals[kept.key] = signal._value if before is None else before + signal._value
    added = [totals.pop(kept.key, None) for kept in step.inputs]
    arrived = (None if signal is None else signal._value for signal in visit.outgoing)
    return replace(
        step,
        outgoing=tuple(map(_signal, step.outputs, arrived)),
        incoming=tuple(map(_signal, step.inputs, added)),
        backward_effort=Spent.of(visit.effort),
        passes=1,
    )


def _signal(kept: Kept, value: Any) -> Kept | None:
    return None if value is None else _signal_of(kept, value)


def _signal_of(kept: Kept, value: Any) -> Kept:
    return kept.with_figures(Statistics.of(value), value if isinstance(value, float) else None)
