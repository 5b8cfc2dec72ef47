"""Recordings: figures, or whole values, of a run kept in execution order.

A recording holds no graph and no arrays, unless it is asked to: what it keeps of a run is what
:class:`Step` and :class:`Kept` have, and all that printouts, pictures and dumps read.
"""

import itertools
import linecache
import math
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import hooks
from tinygrad_cnn.element import Cost, FunctionElement
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.fan_in import FanIn, FanInCollector
from tinygrad_cnn.graph import Node, Shape, elements_behind
from tinygrad_cnn.hooks import Effort
from tinygrad_cnn.kernels.stand_in import is_stand_in
from tinygrad_cnn.rule import Rule
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
        """Measure a number or an array; what has a shape alone has no figures."""
        if is_stand_in(value):
            return cls(math.nan, math.nan, math.nan, math.nan)
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
    """What is kept of one value: figures and facts, itself if asked, and no way to its node.

    A recording that held nodes would keep the graph alive, and the graph the recording.
    """

    key: int  # the same for the same value, within a recording
    shape: Shape
    dtype: str
    device: str
    requires_grad: bool
    is_leaf: bool
    statistics: Statistics
    value: Any = None  # the number of a Scalar; the array with keep="arrays"
    _node: "weakref.ref[Node] | None" = None
    _name: str | None = None
    _passes: int = 0

    @classmethod
    def of_node(cls, node: Node, key: int, statistics: Statistics, value: Any = None) -> "Kept":
        """Keep facts of a node beside figures."""
        leaf = node.is_leaf
        kind = (node.shape, str(node.dtype), node.device, node.requires_grad, leaf)
        return cls(key, *kind, statistics, value, weakref.ref(node), node.name)

    @property
    def name(self) -> str | None:
        """Name of the value, also if it was given after it was kept."""
        node = self._node() if self._node is not None else None
        return self._name if node is None else node.name

    @property
    def grad_passes(self) -> int:
        """Backward passes that the gradient of this value adds up by now."""
        owner = self._owner()
        return self._passes if owner is None else owner.grad_passes

    def gradient(self) -> "Kept | None":
        """Return the figures of what ``.grad`` holds by now; None where it holds nothing."""
        owner = self._owner()
        if owner is None or owner._grad is None:
            return None
        value = owner._grad._value
        single = value if isinstance(value, float) else None
        return self.with_figures(Statistics.of(value), single)

    def gradient_itself(self) -> Any:
        """Return the number or array that ``.grad`` holds by now, or None."""
        owner = self._owner()
        return None if owner is None or owner._grad is None else owner._grad._value

    def _owner(self) -> Variable | None:
        node = self._node() if self._node is not None else None
        return None if node is None or node.variable is None else node.variable()

    def with_figures(self, statistics: Statistics, value: Any) -> "Kept":
        """Return the same value with other figures: those of its error signal."""
        return replace(self, statistics=statistics, value=value)

    @property
    def is_parameter(self) -> bool:
        """Whether the value is a leaf that a gradient is wanted of."""
        return self.is_leaf and self.requires_grad


class Source(NamedTuple):
    """The line of a program that called an element."""

    file: str
    line: int
    function: str
    text: str


class Used(NamedTuple):
    """A kernel that ran."""

    operation: str
    variant: str


class Spent(NamedTuple):
    """What one direction of a step took: seconds, and the kernels that ran."""

    seconds: float
    kernels: tuple[Used, ...]

    @classmethod
    def of(cls, effort: Effort) -> "Spent":
        """Keep the names of the kernels."""
        used = tuple(Used(kernel.operation, kernel.variant) for kernel in effort.kernels)
        return cls(effort.seconds, used)


