"""The graph: nodes, what is recorded, and the walk backward. It knows no arithmetic.

A ``Variable`` owns a value (a float or an array) and a :class:`Node`. The graph links nodes
and elements only::

    Variable ──▶ Node ──creator──▶ FunctionElement ──inputs──▶ Node ──▶ ...

Values are kept alive by whoever needs them: a Variable its own, an element the few arrays
it declares for its gradients. Nothing points forward except weakly, so there are no
reference cycles and memory goes back the moment the last name is gone.

Elements are numbered as they are recorded. An element can only read what was there before
it, so that number already *is* a topological order: walking backward means visiting what
the loss depends on by descending number. No recursion, each element once, however many
paths lead to it.
"""

import itertools
import weakref
from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager, nullcontext
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_cnn import hooks
from tinygrad_cnn.errors import GraphError

if TYPE_CHECKING:
    from tinygrad_cnn.element import FunctionElement
    from tinygrad_cnn.variable import Variable

    Signals = tuple[Variable | None, ...]

Shape = tuple[int, ...]

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_scope: ContextVar[tuple[str, ...]] = ContextVar("scope", default=())
execution_order = itertools.count(1)


class Version:
    """Counts how often a piece of memory was changed in place; aliases share one."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Node:
    """What the graph knows of a value: shape, type, name and the element that made it."""

    __slots__ = (
        "__weakref__",
        "creator",
        "device",
        "dtype",
        "freed",
        "name",
        "requires_grad",
        "retains_grad",
        "shape",
        "variable",
    )

    def __init__(
        self,
        shape: Shape,
        dtype: np.dtype[Any],
        device: str,
        *,
        requires_grad: bool = False,
        creator: "FunctionElement | None" = None,
        name: str | None = None,
        freed: bool = False,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.device = device
        self.requires_grad = requires_grad
        self.creator = creator
        self.name = name
        self.freed = freed  # stands for a graph that was walked and let go
        self.retains_grad = False
        self.variable: weakref.ref[Variable] | None = None

    @property
    def is_leaf(self) -> bool:
        """Whether the walk ends here: nothing made this value, or nothing recorded it."""
        return self.creator is None and not self.freed

    @property
    def belongs_to_freed_graph(self) -> bool:
        """Whether the way back from here was let go by an earlier backward()."""
        return self.freed or (self.creator is not None and self.creator.freed)

    def stub(self) -> "Node":
        """Return a stand-in that keeps nothing of a freed graph alive."""
        return Node(
            self.shape, self.dtype, self.device, requires_grad=True, name=self.name, freed=True
        )

    def __repr__(self) -> str:
        made_by = "leaf" if self.creator is None else self.creator.name
        return f"Node({self.name or 'unnamed'}, {self.shape}, {self.dtype}, {made_by})"


# -- what is recorded ----------------------------------------------------------------


def is_recording() -> bool:
    """Tell whether elements that run now become part of a graph."""
    return _recording.get()


class _Recording(ContextDecorator):
    """Switch recording for a ``with`` block or, as a decorator, for a function."""

    def __init__(self, on: bool) -> None:
        self._on = on
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(_recording.set(self._on))

    def __exit__(self, *exception: object) -> None:
        _recording.reset(self._tokens.pop())

    def _recreate_cm(self) -> Self:
        return type(self)(self._on)


def no_grad() -> _Recording:
    """Record nothing inside a ``with`` block: ``with tg.no_grad(): ...``."""
    return _Recording(False)


def enable_grad() -> _Recording:
    """Record again inside a ``no_grad`` block."""
    return _Recording(True)


@contextmanager
def scope(*names: str) -> Iterator[None]:
    """Put everything that is recorded inside under a dotted path, such as a layer's."""
    token = _scope.set((*_scope.get(), *names))
    try:
        yield
    finally:
        _scope.reset(token)


def current_scope() -> str:
    """Return the dotted path that elements are recorded under now."""
    return ".".join(_scope.get())


# -- the walk ------------------------------------------------------------------------


def elements_behind(node: Node) -> list["FunctionElement"]:
    """Return every recorded element that a value depends on, in execution order."""
    found: dict[int, FunctionElement] = {}
    stack = [node]
    while stack:
        creator = stack.pop().creator
        if creator is not None and creator.order not in found:
            found[creator.order] = creator
            stack.extend(creator.inputs)
    return [found[order] for order in sorted(found)]


