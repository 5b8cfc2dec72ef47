"""What is drawn of a run: cards for elements, chips for parameters, who reads what.

Each element is a card. A leaf that one element reads beside what flows through it (weight, bias,
labels) is a chip at its side; every other leaf (images, a weight that several elements share,
what the user gave a name) is a card of its own. Of a repeated block the first one is drawn, and
what the last one made is shown as made by the first. Letters are of one width, so the width of a
text is known without a font; lengths are pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinygrad_cnn.explain.folding import fold, representatives
from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.recording import Kept, Step
from tinygrad_cnn.explain.rendering.boxes import Key
from tinygrad_cnn.explain.rendering.groups import Group, grouped
from tinygrad_cnn.explain.story import number_text, options_text, shape_text

LETTER, SMALL = 7.3, 5.8  # widths of a letter: of a title, of what stands below
TITLE, LINE, PADDING = 16.0, 12.5, 8.0  # heights of lines; room around a text
LONGEST = 44  # letters of a line; longer ones are cut

Value = tuple[int, int]  # element where it first appears, and its place among what that has


@dataclass
class Chip:
    """A leaf at the side of the element that reads it."""

    text: str
    hint: str
    wanted: bool  # whether a gradient is wanted of it


@dataclass
class Card:
    """An element, or a leaf that has a place of its own.

    Attributes
    ----------
    place : int or None
        Of the element in execution order, from 0.
    members : list of int
        Elements it stands for: itself, and those of the further blocks.
    x, y, width, height : float
        Of its box; `chips` lie to the right of it.
    """

    lines: list[str]
    hint: str
    name: str = ""
    place: int | None = None
    members: list[int] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)
    wanted: bool = False
    result: bool = False
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        """Width of the box."""
        first = LETTER * len(self.lines[0])
        rest = [SMALL * len(line) for line in self.lines[1:]]
        return max(first, *rest, 40.0) + 2 * PADDING

    @property
    def height(self) -> float:
        """Height of the box."""
        lines = TITLE + LINE * (len(self.lines) - 1) + PADDING
        return max(lines, LINE * len(self.chips) + 4)

    @property
    def aside(self) -> float:
        """Width of the chips, with the way to them."""
        return max((SMALL * len(chip.text) + 22.0 for chip in self.chips), default=0.0)


class Plan:
    """What is drawn, before it has a place.

    Attributes
    ----------
    top : Group
        Everything, in groups.
    paths : dict
        The groups that each drawn element is in, from the outside.
    cards : dict
        Of each drawn element, by its place in execution order; of leaves, by their value.
    reads : dict
        The values that each drawn element reads.
    readers : dict
        Who reads each value: elements, and as which of their inputs.
    owners : dict
        Values with a card of their own, by the innermost group of all that read them.
    chips : dict
        Values that are shown at the side of their element.
    """

    def __init__(self, graph: GraphDump, folded: bool = True) -> None:
        self.graph = graph
        items = fold(graph, 4 if folded else None)
        self.stands_for = representatives(items)
        self.members: dict[int, list[int]] = {}
        for place, drawn in enumerate(self.stands_for):
            self.members.setdefault(drawn, []).append(place)
        self.top = Group("", (), 1, grouped(items))
        self.paths: dict[int, tuple[Group, ...]] = {}
        self._walk(self.top, ())
        self._values()
        self.cards: dict[Key, Card] = {}
        self._make_cards()

    def _walk(self, group: Group, path: tuple[Group, ...]) -> None:
        path = (*path, group)
        for member in group.members:
            if isinstance(member, Group):
                self._walk(member, path)
            else:
                self.paths[member.place] = path

    # -- values ------------------------------------------------------------------------

    def _values(self) -> None:
        """Find where each value comes from and who reads it: of repeated blocks, the first."""
        steps = self.graph.steps
        origin: dict[int, Value] = {}
        self.kept: dict[Value, Kept] = {}
        self.made: dict[Value, bool] = {}
        self.reads: dict[int, list[Value]] = {}
        self.readers: dict[Value, list[Value]] = {}
        for place, step in enumerate(steps):
            drawn = self.stands_for[place]
            for slot, kept in enumerate((*step.inputs, *step.outputs)):
                value = (drawn, slot)
                if origin.setdefault(kept.key, value) == value and value not in self.kept:
                    self.kept[value] = kept
                    self.made[value] = slot >= len(step.inputs)
            if drawn == place:
                self.reads[place] = [origin[kept.key] for kept in step.inputs]
                for slot, value in enumerate(self.reads[place]):
                    self.readers.setdefault(value, []).append((place, slot))
        self.result = origin[self.graph.result.key]
        self.owners: dict[Group, list[Value]] = {}
        self.chips: dict[int, list[Value]] = {}
        for value, readers in self.readers.items():
            if self.made[value]:
                continue
            kept = self.kept[value]
            if len(readers) == 1 and readers[0][1] > 0 and not _named(kept):
                self.chips.setdefault(readers[0][0], []).append(value)
            else:
                self.owners.setdefault(self._common(readers), []).append(value)

    def _common(self, readers: Sequence[Value]) -> Group:
        """Return the innermost group that all readers are in."""
        paths = [self.paths[place] for place, _ in readers]
        depth = 0
        while all(len(path) > depth and path[depth] is paths[0][depth] for path in paths):
            depth += 1
        return paths[0][depth - 1]

    # -- cards -------------------------------------------------------------------------

    def _make_cards(self) -> None:
        for place in self.reads:
            step = self.graph.steps[place]
            path = self.paths[place][-1].path
            lines = [_cut(_title(step, path))]
            if options := options_text(step):
                lines.append(_cut(options))
            lines.append(_cut(self._facts(place)))
            self.cards[place] = Card(
                lines,
                f"{step.label}: {step.rule.forward_text()}",
                step.name,
                place,
                self.members[place],
                [_chip(self.kept[value], step, value[1]) for value in self.chips.get(place, [])],
                result=place == self.result[0] and self.made[self.result],
            )
        for values in self.owners.values():
            for value in values:
                kept, (reader, slot) = self.kept[value], self.readers[value][0]
                symbol = self.graph.steps[reader].rule.input_symbol(slot)
                called = kept.name.rpartition(".")[2] if kept.name else symbol
                lines = [_cut(f"{called} = {_single(kept)}" if _single(kept) else called)]
                if not _single(kept):
                    lines.append(shape_text(kept))
                gradient = self.graph.gradients.get(kept.key)
                if gradient is not None:
                    lines.append(f"∇ {_size(gradient)}")
                self.cards[value] = Card(lines, _leaf_hint(kept, called), wanted=kept.requires_grad)

    def _facts(self, place: int) -> str:
        """Write shape and error signal of what an element made; of blocks, of the last too."""
        steps = [self.graph.steps[k] for k in self.members[place]]
        made = steps[0].outputs[0] if steps[0].outputs else None
        if made is None:
            return ""
        signals = [
            _size(signal)
            for step in (steps[0], steps[-1])
            if (signal := (step.outgoing or (None,))[0]) is not None
        ]
        text = f"= {_single(made)}" if _single(made) else shape_text(made)
        if signals:
            bars = "δ" if _single(made) else "‖δ‖"
            text += f"  {bars} {' … '.join(dict.fromkeys(signals))}"
        return text

    def norm(self, value: Value, reader: Value | None) -> float | None:
        """Return ‖δ‖ of what one element sends to a value; without one, of all that came."""
        if reader is not None:
            place, slot = reader
            step = self.graph.steps[place]
            signals = step.incoming or ()
            # What reaches one value by several inputs was added up, at the first of them.
            first = self.reads[place].index(self.reads[place][slot])
            signal = signals[first] if first < len(signals) else None
        elif self.made[value]:
            # What leaves repeated blocks was made by the last one.
            step = self.graph.steps[self.members[value[0]][-1]]
            slot = value[1] - len(step.inputs)
            signal = (step.outgoing or ())[slot] if slot < len(step.outgoing or ()) else None
        else:
            signal = self.graph.gradients.get(self.kept[value].key)
        norm = None if signal is None else signal.statistics.norm
        return norm if norm is not None and norm == norm else None

    def hint(self, value: Value) -> str:
        """Name a value, with its shape."""
        kept = self.kept[value]
        return f"{kept.name or 'value'} {shape_text(kept)}"


def _title(step: Step, path: tuple[str, ...]) -> str:
    """Name an element inside a frame: without what the frame says already."""
    below = step.scope.split(".")[len(path) :] if step.scope else []
    if below and below[-1] == step.name:
        below = below[:-1]
    return " · ".join((".".join(below), step.name)) if below else step.name


def _named(kept: Kept) -> bool:
    """Tell whether the user gave a leaf its name: layers name theirs with a path."""
    return bool(kept.name) and "." not in str(kept.name)


def _chip(kept: Kept, step: Step, slot: int) -> Chip:
    symbol = step.rule.input_symbol(slot)
    text = f"{symbol} = {_single(kept)}" if _single(kept) else f"{symbol} {shape_text(kept)}"
    return Chip(_cut(text), _leaf_hint(kept, symbol), kept.requires_grad)


def _leaf_hint(kept: Kept, called: str) -> str:
    return f"{kept.name or called} {shape_text(kept)}"


def _single(kept: Kept) -> str:
    """Write the number of a single one; empty for arrays."""
    return number_text(kept.value) if isinstance(kept.value, float) else ""


def _size(signal: Kept) -> str:
    return _single(signal) or number_text(signal.statistics.norm)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
