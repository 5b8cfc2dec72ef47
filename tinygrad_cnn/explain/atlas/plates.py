"""Plates: what an atlas shows of each element, read from a recorded run.

A *run* is one network, a *moment* its state after so many steps of training, a *plate* one element
at one moment: a map of its error signal and figures. Plates stand in execution order; the *depth*
of an element is its position on the longest path from the input, and its *layer* the number of
convolutions and affine maps on that path, by which two networks line up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tinygrad_cnn.errors import GraphError, OptionError, unknown_name
from tinygrad_cnn.explain.atlas.excerpts import Excerpt, Excerpts, Selection, batch_of, excerpt
from tinygrad_cnn.explain.atlas.updates import Update
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import Kept, Statistics, Step, recording_of
from tinygrad_cnn.explain.rendering.svg import FAMILIES
from tinygrad_cnn.variable import Variable

__all__ = ["Moment", "Plate", "Run", "moment_of"]


@dataclass(frozen=True)
class Plate:
    """One element at one moment; ``signal`` are figures of δ of its output, over the batch."""

    number: int  # from 1, in execution order
    label: str
    element: str
    scope: str
    shape: tuple[int, ...]
    depth: int
    layer: int
    on_longest_path: bool
    has_weights: bool
    signal: Statistics | None
    excerpt: Excerpt

    @property
    def is_linear(self) -> bool:
        """Whether this is a convolution or an affine map, with weights."""
        return self.has_weights and _is_linear(self.element)


@dataclass(frozen=True)
class Moment:
    """A network after so many steps."""

    step: int
    loss: float
    batch: int
    plates: tuple[Plate, ...]
    updates: tuple[Update, ...]


@dataclass(frozen=True)
class Run:
    """One network; moments are in order of their steps, and all have the same plates."""

    title: str
    moments: tuple[Moment, ...]


def moment_of(
    result: Variable | GraphDump,
    selection: Selection,
    step: int = 0,
    layers: Sequence[str] = (),
    lr: float | None = None,
    updates: Iterable[Update] | None = None,
) -> Moment:
    """Read a recorded run.

    Raises
    ------
    GraphError
        If it was not recorded, without arrays, or never walked back.
    OptionError
        If the batch has no such image, or no element such a channel.
    UnknownNameError
        If a layer is not there.
    """
    graph = graph_of("atlas", result)
    if not graph.recorded:
        raise GraphError(
            "atlas: it shows a run that was recorded; got one without figures. Compute the loss "
            "and call its backward() inside 'with tg.explain.record(keep=\"arrays\"):'"
        )
    if not any(each.outgoing for each in graph.steps):
        raise GraphError(
            "atlas: error signals come with backward(); got a run that was only computed forward. "
            "Call loss.backward() inside the recording"
        )
    batch = batch_of(graph.steps)
    recording = None if isinstance(result, GraphDump) else recording_of(result.node)
    if isinstance(recording, Excerpts):
        ready = recording.by_order
        if recording.selection != selection:
            raise OptionError(
                f"atlas: the recording kept {recording.selection}; got {selection}. Pass the same "
                "image and channels to record_excerpts and atlas"
            )
        _require_channels(graph.steps, selection)
        excerpts = [ready[each.order] for each in graph.steps]
    else:
        _require_arrays(graph.steps)
        selection.require_image(batch)
        _require_channels(graph.steps, selection)
        excerpts = [excerpt(each, selection, batch) for each in graph.steps]
    places = _places(graph.steps)
    plates = [
        _plate(number, each, place, found)
        for number, (each, place, found) in enumerate(
            zip(graph.steps, places, excerpts, strict=True), 1
        )
    ]
    value = graph.result.value
    if value is None or graph.result.shape == ():
        value = graph.result.statistics.largest
    measured = _gradients(graph, lr) if updates is None else tuple(updates)
    return Moment(step, float(value), batch, _among(plates, layers), measured)


def _plate(number: int, step: Step, place: "_Place", found: Excerpt) -> Plate:
    arrived = next((signal for signal in step.outgoing or () if signal is not None), None)
    return Plate(
        number,
        step.label,
        step.name,
        step.scope,
        step.outputs[0].shape if step.outputs else (),
        *place,
        any(kept.is_parameter for kept in step.inputs),
        None if arrived is None else arrived.statistics,
        found,
    )


def _require_arrays(steps: Sequence[Step]) -> None:
    signals = [signal for each in steps for signal in each.outgoing or () if signal is not None]
    if any(signal.value is None for signal in signals):
        raise GraphError(
            "atlas: maps are drawn of error signals themselves; got a recording of figures alone. "
            'Record with tg.explain.record(keep="arrays")'
        )


def _require_channels(steps: Sequence[Step], selection: Selection) -> None:
    if isinstance(selection.channels, int):
        return
    shapes = [kept.shape for each in steps for kept in each.outputs]
    most = max((shape[1] for shape in shapes if len(shape) > 2), default=0)
    wrong = [channel for channel in selection.channels if not 0 <= channel < most]
    if wrong:
        there = f"0 to {most - 1}" if most else "none"
        raise OptionError(f"atlas: channels of this network are {there}; got channel {wrong[0]}")


def _among(plates: Sequence[Plate], layers: Sequence[str]) -> tuple[Plate, ...]:
    """Return the plates of some layers; a layer is named by its path, or the beginning of it."""
    chosen: dict[int, Plate] = {}
    for layer in layers:
        found = [p for p in plates if f"{p.label}.".startswith(f"{layer}.")]
        if not found:
            known = dict.fromkeys(p.scope or p.element for p in plates)
            raise unknown_name("atlas: layers", layer, known)
        chosen.update((plate.number, plate) for plate in found)
    return tuple(chosen[number] for number in sorted(chosen)) if layers else tuple(plates)


class _Place(NamedTuple):
    depth: int
    layer: int
    on_longest_path: bool


def _places(steps: Sequence[Step]) -> list[_Place]:
    """Return how many elements, and layers, the longest path to each has.

    A path goes through the input that has the shape of the output, where one has: what is
    multiplied by a gate, and not the gate, which is a branch.
    """
    made_by: dict[int, int] = {}
    found: list[_Place] = []
    before: list[int | None] = []
    for place, step in enumerate(steps):
        made = [kept for kept in step.inputs if kept.key in made_by]
        alike = [kept for kept in made if step.outputs and kept.shape == step.outputs[0].shape]
        makers = [made_by[kept.key] for kept in alike or made]
        deepest = max(makers, key=lambda maker: found[maker].depth, default=None)
        depth, layer, _ = _Place(0, 0, False) if deepest is None else found[deepest]
        linear = _is_linear(step.name) and any(kept.is_parameter for kept in step.inputs)
        before.append(deepest)
        found.append(_Place(depth + 1, layer + linear, False))
        made_by.update((kept.key, place) for kept in step.outputs)
    longest: int | None = len(steps) - 1
    while longest is not None:
        found[longest] = found[longest]._replace(on_longest_path=True)
        longest = before[longest]
    return found


def _is_linear(element: str) -> bool:
    return any(word in element for word in FAMILIES["linear"])


def _gradients(graph: GraphDump, lr: float | None) -> tuple[Update, ...]:
    """Return norms of parameters and of their gradients, and the step of plain descent."""
    seen: dict[int, tuple[Kept, list[Kept]]] = {}
    for step in graph.steps:
        for kept, signal in zip(step.inputs, step.incoming or (), strict=False):
            if kept.is_parameter and signal is not None:
                seen.setdefault(kept.key, (kept, []))[1].append(signal)
    rows = []
    for number, (key, (kept, signals)) in enumerate(seen.items(), 1):
        # Norms of parts do not add up: of a parameter with several readers .grad is asked.
        gradient = signals[0] if len(signals) == 1 else graph.gradients.get(key, signals[0])
        norm = gradient.statistics.norm
        step_norm = float("nan") if lr is None else lr * norm
        name = kept.name or f"parameter {number}"
        rows.append(Update(name, kept.statistics.norm, norm, step_norm, len(kept.shape)))
    return tuple(rows)
