"""Function elements: the building blocks that a composite function is recorded from.

An element is a class that declares, once and next to its code,

* its **rule**: names of inputs and outputs, the forward formula, and for each input the
  formula of its error signal, as text and as LaTeX;
* what it **saves**: for each input, the values that its error signal is computed from;
* its **cost** and, where it has one, its sub-gradient **convention**;
* ``check`` (refuse bad input before any arithmetic), ``forward`` and ``backward``.

Printouts, documentation and tests read these declarations. Calling an element is the only
thing that records: see :meth:`FunctionElement.__call__`.
"""

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple
from weakref import ref

from tinygrad_cnn import graph, hooks
from tinygrad_cnn.device import (
    ARRAY_HOMES,
    HOMES,
    ArrayDevice,
    Device,
    meeting_place,
    require_variables,
)
from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.graph import Node, Version
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class Work(NamedTuple):
    """What a computation costs: multiply-adds, and bytes read and written once each."""

    multiply_adds: int
    bytes: int


class Cost(NamedTuple):
    """Cost of an element: forward, and the error signal of each input that has one."""

    forward: Work
    gradients: dict[str, Work]


def byte_size(node: Node) -> int:
    """Return the bytes of a value that a node stands for."""
    return math.prod(node.shape) * node.dtype.itemsize


class Reach(NamedTuple):
    """The part of its input that one output pixel is computed from, in pixels.

    Rows and columns of that part, and how far the parts of neighbours lie apart: a fraction
    where an element enlarges.
    """

    rows: int
    columns: int
    down: float
    across: float


_SEVERAL = object  # the kind of values that are of several kinds: it is at home nowhere

ELEMENTS: dict[str, type["FunctionElement"]] = {}
hooks.known_elements = ELEMENTS


