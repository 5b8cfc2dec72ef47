"""A plan with places: frames around groups, boxes in them, edges between them.

:mod:`~tinygrad_cnn.explain.rendering.plan` says what is drawn and how large,
:mod:`~tinygrad_cnn.explain.rendering.layout` where things of one frame stand. A frame is laid out
first, with an entrance for each value that comes in and an exit for each that goes out; outside
it is one box, and edges meet its entrances and exits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_cnn.explain.folding import Element
from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.rendering.boxes import Arrow, Box, Drawing, Key, Point
from tinygrad_cnn.explain.rendering.groups import Group
from tinygrad_cnn.explain.rendering.layout import layout
from tinygrad_cnn.explain.rendering.plan import LETTER, PADDING, Card, Plan, Value

HEAD, SIDE, FOOT = 18.0, 12.0, 6.0  # of a frame: room for its title, at the sides, below
PAGE = (1500.0, 900.0)
TALLEST = (1200.0, 2400.0)  # of a frame before it is cut


@dataclass
class Frame:
    """A group: its title, how often it comes, and where it lies."""

    title: str
    times: int
    x: float
    y: float
    width: float
    height: float


@dataclass
class Edge:
    """The way of a value, with the norm of the error signal that comes back along it."""

    points: list[Point]
    norm: float | None
    hint: str
    made: int | None  # the element that computed the value; None for a leaf
    reader: int | None  # the element at its end, where it has its point; None at a frame's border


@dataclass
class Picture:
    """All that is drawn, with the size of it."""

    cards: list[Card]
    frames: list[Frame]
    edges: list[Edge]
    width: float
    height: float


def picture(graph: GraphDump, folded: bool = True) -> Picture:
    """Place everything of a graph.

    Parameters
    ----------
    graph : GraphDump
    folded : bool
        Whether of repeated blocks one is drawn.
    """
    return _Picture(graph, folded).picture


class _Picture:
    """The picture while it is made: groups from the inside out, then places from the outside."""

    def __init__(self, graph: GraphDump, folded: bool) -> None:
        self.plan = Plan(graph, folded)
        self.inside: dict[Group, Drawing] = {}
        drawing = self._arrange(self.plan.top)
        self.picture = Picture([], [], [], drawing.width, drawing.height)
        self._emit(self.plan.top, drawing, 0.0, 0.0)

    # -- from the inside out -----------------------------------------------------------

    def _arrange(self, group: Group) -> Drawing:
        """Lay out one group; groups inside it are boxes."""
        depth = self.plan.paths[group.elements()[0].place].index(group)
        boxes: dict[Key, Box] = {}
        for value in self.plan.owners.get(group, []):
            card = self.plan.cards[value]
            boxes[value] = Box(card.width / 2, card.width / 2, card.height, late=True)
        inside = {element.place for element in group.elements()}
        entering, leaving = self._borders(inside, group)
        for value in entering:
            boxes["in", value] = Box(4.0, 4.0, 0.0, rank="first")
        for member in group.members:
            if isinstance(member, Element):
                card = self.plan.cards[member.place]
                half = card.width / 2
                boxes[member.place] = Box(half, half + card.aside, card.height)
            else:
                boxes[member] = self._framed(member)
        for value in leaving:
            boxes["out", value] = Box(4.0, 4.0, 0.0, rank="last")
        arrows: dict[Arrow, None] = {}
        for place in sorted(inside):
            head = self._box(place, depth)
            for slot, value in enumerate(self.plan.reads[place]):
                tail = self._tail(value, depth, inside, boxes)
                if tail is not None and tail != head:
                    several = isinstance(head, Group)
                    arrows[Arrow(value, tail, head, 0 if several else slot)] = None
        for value in leaving:
            arrows[Arrow(value, self._box(value[0], depth), ("out", value))] = None
        drawing = layout(boxes, list(arrows), TALLEST if depth else PAGE)
        self.inside[group] = drawing
        return drawing

    def _borders(self, inside: set[int], group: Group) -> tuple[list[Value], list[Value]]:
        """Return the values that come into a group, and those that go out."""
        own = {value for g in _below(group) for value in self.plan.owners.get(g, [])}
        entering: dict[Value, None] = {}
        for place in sorted(inside):
            for slot, value in enumerate(self.plan.reads[place]):
                outside = value[0] not in inside if self.plan.made[value] else value not in own
                if outside and not self._is_chip(value, place, slot):
                    entering[value] = None
        leaving = [
            value
            for value, readers in self.plan.readers.items()
            if self.plan.made[value] and value[0] in inside
            if any(place not in inside for place, _ in readers)
        ]
        return list(entering), leaving

    def _is_chip(self, value: Value, place: int, slot: int) -> bool:
        return value in self.plan.chips.get(place, ())

    def _box(self, place: int, depth: int) -> Key:
        """Return the box, in a group at a depth, that an element is in."""
        path = self.plan.paths[place]
        return path[depth + 1] if len(path) > depth + 1 else place

    def _tail(
        self, value: Value, depth: int, inside: set[int], boxes: dict[Key, Box]
    ) -> Key | None:
        if self.plan.made[value] and value[0] in inside:
            return self._box(value[0], depth)
        if value in boxes:
            return value
        return ("in", value) if ("in", value) in boxes else None

    def _framed(self, group: Group) -> Box:
        """Lay out a group and return the box it takes outside."""
        drawing = self._arrange(group)
        ports: dict[str, dict[Key, float]] = {"in": {}, "out": {}}
        for key, (x, _) in drawing.places.items():
            if isinstance(key, tuple) and key[0] in ports:
                ports[str(key[0])][key[1]] = x
        axis = next(iter(ports["in"].values()), drawing.width / 2)
        # The title stands to the right of everything that enters.
        title = LETTER * len(_frame_title(group.title, group.times)) + 2 * PADDING
        right = max(drawing.width + SIDE, max(ports["in"].values(), default=0.0) + title)
        enters, leaves = (
            {value: x - axis for value, x in ports[way].items()} for way in ("in", "out")
        )
        height = drawing.height + HEAD + FOOT
        return Box(axis + SIDE, right - axis, height, enters, leaves)

    # -- from the outside in -----------------------------------------------------------

    def _emit(self, group: Group, drawing: Drawing, x: float, y: float) -> None:
        """Give everything in a group its place on the page."""
        result = self.picture
        for arrow, points in drawing.routes.items():
            moved = [(px + x, py + y) for px, py in points]
            self._edge(arrow, moved)
        for key, (axis, top) in drawing.places.items():
            if isinstance(key, Group):
                box = self._frame(key, axis + x, top + y)
                self._emit(key, self.inside[key], box.x + SIDE, box.y + HEAD)
            elif key in self.plan.cards:
                card = self.plan.cards[key]
                card.x, card.y = axis + x - card.width / 2, top + y
                result.cards.append(card)
            elif isinstance(key, tuple) and key[0] in ("in", "out"):
                # From the border of the frame to where the drawing inside begins, or ends.
                rim = -HEAD if key[0] == "in" else FOOT
                start, end = sorted((top + y, top + y + rim))
                value = key[1]
                ends = [(axis + x, start), (axis + x, end)]
                facts = self.plan.norm(value, None), self.plan.hint(value), self._maker(value)
                result.edges.append(Edge(ends, *facts, None))

    def _frame(self, group: Group, axis: float, top: float) -> Frame:
        drawing = self.inside[group]
        entries = [x for key, (x, _) in drawing.places.items()
                   if isinstance(key, tuple) and key[0] == "in"]  # fmt: skip
        title = LETTER * len(_frame_title(group.title, group.times)) + 2 * PADDING
        first = entries[0] if entries else drawing.width / 2
        right = max(drawing.width + SIDE, max(entries, default=0.0) + title)
        height = drawing.height + HEAD + FOOT
        frame = Frame(group.title, group.times, axis - first - SIDE, top, right + SIDE, height)
        self.picture.frames.append(frame)
        return frame

    def _edge(self, arrow: Arrow, points: list[Point]) -> None:
        value: Any = arrow.value
        head = arrow.head if isinstance(arrow.head, int) else None
        norm = self.plan.norm(value, None if head is None else (head, arrow.slot))
        edge = Edge(points, norm, self.plan.hint(value), self._maker(value), head)
        self.picture.edges.append(edge)

    def _maker(self, value: Value) -> int | None:
        return value[0] if self.plan.made[value] else None


def _below(group: Group) -> Iterator[Group]:
    yield group
    for member in group.members:
        if isinstance(member, Group):
            yield from _below(member)


def _frame_title(title: str, times: int) -> str:
    return f"{title} ×{times}" if times > 1 else title
