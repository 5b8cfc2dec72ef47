"""What can be seen at a pause: the next element, what has arrived, and what it will send."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.explain.recording import Statistics, Step
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.explain.stepper.edits import Edit
from tinygrad_cnn.explain.stepper.paused_walk import PausedWalk, Visit
from tinygrad_cnn.explain.stepper.places import Places
from tinygrad_cnn.explain.story import number_text, options_text
from tinygrad_cnn.graph import Node
from tinygrad_cnn.variable import Variable


class Seen(NamedTuple):
    """A value or error signal: symbol in the rule, name, shape, figures if it is known."""

    symbol: str
    name: str
    shape: tuple[int, ...]
    statistics: Statistics | None
    remark: str = ""


class Contribution(NamedTuple):
    """What an element has sent, or will send, to a value: its norm, None as long as it is out."""

    sender: str
    norm: float | None


class Waiting(NamedTuple):
    """An error signal on its way: the sum so far, who sent what, and who is still to send."""

    name: str
    shape: tuple[int, ...]
    norm: float
    contributions: tuple[Contribution, ...]

    @property
    def arrived(self) -> int:
        """How many of the contributions are there."""
        return sum(each.norm is not None for each in self.contributions)

    def __str__(self) -> str:
        told = ", ".join(
            f"‖c‖ {number_text(each.norm)} from {each.sender}"
            for each in self.contributions
            if each.norm is not None
        )
        due = ", ".join(each.sender for each in self.contributions if each.norm is None)
        still = f"; still to come from {due}" if due else ""
        return (
            f"δ({self.name}) has {self.arrived} of {len(self.contributions)}: "
            f"{told or 'nothing'}{still}"
        )


@dataclass
class Pause(Printed):
    """The walk before one of its elements; printing it shows the text.

    Attributes
    ----------
    done, total : int
        Elements of the walk that were visited, and all of them.
    element : str
        Number and label of the next one; "" at the end.
    rules : list of str
        Its forward formula, and that of the error signal of each input.
    values : list of Seen
        Its inputs and outputs. Without a recording those are known that it saved, and leaves.
    arrived : list of Seen
        Error signals of its outputs.
    leaving : list of Seen
        What each input will receive when it runs, as things are now.
    waiting : list of Waiting
        Values with several readers that some of them have sent to.
    edits : list of Edit
        Those that were made here.
    """

    done: int
    total: int
    element: str
    rules: list[str]
    values: list[Seen]
    arrived: list[Seen]
    leaving: list[Seen]
    waiting: list[Waiting]
    edits: list[Edit]

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in self._lines())

    def _lines(self) -> Iterator[str]:
        if not self.element:
            yield f"the end: all {self.total} elements are done, gradients are in .grad"
            return
        yield f"before {self.element}   ({self.done} of {self.total} elements done)"
        yield from (f"  {rule}" for rule in self.rules)
        yield from _table("values", self.values)
        if not self.arrived:
            yield "  no error signal reached it: it will send nothing"
        else:
            yield from _table("has arrived", [_signed(each) for each in self.arrived])
            yield from (f"    changed: {edit}" for edit in self.edits)
            yield from _table("will be sent", [_signed(each) for each in self.leaving])
        if self.waiting:
            yield "  on its way"
            yield from (f"    {each}" for each in self.waiting)


def _signed(seen: Seen) -> Seen:
    return seen._replace(symbol=f"δ({seen.symbol})")


def _table(title: str, rows: list[Seen]) -> Iterator[str]:
    if not rows:
        return
    cells = [(title, "", "", "norm", "min", "max", "zeros", "")]
    for row in rows:
        figures = ["not kept", "", "", ""]
        if row.statistics is not None:
            norm, least, largest, zeros = row.statistics
            figures = [number_text(each) for each in (norm, least, largest)]
            figures.append(f"{100 * zeros:.3g} %")
        shape = "x".join(map(str, row.shape)) or "scalar"
        cells.append((f"  {row.symbol}", row.name, shape, *figures, row.remark))  # type: ignore[arg-type]
    yield from text_table(cells, right=range(3, 7))


# -- what a walk shows ---------------------------------------------------------------------


def look(walk: PausedWalk, places: Places, edits: list[Edit], coming: Visit | None) -> Pause:
    """Describe a walk at a pause; `coming` is the visit that is about to be made."""
    if walk.at_end:
        return Pause(walk.position, len(places), "", [], [], [], [], [], [])
    position = walk.position
    element, step = walk.order[position], places.steps[position]
    arrived = []
    for k, reference in enumerate(element.outputs):
        node = reference()
        signal = None if node is None else walk.signals.get(node)
        if node is not None and signal is not None:
            symbol = step.rule.output_symbol(k)
            arrived.append(_seen(symbol, places.name(node), signal))
    here = [edit for edit in edits if edit.position == position]
    incoming = coming.incoming if coming is not None else ()
    return Pause(
        position,
        len(places),
        f"{places.called(position)}{_options(step)}",
        _rules(element, step),
        list(_values(element, step, places)),
        arrived,
        [
            _seen(step.rule.input_symbol(k), places.name(node), signal, _remark(walk, places, node))
            for k, (node, signal) in enumerate(zip(element.inputs, incoming, strict=False))
            if signal is not None
        ],
        list(waiting(walk, places)),
        here,
    )


def waiting(walk: PausedWalk, places: Places) -> Iterator[Waiting]:
    """Yield the values with several readers that some, but not all, have sent to."""
    for node, signal in walk.signals.items():
        readers = places.readers.get(node, ())
        if len(readers) > 1:
            found = Waiting(
                places.name(node), node.shape, _norm(signal), _contributions(walk, places, node)
            )
            if 0 < found.arrived < len(readers):
                yield found


def _contributions(walk: PausedWalk, places: Places, node: Node) -> tuple[Contribution, ...]:
    found = []
    for position, k in places.readers[node]:
        norm: float | None = None
        if position < walk.position:
            signal = walk.visits[position].incoming[k]
            if signal is None:
                continue
            norm = _norm(signal)
        found.append(Contribution(places.called(position), norm))
    return tuple(found)


def _remark(walk: PausedWalk, places: Places, node: Node) -> str:
    count = len(places.readers[node])
    if count == 1:
        return "a gradient" if node.creator is None else ""
    there = sum(position < walk.position for position, _ in places.readers[node])
    return f"one of {count}; {there} there" if there else f"the first of {count}"


def _rules(element: FunctionElement, step: Step) -> list[str]:
    rules = [step.rule.forward_text()]
    for k, wanted in enumerate(element.wanted):
        symbol = step.rule.declared_symbol(k)
        if wanted and symbol in step.rule.backward:
            text = step.rule.backward_text(symbol)
            if text not in rules:
                rules.append(text)
    return rules


def _options(step: Step) -> str:
    options = options_text(step)
    return f" {options}" if options else ""


def _values(element: FunctionElement, step: Step, places: Places) -> Iterator[Seen]:
    for k, node in enumerate(element.inputs):
        symbol = step.rule.input_symbol(k)
        figures = step.inputs[k].statistics if k < len(step.inputs) else None
        name = places.name(node)
        yield Seen(symbol, name, node.shape, _known(figures, _of(element, symbol, node)))
    for k, reference in enumerate(element.outputs):
        node_out = reference()
        if node_out is not None:
            symbol = step.rule.output_symbol(k)
            figures = step.outputs[k].statistics if k < len(step.outputs) else None
            known = _known(figures, _of(element, symbol, node_out))
            yield Seen(symbol, places.name(node_out), node_out.shape, known)


def _of(element: FunctionElement, symbol: str, node: Node) -> Any:
    """Return a value where somebody still has it: the element saved it, or it is a leaf."""
    if symbol in element._saved:
        return element._saved[symbol][0]
    variable = None if node.variable is None else node.variable()
    return None if variable is None else variable._value


def _known(figures: Statistics | None, value: Any) -> Statistics | None:
    if figures is not None and figures.norm == figures.norm:
        return figures
    return Statistics.of(value) if isinstance(value, float | np.ndarray) else None


def _seen(symbol: str, name: str, signal: Variable, remark: str = "") -> Seen:
    return Seen(symbol, name, signal.shape, Statistics.of(signal._value), remark)


def _norm(signal: Variable) -> float:
    return Statistics.of(signal._value).norm
