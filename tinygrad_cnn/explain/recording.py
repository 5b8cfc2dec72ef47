"""Recordings: figures, or whole values, of a run kept in execution order."""

import math
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import hooks
from tinygrad_cnn.element import FunctionElement, Rule
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.graph import Node
from tinygrad_cnn.hooks import Effort
from tinygrad_cnn.variable import Variable

KEEP = ("statistics", "arrays")


class Statistics(NamedTuple):
    """Figures of a value or error signal.

    Examples
    --------
    >>> Statistics.of(np.array([3.0, 0.0, -4.0]))
    Statistics(norm=5.0, least=-4.0, largest=3.0, zeros=0.3333333333333333)
    """

    norm: float  # Euclidean
    least: float
    largest: float
    zeros: float  # share of elements that are exactly 0

    @classmethod
    def of(cls, value: float | npt.NDArray[Any]) -> "Statistics":
        """Measure a number or an array."""
        array = np.asarray(value, np.float64)
        if array.size == 0:
            return cls(0.0, math.nan, math.nan, math.nan)
        with np.errstate(all="ignore"):
            return cls(
                float(np.sqrt(np.square(array).sum())),
                float(array.min()),
                float(array.max()),
                float(np.count_nonzero(array == 0) / array.size),
            )


@dataclass
class Kept:
    """What a recording keeps of one value: its node, its figures and, if asked, itself."""

    node: Node
    statistics: Statistics
    value: Any = None  # the number of a Scalar; the array with keep="arrays"

    @classmethod
    def of(cls, variable: Variable, whole: bool) -> "Kept":
        """Keep a variable."""
        value = variable._value
        kept = value if isinstance(value, float) else value.copy() if whole else None
        return cls(variable.node, Statistics.of(value), kept)


@dataclass
class Step:
    """One element of a recording: its forward run and, once it was made, its walk back."""

    element: FunctionElement
    inputs: tuple[Kept, ...]
    outputs: tuple[Kept, ...]
    forward_effort: Effort
    outgoing: tuple[Kept | None, ...] | None = None  # error signals of the outputs
    incoming: tuple[Kept | None, ...] | None = None  # error signals of the inputs
    backward_effort: Effort | None = None
    passes: int = 0

    @property
    def label(self) -> str:
        """The element's name below the path of its layer: ``C1.conv2d``."""
        element = self.element
        return f"{element.scope}.{element.name}" if element.scope else element.name

    @property
    def rule(self) -> Rule:
        """The element's rule, without the optional inputs that were not given."""
        rule = self.element.rule
        for symbol in rule.inputs[len(self.inputs) :]:
            rule = rule if symbol == "..." else rule.without(symbol)
        return rule


@dataclass
class Recording:
    """What :func:`record` keeps; `steps` are in execution order."""

    keep: str = "statistics"
    steps: list[Step] = field(default_factory=list)
    walked: list[Step] = field(default_factory=list)  # in the order of the walk back
    _by_order: dict[int, Step] = field(default_factory=dict)

    def on_forward(
        self,
        element: FunctionElement,
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        effort: Effort,
    ) -> None:
        """Keep a forward step."""
        whole = self.keep == "arrays"
        step = Step(
            element,
            tuple(Kept.of(variable, whole) for variable in inputs),
            tuple(Kept.of(variable, whole) for variable in outputs),
            effort,
        )
        self.steps.append(step)
        self._by_order[element.order] = step
        for variable in outputs:
            _made_in[variable.node] = self

    def on_backward(
        self,
        element: FunctionElement,
        outgoing: tuple[Variable | None, ...],
        incoming: tuple[Variable | None, ...],
        effort: Effort,
    ) -> None:
        """Keep a step of the walk back."""
        step = self._by_order.get(element.order)
        if step is None:  # it ran before the recording began
            return
        whole = self.keep == "arrays"
        step.outgoing = tuple(None if v is None else Kept.of(v, whole) for v in outgoing)
        step.incoming = tuple(None if v is None else Kept.of(v, whole) for v in incoming)
        step.backward_effort = effort
        if step.passes == 0:
            self.walked.append(step)
        step.passes += 1

    def behind(self, node: Node) -> list[Step]:
        """Return the steps that a value depends on, in execution order."""
        made_by = {kept.node: step for step in self.steps for kept in step.outputs}
        found: dict[int, Step] = {}
        stack = [node]
        while stack:
            step = made_by.get(stack.pop())
            if step is not None and step.element.order not in found:
                found[step.element.order] = step
                stack.extend(kept.node for kept in step.inputs)
        return [found[order] for order in sorted(found)]


_made_in: "weakref.WeakKeyDictionary[Node, Recording]" = weakref.WeakKeyDictionary()


def recording_of(node: Node) -> Recording | None:
    """Return the recording that a value was made in, if there was one."""
    return _made_in.get(node)


@contextmanager
def record(keep: str = "statistics") -> Iterator[Recording]:
    """Keep figures of all values and error signals inside a ``with`` block.

    Parameters
    ----------
    keep : {"statistics", "arrays"}
        Norm, least, largest and share of zeros; or the values themselves as well.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(3.0, requires_grad=True)
    >>> with tg.explain.record() as recording:
    ...     (x * x).backward()
    >>> recording.steps[0].label
    'multiply'
    """
    if keep not in KEEP:
        raise OptionError(f"record: keep is one of {', '.join(KEEP)}; got {keep!r}")
    recording = Recording(keep)
    with hooks.observe(recording):
        yield recording
