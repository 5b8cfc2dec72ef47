"""The edits of a walk, as a script: each is made again whenever the walk arrives at its element."""

from typing import Any

from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.explain.stepper.edits import Edit, Index, array_of, index_of, number_of
from tinygrad_cnn.explain.stepper.paused_walk import PausedWalk
from tinygrad_cnn.explain.stepper.places import Places
from tinygrad_cnn.graph import Node


class Script:
    """Edits, in the order in which they were made.

    Parameters
    ----------
    places : Places
        Names for what is edited.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self.edits: list[Edit] = []

    def apply(self, walk: PausedWalk) -> None:
        """Make the edits that belong to the element before which a walk has arrived."""
        walk.as_arrived()
        for edit in self.edits:
            if edit.position == walk.position:
                walk.change(edit.node, edit.apply(walk.signals[edit.node]))

    def add(self, kind: str, walk: PausedWalk, of: str | None, index: Index, given: Any) -> None:
        """Edit an error signal that waits, and remember it; or refuse it, and change nothing."""
        node = self.node(kind, walk, of)
        name = self._places.name(node)
        place = index_of(kind, name, node.shape, index)
        if kind == "replace":
            content = array_of(kind, name, node.shape, node.dtype, given)
        else:
            content = number_of(kind, "a factor" if kind == "scale" else "an entry", given)
        word = "set" if kind == "zero" else kind
        where = self._places.called(walk.position)
        edit = Edit(walk.position, where, name, word, place, content, node)
        walk.change(node, edit.apply(walk.signals[node]))
        self.edits.append(edit)

    def remove(self, number: int | None) -> Edit:
        """Take an edit out of the script: the one of a number, from 1, or the last."""
        if not self.edits:
            raise GraphError(
                "undo: there is an edit to take back; got none. Edit with set, scale, zero or "
                "replace"
            )
        which = len(self.edits) if number is None else number
        if not 1 <= which <= len(self.edits):
            raise OptionError(f"undo: the edits are 1 to {len(self.edits)}; got {number}")
        return self.edits.pop(which - 1)

    def node(self, operation: str, walk: PausedWalk, of: str | None) -> Node:
        """Return the value whose waiting error signal is meant, or refuse it."""
        if walk.at_end:
            raise GraphError(
                f"{operation}: an error signal waits before an element; got the end, where all "
                "are done. Go back() or to(place) first"
            )
        signals = walk.signals
        if of is not None:
            return self._places.among(operation, of, list(signals))
        for reference in walk.order[walk.position].outputs:
            node = reference()
            if node is not None and node in signals:
                return node
        raise GraphError(
            f"{operation}: an error signal has reached the element; got none for "
            f"{self._places.called(walk.position)}. Those that wait are of "
            f"{', '.join(map(self._places.name, signals))}"
        )
