"""What a layout is given, boxes and arrows, and what it gives: a drawing of them."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Key = Hashable
Point = tuple[float, float]


@dataclass
class Box:
    """A thing with a place: it reaches `left` and `right` of its axis, and `height` down.

    Attributes
    ----------
    enters, leaves : mapping
        For a value by its name: how far from the axis its edge enters or leaves; edges of
        other values share the upper side and leave at the axis.
    late : bool
        Stands just above what reads it: data and parameters, which nothing comes before.
    rank : {"", "first", "last"}
        Keeps it in the first or last layer.
    """

    left: float
    right: float
    height: float
    enters: Mapping[Key, float] = field(default_factory=dict)
    leaves: Mapping[Key, float] = field(default_factory=dict)
    late: bool = False
    rank: str = ""


class Arrow(NamedTuple):
    """An edge: a value on its way from a box to one that reads it, as which of its inputs."""

    value: Key
    tail: Key
    head: Key
    slot: int = 0


@dataclass
class Drawing:
    """Axis and upper side of each box, the way of each arrow, and the size of it all."""

    places: dict[Key, Point]
    routes: dict[Arrow, list[Point]]
    width: float
    height: float