def _refuse_what_cannot_be_walked(root: Node, elements: list["FunctionElement"]) -> None:
    for element in elements:
        if element.freed or any(node.freed for node in element.inputs):
            break
        element.check_saved()
    else:
        if not root.freed:
            return
    raise GraphError(
        "backward: the saved arrays of a graph are freed by its first walk; got a second one. "
        "Call backward(retain_graph=True) the first time, or compute the value again."
    )


def propagate(root: "Variable", seed: "Variable", retain_graph: bool, create_graph: bool) -> None:
    """Walk back from `root`, whose error signal is `seed`, to every leaf it depends on.

    Parameters
    ----------
    root, seed : Variable
    retain_graph : bool
        Keep the saved arrays of the elements.
    create_graph : bool
        Record the walk.
    """
    elements = elements_behind(root.node)
    _refuse_what_cannot_be_walked(root.node, elements)
    signals: dict[Node, Variable] = {root.node: seed}
    owned: set[Node] = set()  # nodes whose signal lies in memory of this walk alone
    with _Recording(create_graph):
        while elements:
            element = elements.pop()
            outgoing = tuple(
                None if (out := ref()) is None else _collect(signals, out)
                for ref in element.outputs
            )
            if all(signal is None for signal in outgoing):
                continue
            incoming = _run_backward(element, outgoing)
            for node, signal in zip(element.inputs, incoming, strict=True):
                if signal is None:
                    continue
                first = node not in signals
                _add(signals, owned, node, signal, create_graph)
                if first and node.is_leaf and _is_private(signal, element, outgoing, incoming):
                    owned.add(node)
            if not retain_graph:
                element.free()
    for node, signal in signals.items():
        _deposit(node, signal, signal.requires_grad or node in owned)


def _run_backward(element: "FunctionElement", outgoing: "Signals") -> "Signals":
    if not hooks.observers():
        return element.propagate(outgoing)
    # With create_graph the elements of the walk become part of a graph: they are told too.
    with nullcontext() if is_recording() else hooks.unobserved():
        incoming, effort = hooks.measured(lambda: element.propagate(outgoing))
    hooks.tell_backward(element, outgoing, incoming, effort)
    return incoming


def _collect(signals: "dict[Node, Variable]", node: Node) -> "Variable | None":
    """Take the finished error signal of a node; leave a copy where it was asked for."""
    signal = signals.pop(node, None)
    if signal is not None and node.retains_grad:
        _deposit(node, signal, mine=signal.requires_grad)
    return signal


def _add(
    signals: "dict[Node, Variable]",
    owned: set[Node],
    node: Node,
    signal: "Variable",
    create_graph: bool,
) -> None:
    """Fan-in: the error signals that reach one value by several paths add up."""
    present = signals.get(node)
    if present is None:
        signals[node] = signal
    elif create_graph or node not in owned:
        signals[node] = _sum(present, signal, create_graph)
        owned.add(node)
    else:
        present._accumulate(signal)


def _sum(first: "Variable", second: "Variable", recorded: bool) -> "Variable":
    """Add two error signals; observers are told of the sum where it belongs to a graph."""
    with _Recording(recorded), nullcontext() if recorded else hooks.unobserved():
        return first + second  # type: ignore[operator]  # Scalar and Tensor add


def _is_private(
    signal: "Variable",
    element: "FunctionElement",
    outgoing: "Signals",
    incoming: "Signals",
) -> bool:
    """Tell whether a signal lies in memory that its element's backward made for it alone."""
    if not signal._is_writable() or sum(other is signal for other in incoming) > 1:
        return False
    saved = (element.saved(symbol) for symbol in element._saved)
    others = (*outgoing, *saved, *(other for other in incoming if other is not signal))
    return not any(other is not None and signal._shares_memory(other) for other in others)


def _deposit(node: Node, signal: "Variable", mine: bool) -> None:
    """Add an error signal to .grad of the variable it belongs to, if that is still alive."""
    variable = None if node.variable is None else node.variable()
    if variable is None or not node.requires_grad:
        return
    before = variable._grad
    if before is not None:
        variable._grad = _sum(before, signal, signal.requires_grad or before.requires_grad)
    else:
        variable._grad = signal if mine else signal._private_copy()
    variable.grad_passes += 1
