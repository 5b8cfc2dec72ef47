"""Stepping through a walk backward: look, change an error signal, go on, go back, replay.

Edits are a script. Each belongs to the element before which it was made, and is applied whenever
the walk passes there: after going back and on again the same numbers come out, and without the
edits, those of ``backward()``.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import hooks
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.explain.rendering.page import page
from tinygrad_cnn.explain.rendering.svg import svg
from tinygrad_cnn.explain.stepper.as_document import as_document
from tinygrad_cnn.explain.stepper.comparison import Comparison, compare
from tinygrad_cnn.explain.stepper.edits import Edit, Index
from tinygrad_cnn.explain.stepper.landing import Landing
from tinygrad_cnn.explain.stepper.pause import Pause, Waiting, look, waiting
from tinygrad_cnn.explain.stepper.paused_walk import PausedWalk, Visit
from tinygrad_cnn.explain.stepper.places import Place, Places
from tinygrad_cnn.explain.stepper.script import Script
from tinygrad_cnn.variable import Variable


class Stepper:
    """A walk backward that waits before an element. Made by :func:`~tinygrad_cnn.explain.step`.

    At the end of the walk gradients land in ``.grad``, as those of ``backward()``; going back
    from there takes them away again. The graph is freed when the stepper is closed after that,
    by :meth:`close` or at the end of a ``with`` block, unless it was asked to be retained.

    Attributes
    ----------
    breakpoints : list of Place
        Numbers and names given to :meth:`break_at`.

    Notes
    -----
    Every error signal of the walk is kept until then, so that going back is free. Hooks and
    observers, such as :func:`tinygrad_cnn.detect_anomaly`, are asked whenever an element runs,
    also when it runs again; a look at what will be sent asks hooks of values too.
    """

    def __init__(
        self,
        result: Variable,
        seed: Variable,
        elements: Sequence[FunctionElement],
        retain_graph: bool,
    ) -> None:
        self._roots = ((result, seed),)
        self._elements, self._retain = tuple(elements), retain_graph
        self._walk = self._new_walk()
        self._places = Places(result, self._walk.order)
        self._unedited: PausedWalk | None = None
        self._landing: Landing | None = None
        self._closed = False
        self._script = Script(self._places)
        self.breakpoints: list[Place] = []

    # -- where it is -----------------------------------------------------------------

    @property
    def position(self) -> int:
        """How many elements of the walk are done."""
        return self._walk.position

    def __len__(self) -> int:
        """Count the elements of the walk."""
        return len(self._places)

    @property
    def at_end(self) -> bool:
        """Whether all elements are done, and gradients are in ``.grad``."""
        return self._walk.at_end

    @property
    def element(self) -> str:
        """Number and label of the element that comes next; "" at the end."""
        return "" if self.at_end else self._places.called(self.position)

    @property
    def elements(self) -> list[str]:
        """Numbers and labels of all elements, in the order of the walk."""
        return [self._places.called(position) for position in range(len(self))]

    @property
    def edits(self) -> list[Edit]:
        """The edits that are remembered, in the order in which they were made."""
        return list(self._script.edits)

    def __repr__(self) -> str:
        where = self.element or "the end"
        return f"{where}, {self.position} of {len(self)} elements done"

    def _repr_html_(self) -> str:
        seen = escape(str(self.look()))
        picture = svg(as_document(self._walk, self._places))
        return f'<div style="overflow-x: auto">{picture}</div><pre>{seen}</pre>'

    # -- going on --------------------------------------------------------------------

    def next(self, count: int = 1) -> Self:
        """Run the backward of one element, or of several.

        Raises
        ------
        GraphError
            At the end, if the graph was freed, or if a saved array was changed in place.
        """
        self._require_open("next")
        _require_count("next", count)
        self._require_more("next")
        for _ in range(min(count, len(self) - self.position)):
            self._advance()
        return self

    def to(self, place: Place) -> Self:
        """Go on to the next element of that number or name, or back if all of them are behind.

        Raises
        ------
        UnknownNameError, OptionError
            If there is none; the message lists those there are.
        """
        self._require_open("to")
        found = self._places.find("to", place)
        ahead = [position for position in found if position > self.position]
        if ahead:
            while self.position < ahead[0]:
                self._advance()
        elif self.position not in found:
            self.back(self.position - found[-1])
        return self

    def break_at(self, place: Place) -> Self:
        """Let :meth:`run` pause before each element of that number or name."""
        self._require_open("break_at")
        self._places.find("break_at", place)
        if place not in self.breakpoints:
            self.breakpoints.append(place)
        return self

    def run(self) -> Self:
        """Go on to the next breakpoint, or to the end; refused as :meth:`next` is."""
        self._require_open("run")
        self._require_more("run")
        stops = {k for place in self.breakpoints for k in self._places.find("run", place)}
        self._advance()
        while not self.at_end and self.position not in stops:
            self._advance()
        return self

    # -- going back ------------------------------------------------------------------

    def back(self, count: int = 1) -> Self:
        """Take the backward of one element back, or of several. Edits are remembered.

        Raises
        ------
        GraphError
            At the beginning.
        """
        self._require_open("back")
        _require_count("back", count)
        if self.position == 0:
            raise GraphError(
                f"back: there is an element behind; got the beginning, before {self.element}. Go "
                "on with next(), to(place) or run()"
            )
        for _ in range(min(count, self.position)):
            self._retreat()
        return self

    def replay(self) -> Self:
        """Walk from the beginning to here once more, with the edits.

        Raises
        ------
        GraphError
            If an element sent another error signal than before, in a single bit.
        """
        self._require_open("replay")
        former, at = self._walk.visits[:], self.position
        self._rewind(0)
        for _ in range(at):
            self._advance()
        for position, (one, other) in enumerate(zip(former, self._walk.visits, strict=True)):
            if not one.has_the_bits_of(other):
                raise GraphError(
                    "replay: an element sends the same error signals each time; got others from "
                    f"{self._places.called(position)}. A hook that draws or counts does this"
                )
        return self

    # -- looking ---------------------------------------------------------------------

    def look(self) -> Pause:
        """Return what is to be seen here: values, δ, the rule, and what will be sent to whom."""
        self._require_open("look")
        coming: Visit | None = None
        if not self.at_end:
            with hooks.unobserved():
                self._walk.advance()
                coming = self._walk.visits[-1]
                self._walk.retreat()
        return look(self._walk, self._places, self._script.edits, coming)

    def waiting(self) -> list[Waiting]:
        """Return the fan-ins that wait: what arrived, from whom, and who is still to send."""
        self._require_open("waiting")
        return list(waiting(self._walk, self._places))

    def signals(self) -> dict[str, npt.NDArray[Any]]:
        """Return all error signals on their way, by the name of their value: read-only arrays."""
        self._require_open("signals")
        return {
            self._places.name(node): _readable(signal)
            for node, signal in self._walk.signals.items()
        }

    def signal(self, of: str | None = None) -> npt.NDArray[Any]:
        """Return the error signal of the next element's output, or of the value named."""
        self._require_open("signal")
        return _readable(self._walk.signals[self._script.node("signal", self._walk, of)])

    # -- changing --------------------------------------------------------------------

    def set(self, index: Index, number: float, of: str | None = None) -> Self:
        """Put a number, NaN and infinities too, in one entry of δ; everywhere with index None.

        Parameters
        ----------
        index : int or sequence of int
            One number for each axis; () for a scalar.
        number : float
        of : str, optional
            The value whose error signal is meant, of those in :meth:`signals`; by default the
            output of the next element.

        Raises
        ------
        ShapeError
            If the index does not fit the shape.
        UnknownNameError
            If no error signal of that name waits.
        GraphError
            At the end.
        """
        return self._edit("set", of, index, number)

    def zero(self, index: Index = None, of: str | None = None) -> Self:
        """Put 0 in one entry of δ, or in all of them."""
        return self._edit("zero", of, index, 0.0)

    def scale(self, factor: float, index: Index = None, of: str | None = None) -> Self:
        """Multiply one entry of δ, or all of them."""
        return self._edit("scale", of, index, factor)

    def replace(self, signal: Any, of: str | None = None) -> Self:
        """Put another error signal of the same shape in the place of δ.

        Raises
        ------
        ShapeError
            If its shape is another.
        """
        return self._edit("replace", of, None, signal)

    def undo(self, number: int | None = None) -> Self:
        """Take an edit back, the last one by default; where it was passed, walk again from it.

        Parameters
        ----------
        number : int, optional
            Which one of :attr:`edits`, from 1.
        """
        self._require_open("undo")
        edit, at = self._script.remove(number), self.position
        if edit.position <= at:
            self._rewind(edit.position)
            self._script.apply(self._walk)
            while self.position < at:
                self._advance()
        return self

    def compare(self) -> Comparison:
        """Set the walk beside the one without edits: which error signals and gradients differ."""
        self._require_open("compare")
        edits = list(map(str, self.edits))
        return compare(self._walk, self._without_edits(), self._places, edits)

    def page(self, title: str = "") -> str:
        """Write the walk, as far as it got, as a page; beside δ stands that without edits.

        Returns
        -------
        str
            An HTML document that needs no other file, as of :func:`~tinygrad_cnn.explain.page`.
        """
        self._require_open("page")
        document = as_document(self._walk, self._places, title)
        if not self.edits:
            return page(document)
        before = as_document(self._without_edits(), self._places)
        return page(document, before=before, remarks=[f"Edited {edit}" for edit in self.edits])

    # -- the end ---------------------------------------------------------------------

    def close(self) -> None:
        """Let go of all error signals and, if the walk is at its end, of the saved arrays.

        Closed before the end nothing has happened: ``.grad`` is as it was, and the graph too.
        """
        if self._closed:
            return
        if self.at_end and not self._retain:
            for element, visit in zip(self._walk.order, self._walk.visits, strict=True):
                if visit.effort is not None:  # the walk was here
                    element.free()
        self._closed = True
        self._walk.visits.clear()
        self._walk.signals.clear()
        self._unedited = self._landing = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- inside ----------------------------------------------------------------------

    def _new_walk(self) -> PausedWalk:
        return PausedWalk(self._roots, list(self._elements))

    def _without_edits(self) -> PausedWalk:
        if self._unedited is None:
            with hooks.unobserved():
                self._unedited = self._new_walk()
                while not self._unedited.at_end:
                    self._unedited.advance()
                self._unedited.finish()
        return self._unedited

    def _advance(self) -> None:
        self._walk.advance()
        if self.at_end:
            self._landing = Landing(self._walk)
        else:
            self._script.apply(self._walk)

    def _retreat(self) -> None:
        if self._landing is not None:
            self._landing.take_back()
            self._landing = None
        self._walk.retreat()
        self._script.apply(self._walk)

    def _rewind(self, position: int) -> None:
        while self.position > position:
            self._retreat()

    def _edit(self, kind: str, of: str | None, index: Index, given: Any) -> Self:
        self._require_open(kind)
        self._script.add(kind, self._walk, of, index, given)
        return self

    def _require_open(self, operation: str) -> None:
        if self._closed:
            raise GraphError(
                f"{operation}: a stepper walks until it is closed; got one that was, and its "
                "error signals are gone. Compute the value again and begin with explain.step()"
            )

    def _require_more(self, operation: str) -> None:
        if self.at_end:
            raise GraphError(
                f"{operation}: there is an element ahead; got the end, all {len(self)} are done. "
                "Go back() or to(place), or close()"
            )


def _require_count(operation: str, count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise OptionError(f"{operation}: it goes one element or more; got {count!r}")


def _readable(signal: Variable) -> npt.NDArray[Any]:
    view = np.asarray(signal._value).view()
    view.flags.writeable = False
    return view