class FunctionElement:
    """One element of a composite function. An instance runs once.

    Subclasses with a ``name=`` are registered in :data:`ELEMENTS`; the contract tests find
    them there.
    """

    name: ClassVar[str] = ""
    rule: Rule  # of the class; an instance whose options change it has its own
    saves: Mapping[str, tuple[str, ...]] = {}  # as the rule: of the class, or of an instance
    convention: str = ""  # as the rule
    shares_memory: ClassVar[bool] = False  # whether outputs may be views of the first input
    answers_anew: ClassVar[bool] = False  # whether backward answers in memory of its own, always
    differentiable: ClassVar[tuple[str, ...] | None] = None  # outputs with a gradient; all
    sees_everything: ClassVar[bool] = False  # whether it adds up over whole images
    homes: ClassVar[Mapping[type | None, Device]] = HOMES  # where it works, by the kind of values
    _checks: ClassVar[bool] = False  # whether it has a check of its own
    destination: Device | None = None  # where outputs live, if not with the inputs

    device: Device
    order: int  # this and the scope are known where somebody observes or records
    scope: str
    inputs: tuple[Node, ...] = ()  # this and what follows belong to recorded elements
    outputs: tuple["ref[Node]", ...]
    wanted: tuple[bool, ...]
    freed: bool = False
    rests_on_freed: bool = False  # whether an input came from a graph that was freed before
    _saved: dict[str, tuple[Any, Node | None, Version, int]]

    def __init_subclass__(cls, *, name: str = "") -> None:
        cls._checks = cls.check is not FunctionElement.check
        if name:
            if name in ELEMENTS:
                raise OptionError(f"FunctionElement: names are unique; got a second {name!r}")
            cls.name = name
            ELEMENTS[name] = cls

    # -- what a subclass says --------------------------------------------------------

    def check(self, *inputs: Any, **_: Any) -> None:
        """Refuse inputs, given as Variables, that do not fit; runs before any arithmetic."""

    def forward(self, *values: Any, **_: Any) -> Any:
        """Compute the output, or a tuple of outputs, from floats or arrays."""
        raise NotImplementedError  # abstract

    def backward(self, *signals: Any, **_: Any) -> Any:
        """Compute the error signals of the inputs from those of the outputs.

        Signals are Variables, and so is everything that :meth:`saved` returns: backward is
        written with elements, so it can itself be recorded. Inputs whose ``wanted`` flag is
        off may be answered with None.
        """
        raise GraphError(
            f"{self.name}: this element has no derivative. Cut the graph with detach()."
        )

    def options(self) -> dict[str, Any]:
        """Return the options worth printing, such as the stride of a convolution."""
        return {}

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        """Return multiply-adds of forward, and of the error signal of each input."""
        return 0, {}

    def reach(self) -> Reach | None:
        """Return what a pixel of the output sees of the image; None for the pixel itself."""
        window = getattr(self, "window", None)
        if window is None:
            return None
        rows, columns = window.span()
        return Reach(rows, columns, window.sh, window.sw)

    # -- running it ------------------------------------------------------------------

    def __call__(self, *inputs: Variable) -> Any:
        """Check, compute and, where a gradient may be wanted, record."""
        values: list[Any] = []
        kind: type | None = None
        wanted = False
        try:
            for variable in inputs:  # one loop for all questions: every element asks them
                value = variable._value
                values.append(value)
                if type(value) is not kind:
                    kind = _SEVERAL if kind else type(value)
                node = variable._node
                if node is not None and node.requires_grad:
                    wanted = True
        except AttributeError:
            require_variables(self.name, *inputs)
            raise
        device = self.homes.get(kind)
        if device is None:
            device = meeting_place(self.name, inputs, float in self.homes)
        self.device = device
        if self._checks:
            self.check(*inputs)
        if hooks.observers():
            return self._run_observed(inputs, values, wanted)
        result = self.forward(*values)
        device = self.destination or device
        version = inputs[0].version if self.shares_memory else None
        if type(result) is tuple:
            outputs = self._wrap(result, version)
        elif type(result) is device.value_class:
            outputs = (device.wrap(result, None, version),)
        else:
            outputs = (device.variable(result, version),)
        if wanted and graph.is_recording():
            self._record(inputs, outputs)
        return outputs if type(result) is tuple else outputs[0]

    def _wrap(self, values: tuple[Any, ...], version: Version | None) -> tuple[Variable, ...]:
        """Return several outputs as variables; all live where the element says."""
        device = self.destination or self.device
        return tuple([device.variable(value, version) for value in values])

    def _run_observed(self, inputs: tuple[Variable, ...], values: list[Any], wanted: bool) -> Any:
        """Compute and record as ever, and tell those who look on."""
        result, effort = hooks.measured(lambda: self.forward(*values))
        version = inputs[0].version if self.shares_memory else None
        outputs = self._wrap(result if isinstance(result, tuple) else (result,), version)
        if wanted and graph.is_recording():
            self._record(inputs, outputs)
        else:
            self.order, self.scope = next(graph.execution_order), graph.current_scope()
        hooks.tell_forward(self, inputs, outputs, effort)
        return outputs if isinstance(result, tuple) else outputs[0]

    def _record(self, inputs: tuple[Variable, ...], outputs: tuple[Variable, ...]) -> None:
        if self.inputs:
            raise GraphError(
                f"{self.name}: an element is recorded once; got a second call of the same "
                f"{type(self).__name__}. Make a new one for each call"
            )
        self.order, self.scope = next(graph.execution_order), graph.current_scope()
        # What depends on nothing but freed graphs can never be walked: it is freed at birth,
        # so adding up losses over a training run keeps no chain of elements alive.
        nodes, wanted, walkable, stub = [], [], False, False
        for variable in inputs:
            node = variable._node or variable.node
            needed = node.requires_grad
            if needed:
                creator = node.creator
                if node.freed or (creator is not None and creator.freed):
                    node, stub = node.stub(), True
                else:
                    walkable = True
            nodes.append(node)
            wanted.append(needed)
        references = []
        for position, variable in enumerate(outputs):
            node = variable._node = variable._new_node()
            if self._has_gradient(position):
                node.requires_grad = True
                node.freed = not walkable
                node.creator = self if walkable else None
            references.append(ref(node))
        if not walkable:
            return
        if stub:
            self.rests_on_freed = True
        self.inputs, self.outputs, self.wanted = tuple(nodes), tuple(references), tuple(wanted)
        saved = self._saved = {}
        places = self.rule.places
        for target, symbols in self.saves.items():
            position = places[target]
            if position < len(wanted) and wanted[position]:
                for symbol in symbols:
                    place = places[symbol]
                    if place >= len(inputs):  # an optional input that was not given
                        continue
                    variable = inputs[place] if place >= 0 else outputs[~place]
                    # The node of an output is held weakly: it holds this element strongly.
                    origin = nodes[place] if place >= 0 else None
                    version = variable._version or variable.version
                    saved[symbol] = (variable._value, origin, version, version.count)

    def _has_gradient(self, position: int) -> bool:
        if self.differentiable is None:
            return True
        return self.rule.outputs[position] in self.differentiable

    # -- walking back ----------------------------------------------------------------

    def saved(self, symbol: str) -> Any:
        """Return a saved value as a Variable, where it matters with its place in the graph."""
        value, node, version, _ = self._saved[symbol]
        device = self.device if node is not None else self.destination or self.device
        if not graph.is_recording():
            return device.wrap(value, None, version)
        if node is None:  # an output; None again where nobody depends on it any more
            node = self.outputs[~self.rule.places[symbol]]()
        return device.wrap(value, node, version)

    def refuse_changed(self) -> None:
        """Refuse to go on with saved arrays that were changed in place; name the first."""
        for symbol, (_, node, version, count) in self._saved.items():
            if version.count != count:
                called = node.name if node is not None and node.name else symbol
                where = f" in {self.scope}" if self.scope else ""
                raise GraphError(
                    f"backward: {self.name}{where} saved {called!r} for its gradient; got it "
                    f"changed in place since ({version.count - count} times). Call backward() "
                    "before changing it, or change a copy."
                )

    def propagate(self, outgoing: tuple[Variable | None, ...]) -> tuple[Variable | None, ...]:
        """Run :meth:`backward` and hold it to its contract."""
        incoming = self.backward(*outgoing)
        answers = incoming if isinstance(incoming, tuple) else (incoming,)
        if len(answers) != len(self.inputs):
            raise GraphError(
                f"{self.name}: backward answers with one error signal for each input; got "
                f"{len(answers)} for {len(self.inputs)}"
            )
        # They are as many: `strict` would cost as much as the loop.
        for node, wanted, signal in zip(self.inputs, self.wanted, answers):  # noqa: B905
            if signal is not None and wanted and signal.shape != node.shape:
                raise GraphError(
                    f"{self.name}: an error signal has the shape of its input; got "
                    f"{signal.shape} for {node.shape}"
                )
        if False in self.wanted:
            return tuple(s if want else None for s, want in zip(answers, self.wanted, strict=True))
        return answers

    @contextmanager
    def wanting(self, wanted: tuple[bool, ...]) -> Iterator[None]:
        """Want the error signals of fewer inputs inside a ``with`` block."""
        before = self.wanted
        self.wanted = tuple(map(operator.and_, before, wanted))
        try:
            yield
        finally:
            self.wanted = before

    def free(self) -> None:
        """Let go of the saved arrays; the structure stays for printouts."""
        self._saved = {}
        self.freed = True

    def cost(self, inputs: Sequence[Node], outputs: Sequence[Node]) -> Cost:
        """Return the exact cost of running on values of these shapes and types."""
        forward, gradients = self.multiply_adds(inputs, outputs)
        rule = self.rule
        named = dict(zip(rule.outputs, outputs, strict=False))
        named |= {rule.input_symbol(k): node for k, node in enumerate(inputs)}
        produced, read = sum(map(byte_size, outputs)), sum(map(byte_size, inputs))
        signals = sum(byte_size(n) for k, n in enumerate(outputs) if self._has_gradient(k))
        works = {}
        for position, node in enumerate(inputs):
            declared, symbol = rule.declared_symbol(position), rule.input_symbol(position)
            if declared in rule.backward:
                needed = (named[name] for name in self.saves.get(declared, ()) if name in named)
                traffic = signals + byte_size(node) + sum(map(byte_size, needed))
                works[symbol] = Work(gradients.get(symbol, 0), traffic)
        return Cost(Work(forward, read + produced), works)

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value}" for key, value in self.options().items())
        return f"{type(self).__name__}({options})"


class ArrayElement(FunctionElement):
    """An element that exists for arrays only."""

    device: ArrayDevice
    homes = ARRAY_HOMES
