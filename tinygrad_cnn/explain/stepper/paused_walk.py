"""The engine's walk, one element at a time, with a way back.

Going forward, each visit notes what the places it touches held before: the error signals of its
outputs, which it takes, and of its inputs, which it adds to. Going back puts these in their
places again. Error signals are kept by reference and never copied, which is safe because a walk
that is looked at adds them up in new memory. So n elements cost n small notes, and the memory of
the error signals that ``backward()`` would have let go of.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn import hooks
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.graph import Node, no_grad
from tinygrad_cnn.hooks import Effort
from tinygrad_cnn.variable import Variable
from tinygrad_cnn.walk import Walk, refuse_what_cannot_be_walked

Signals = tuple[Variable | None, ...]


class Visit(NamedTuple):
    """What a visit to an element took and sent, and what was there before it."""

    outgoing: Signals  # error signals of the outputs
    incoming: Signals  # those of the inputs, each before it was added to what waits there
    effort: Effort | None  # None where no error signal reached the element
    before: Mapping[Node, Variable | None]
    arrived: Mapping[Node, Variable]  # what was changed at this element, as it had arrived

    def has_the_bits_of(self, other: "Visit") -> bool:
        """Tell whether another visit to this element took and sent the same, NaN included."""
        mine, others = (*self.outgoing, *self.incoming), (*other.outgoing, *other.incoming)
        return all(
            first is second or _bits(first) == _bits(second)
            for first, second in zip(mine, others, strict=True)
        )


def _bits(signal: Variable | None) -> bytes:
    return b"" if signal is None else np.asarray(signal._value).tobytes()


class PausedWalk(Walk):
    """A walk that waits before ``order[position]``; nothing lands in ``.grad``.

    Attributes
    ----------
    order : tuple of FunctionElement
        The elements in the order of the walk, the last one that ran first.
    position : int
        How many of them were visited.
    visits : list of Visit
        One for each of these.
    retained : dict of Node to Variable
        Error signals of intermediate values that are to be left in ``.grad``.
    """

    def __init__(
        self, roots: Iterable[tuple[Variable, Variable]], elements: list[FunctionElement]
    ) -> None:
        super().__init__(tuple(roots), elements, retain_graph=True, create_graph=False)
        self.order = tuple(reversed(elements))
        self.position = 0
        self.visits: list[Visit] = []
        self.retained: dict[Node, Variable] = {}
        self._arrived: dict[Node, Variable] = {}
        self._told: tuple[Signals, Signals, Effort] | None = None

    @property
    def at_end(self) -> bool:
        """Whether all elements were visited."""
        return self.position == len(self.order)

    def advance(self) -> None:
        """Visit the next element; where that fails, everything stays as it was."""
        element = self.order[self.position]
        refuse_what_cannot_be_walked((), (element,))
        outputs = [node for reference in element.outputs if (node := reference()) is not None]
        before = {node: self.signals.get(node) for node in (*outputs, *element.inputs)}
        self._told = None
        try:
            with no_grad(), hooks.observe(self):
                self.visit(element)
        except BaseException:
            self._put_back(before)
            raise
        finally:
            self.owned.clear()  # what is noted here is nobody's to add into
        nothing: Signals = (None,) * len(element.inputs)
        outgoing, incoming, effort = self._told or ((None,) * len(element.outputs), nothing, None)
        self.visits.append(Visit(outgoing, incoming, effort, before, self._arrived))
        self._arrived = {}
        self.position += 1

    def retreat(self) -> None:
        """Take the last visit back; what was changed before it stays changed."""
        visit = self.visits.pop()
        self.as_arrived()
        self._put_back(visit.before)
        self._arrived = dict(visit.arrived)
        self.position -= 1

    def change(self, node: Node, signal: Variable) -> None:
        """Put another error signal in the place of one that waits."""
        self._arrived.setdefault(node, self.signals[node])
        self.signals[node] = signal

    def as_arrived(self) -> None:
        """Take back what was changed at the present element."""
        self.signals.update(self._arrived)
        self._arrived = {}

    def _put_back(self, before: Mapping[Node, Variable | None]) -> None:
        for node, signal in before.items():
            if signal is None:
                self.signals.pop(node, None)
            else:
                self.signals[node] = signal

    # -- what the engine tells -------------------------------------------------------

    def leave(self, node: Node, signal: Variable) -> None:
        """Keep what is for ``.grad`` until the end."""
        self.retained[node] = signal

    def on_forward(self, *_: Any) -> None:
        """Nothing is computed forward that is of interest here."""

    def on_backward(
        self, element: FunctionElement, outgoing: Signals, incoming: Signals, effort: Effort
    ) -> None:
        """Note what the element took and sent; the last observer sees what others replaced."""
        self._told = outgoing, incoming, effort