@dataclass
class Step:
    """One element of a recording: its forward run and, once it was made, its walk back."""

    order: int
    name: str
    scope: str
    options: dict[str, Any]
    rule: Rule  # without the optional inputs that were not given
    convention: str
    cost: Cost
    inputs: tuple[Kept, ...]
    outputs: tuple[Kept, ...]
    forward_effort: Spent
    source: Source | None = None
    outgoing: tuple[Kept | None, ...] | None = None  # error signals of the outputs
    incoming: tuple[Kept | None, ...] | None = None  # error signals of the inputs
    backward_effort: Spent | None = None
    passes: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)  # with keep="arrays"

    @classmethod
    def of(
        cls,
        element: FunctionElement,
        inputs: tuple[Kept, ...],
        outputs: tuple[Kept, ...],
        nodes: tuple[Sequence[Node], Sequence[Node]],
        effort: Effort,
        source: Source | None = None,
    ) -> "Step":
        """Describe an element that has run."""
        rule = element.rule
        for symbol in rule.inputs[len(inputs) :]:
            rule = rule if symbol == "..." else rule.without(symbol)
        return cls(
            element.order,
            element.name,
            element.scope,
            element.options(),
            rule,
            element.convention,
            element.cost(*nodes),
            inputs,
            outputs,
            Spent.of(effort),
            source,
        )

    @property
    def label(self) -> str:
        """The element's name below the path of its layer: ``C1.conv2d``."""
        return f"{self.scope}.{self.name}" if self.scope else self.name


def settings_of(element: FunctionElement) -> dict[str, Any]:
    """Return what an element was given besides its inputs: its window, axes, reduction.

    Numbers, words and tuples of them, and the rule and what it saves where they are its own; but
    nothing that leads into the graph.
    """
    own = vars(element)
    plain = {
        name: each
        for name, each in own.items()
        if name not in FunctionElement.__annotations__ and _is_setting(each)
    }
    return plain | {name: own[name] for name in ("rule", "saves") if name in own}


