"""The graph: nodes, what is recorded, and the walk backward. It knows no arithmetic.

A :class:`Variable` owns a value (a float or an array) and a :class:`Node`. The graph links
nodes and elements only::

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
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_cnn import hooks
from tinygrad_cnn.errors import DTypeError, GraphError, ShapeError

if TYPE_CHECKING:
    from tinygrad_cnn.element import FunctionElement

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


class Variable:
    """A value with a place in the graph: the common part of ``Scalar`` and ``Tensor``."""

    __slots__ = ("__weakref__", "_grad", "_value", "grad_passes", "node", "version")

    _grad: Self | None
    _value: Any
    grad_passes: int  # how many backward passes .grad adds up
    node: Node
    version: Version

    @classmethod
    def wrap(cls, value: Any, node: Node, version: Version | None = None) -> Self:
        """Join a value and its node without copying or checking."""
        variable = cls.__new__(cls)
        variable._value = value
        variable._start(node, version)
        return variable

    def _start(self, node: Node, version: Version | None = None) -> None:
        self._grad = None
        self.grad_passes = 0
        self.node = node
        self.version = Version() if version is None else version
        if node.variable is None:
            node.variable = weakref.ref(self)

    # -- what it is ------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """Sizes of the axes; () for a single number."""
        return self.node.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        return self.node.dtype

    @property
    def device(self) -> str:
        """Where the value lives: ``scalar`` or ``cpu``."""
        return self.node.device

    @property
    def name(self) -> str | None:
        """Name in printouts; set it with ``tg.name(variable, "x")`` or by assignment."""
        return self.node.name

    @name.setter
    def name(self, name: str | None) -> None:
        self.node.name = name

    @property
    def creator(self) -> "FunctionElement | None":
        """The element that computed this value; None for a leaf."""
        return self.node.creator

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded element computed this value."""
        return self.node.is_leaf

    @property
    def requires_grad(self) -> bool:
        """Whether error signals are propagated to this value."""
        return self.node.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not self.is_leaf:
            raise GraphError(
                "requires_grad: it can be set on leaves only; got the result of "
                f"{self.node.creator.name if self.node.creator else 'a freed graph'!r}. "
                "Use detach() to cut a value off its graph."
            )
        require_float("requires_grad", self.dtype, wanted)
        self.node.requires_grad = wanted

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` and return self."""
        self.requires_grad = requires_grad
        return self

    # -- error signals ---------------------------------------------------------------

    @property
    def grad(self) -> Self | None:
        """The error signal ∂J/∂(this value) left by backward(); None where none was left."""
        return self._grad

    @grad.setter
    def grad(self, grad: Self | None) -> None:
        if grad is not None and grad.shape != self.shape:
            raise ShapeError(
                f"grad: it has the shape of its variable; got {grad.shape} for {self.shape}"
            )
        self._grad = grad
        self.grad_passes = 0 if grad is None else 1

    def retain_grad(self) -> Self:
        """Ask that backward() leaves the error signal of this intermediate value in .grad."""
        if not self.requires_grad:
            raise GraphError(
                "retain_grad: no error signal reaches a value that does not require one; "
                f"got {self.name or 'an unnamed value'} of shape {self.shape}. "
                "Set requires_grad=True on a leaf it is computed from."
            )
        self.node.retains_grad = True
        return self

    def zero_grad(self) -> None:
        """Forget the error signal."""
        self.grad = None

    def backward(
        self,
        gradient: Self | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Propagate error signals from this value to every leaf it depends on.

        Parameters
        ----------
        gradient : Variable, shape of this value, optional
            The error signal to start from. A one-element value starts from 1.
        retain_graph : bool, optional
            Keep the saved arrays, so that the graph can be walked again. Gradients of
            several walks add up. By default the value of `create_graph`.
        create_graph : bool
            Record the walk itself, so that gradients can be differentiated again.

        Raises
        ------
        GraphError
            If nothing here requires a gradient, if the graph was walked and freed before,
            or if an array that the walk needs was changed in place.
        """
        if not self.requires_grad:
            raise GraphError(
                "backward: error signals need a value that depends on a leaf with "
                "requires_grad=True; got one that does not"
            )
        if gradient is None:
            if self._size() != 1:
                raise GraphError(
                    "backward: only a one-element value has an obvious error signal to start "
                    f"from, 1; got shape {self.shape}. Reduce it with sum() or mean(), or pass "
                    "gradient="
                )
            gradient = self._ones()
        elif type(gradient) is not type(self) or gradient.dtype != self.dtype:
            raise DTypeError(
                "backward: gradient is of the kind and element type of the value it belongs to; "
                f"got {type(gradient).__name__} of {getattr(gradient, 'dtype', 'no element type')}"
                f" for {type(self).__name__} of {self.dtype}"
            )
        elif gradient.shape != self.shape:
            raise ShapeError(
                "backward: gradient has the shape of the value it belongs to; got "
                f"{gradient.shape} for {self.shape}"
            )
        keep = create_graph if retain_graph is None else retain_graph
        _propagate(self, gradient, keep, create_graph)

    # -- what Scalar and Tensor know of their values ---------------------------------

    def _size(self) -> int:
        raise NotImplementedError  # abstract

    def _ones(self) -> Self:
        raise NotImplementedError  # abstract

    def _accumulate(self, other: Self) -> None:
        """Add `other` into this value's own memory."""
        raise NotImplementedError  # abstract

    def _shares_memory(self, other: "Variable") -> bool:
        raise NotImplementedError  # abstract

    def _is_writable(self) -> bool:
        raise NotImplementedError  # abstract

    def _private_copy(self) -> Self:
        """Return a leaf that shares no memory with anything."""
        raise NotImplementedError  # abstract

    def detach(self) -> Self:
        """Return the same value, sharing memory, cut off from the graph."""
        node = Node(self.shape, self.dtype, self.device, name=self.name)
        return type(self).wrap(self._value, node, self.version)

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies and pickles are leaves: the graph they came from stays where it is.
        facts = (self._private_copy()._value, self.requires_grad, self.name, self.device)
        return _rebuild, (type(self), *facts)


def _rebuild(
    kind: type[Variable], value: Any, requires_grad: bool, name: str | None, device: str
) -> Variable:
    dtype = np.dtype(getattr(value, "dtype", np.float64))
    shape = getattr(value, "shape", ())
    return kind.wrap(value, Node(shape, dtype, device, requires_grad=requires_grad, name=name))


def require_float(operation: str, dtype: np.dtype[Any], wanted: bool = True) -> None:
    """Refuse a gradient on integers and truth values."""
    if wanted and dtype.kind != "f":
        raise DTypeError(
            f"{operation}: only floating-point values carry a gradient; got {dtype}. "
            "Convert with .float()"
        )


def name(variable: Variable, name: str) -> Variable:
    """Give a variable its name in printouts, and return it."""
    variable.name = name
    return variable


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


def _propagate(root: Variable, seed: Variable, retain_graph: bool, create_graph: bool) -> None:
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


def _run_backward(
    element: "FunctionElement", outgoing: tuple[Variable | None, ...]
) -> tuple[Variable | None, ...]:
    if not hooks.observers():
        return element.propagate(outgoing)
    with hooks.unobserved():
        incoming, effort = hooks.measured(lambda: element.propagate(outgoing))
    hooks.tell_backward(element, outgoing, incoming, effort)
    return incoming


def _collect(signals: dict[Node, Variable], node: Node) -> Variable | None:
    """Take the finished error signal of a node; leave a copy where it was asked for."""
    signal = signals.pop(node, None)
    if signal is not None and node.retains_grad:
        _deposit(node, signal, mine=signal.requires_grad)
    return signal


def _add(
    signals: dict[Node, Variable],
    owned: set[Node],
    node: Node,
    signal: Variable,
    create_graph: bool,
) -> None:
    """Fan-in: the error signals that reach one value by several paths add up."""
    present = signals.get(node)
    if present is None:
        signals[node] = signal
    elif create_graph or node not in owned:
        signals[node] = present + signal  # type: ignore[operator]  # Scalar and Tensor add
        owned.add(node)
    else:
        present._accumulate(signal)


def _is_private(
    signal: Variable,
    element: "FunctionElement",
    outgoing: tuple[Variable | None, ...],
    incoming: tuple[Variable | None, ...],
) -> bool:
    """Tell whether a signal lies in memory that its element's backward made for it alone."""
    if not signal._is_writable() or sum(other is signal for other in incoming) > 1:
        return False
    saved = (element.saved(symbol) for symbol in element._saved)
    others = (*outgoing, *saved, *(other for other in incoming if other is not signal))
    return not any(other is not None and signal._shares_memory(other) for other in others)


def _deposit(node: Node, signal: Variable, mine: bool) -> None:
    """Add an error signal to .grad of the variable it belongs to, if that is still alive."""
    variable = None if node.variable is None else node.variable()
    if variable is None or not node.requires_grad:
        return
    before = variable._grad
    if before is not None:
        with _Recording(signal.requires_grad or before.requires_grad):
            variable._grad = before + signal  # type: ignore[operator]
    else:
        variable._grad = signal if mine else signal._private_copy()
    variable.grad_passes += 1