def _is_setting(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_setting, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biu"
    single = bool | int | float | str | slice | np.dtype
    return value is None or value is ... or isinstance(value, single)


class Recording:
    """What :func:`record` keeps; `steps` are in execution order."""

    def __init__(self, keep: str = "statistics") -> None:
        self.keep = keep
        self.steps: list[Step] = []
        self._by_order: dict[int, Step] = {}
        self._fan_ins = FanInCollector()
        self._keys: weakref.WeakKeyDictionary[Node, int] = weakref.WeakKeyDictionary()

    def on_forward(
        self,
        element: FunctionElement,
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        effort: Effort,
    ) -> None:
        """Keep a forward step."""
        nodes = ([v.node for v in inputs], [v.node for v in outputs])
        values = tuple(map(self._kept, inputs)), tuple(map(self._kept, outputs))
        step = Step.of(element, *values, nodes, effort, calling_line())
        if self.keep == "arrays":
            step.settings = settings_of(element)
        self.steps.append(step)
        self._by_order[step.order] = step
        for kept, wanted in zip(
            step.inputs, element.wanted if element.inputs else (), strict=False
        ):
            if wanted:
                self._fan_ins.read(kept.key)
        for variable in outputs:
            _made_in[variable.node] = self

    def on_backward(
        self,
        element: FunctionElement,
        outgoing: tuple[Variable | None, ...],
        incoming: tuple[Variable | None, ...],
        effort: Effort,
    ) -> None:
        """Keep a step of the walk back; what reaches one value by several inputs adds up."""
        step = self._by_order.get(element.order)
        if step is None:  # it ran before the recording began
            return
        sent = [None if signal is None else signal._value for signal in incoming]
        keys = (kept.key for kept in step.inputs)
        self._fan_ins.visit(step.order, (o.key for o in step.outputs), zip(keys, sent, strict=True))
        totals: dict[int, Any] = {}
        for kept, signal in zip(step.inputs, incoming, strict=True):
            if signal is not None:
                before = totals.get(kept.key)
                totals[kept.key] = signal._value if before is None else before + signal._value
        added = [totals.pop(kept.key, None) for kept in step.inputs]
        step.incoming = tuple(map(self._signal, step.inputs, added))
        values = (None if signal is None else signal._value for signal in outgoing)
        step.outgoing = tuple(map(self._signal, step.outputs, values))
        step.backward_effort = Spent.of(effort)
        step.passes += 1

    def _kept(self, variable: Variable) -> Kept:
        key = self._keys.setdefault(variable.node, next(_keys))
        value = variable._value
        return Kept.of_node(variable.node, key, Statistics.of(value), self._itself(value))

    def _signal(self, of: Kept, value: Any) -> Kept | None:
        if value is None:
            return None
        return of.with_figures(Statistics.of(value), self._itself(value))

    def _itself(self, value: Any) -> Any:
        if isinstance(value, float):
            return value
        return value.copy() if self.keep == "arrays" else None

    def key_of(self, node: Node) -> int:
        """Return the key of a value that was kept; -1 of any other."""
        return self._keys.get(node, -1)

    def fan_ins(self, steps: Sequence[Step]) -> dict[int, FanIn]:
        """Return what came by each path to the values of steps that several of them read."""
        keys = dict.fromkeys(kept.key for step in steps for kept in step.inputs)
        return self._fan_ins.among((step.order for step in steps), keys)

    def behind(self, node: Node) -> list[Step]:
        """Return the steps that a value depends on, in execution order."""
        made_by = {kept.key: step for step in self.steps for kept in step.outputs}
        found: dict[int, Step] = {}
        stack = [self.key_of(node)]
        while stack:
            step = made_by.get(stack.pop())
            if step is not None and step.order not in found:
                found[step.order] = step
                stack.extend(kept.key for kept in step.inputs)
        return [found[order] for order in sorted(found)]


# Networks are programs too: a reader looks for the line of forward that names the layer.
_OURS, _PROGRAMS = __name__.partition(".")[0], ("models", "lab", "train")


def calling_line(beside: tuple[str, ...] = ()) -> Source | None:
    """Return the line that runs the present element: the innermost one outside the library.

    And outside of packages `beside` it, such as another framework.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package, _, rest = str(frame.f_globals.get("__name__", "")).partition(".")
        ours = package == _OURS and rest.partition(".")[0] not in _PROGRAMS
        if not ours and package not in beside:
            file = frame.f_code.co_filename
            text = linecache.getline(file, frame.f_lineno).strip()
            return Source(_short(file), frame.f_lineno, frame.f_code.co_name, text)
        frame = frame.f_back
    return None


@lru_cache(maxsize=256)
def _short(file: str) -> str:
    """Return a path below the library or the working directory, where it lies there."""
    for folder in (Path(__file__).parents[2], Path.cwd()):
        if Path(file).is_relative_to(folder):
            return Path(file).relative_to(folder).as_posix()
    return file


_keys = itertools.count()
_made_in: "weakref.WeakKeyDictionary[Node, Recording]" = weakref.WeakKeyDictionary()


def recording_of(node: Node) -> Recording | None:
    """Return the recording that a value was made in, if there was one."""
    return _made_in.get(node)


def structure_behind(node: Node) -> list[Step]:
    """Return the steps behind a value that was not recorded: structure without figures."""
    unknown, no_effort = Statistics(math.nan, math.nan, math.nan, math.nan), Effort(0.0, ())
    steps = []
    for element in elements_behind(node):
        outputs = [out for ref in element.outputs if (out := ref()) is not None]
        kept_in, kept_out = (
            tuple(Kept.of_node(each, id(each), unknown) for each in nodes)
            for nodes in (element.inputs, outputs)
        )
        nodes = (element.inputs, outputs)
        steps.append(Step.of(element, kept_in, kept_out, nodes, no_effort))
    return steps


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
    if not isinstance(keep, str) or keep not in KEEP:
        raise OptionError(f"record: keep is one of {', '.join(KEEP)}; got {keep!r:.60}")
    recording = Recording(keep)
    try:
        with hooks.observe(recording):
            yield recording
    finally:
        recording._fan_ins.finish()
