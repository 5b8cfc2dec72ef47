"""The graph: nodes, and what is recorded. It knows no arithmetic.

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
from collections.abc import Callable, Collection, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import numpy as np

if TYPE_CHECKING:
    from tinygrad_cnn.element import FunctionElement
    from tinygrad_cnn.variable import Variable

Shape = tuple[int, ...]

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_scope: ContextVar[str] = ContextVar("scope", default="")
execution_order = itertools.count(1)


class Version:
    """Counts how often a piece of memory was changed in place; aliases share one."""

    count = 0


_NO_HOOKS: dict[int, Any] = {}  # one for all nodes: it stays empty


class Node:
    """What the graph knows of a value: shape, type, name and the element that made it.

    A Variable gets its node when somebody asks for it: error signals on their way through
    an unrecorded walk never have one.
    """

    __slots__ = (
        "__weakref__",
        "creator",
        "device",
        "dtype",
        "freed",
        "hooks",
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
        self.hooks: dict[int, Any] = _NO_HOOKS
        self.variable: weakref.ref[Variable] | None = None  # of whose .grad is written

    @property
    def is_leaf(self) -> bool:
        """Whether the walk ends here: nothing made this value, or nothing recorded it."""
        return self.creator is None and not self.freed

    def stub(self) -> "Node":
        """Return a stand-in that keeps nothing of a freed graph alive."""
        return Node(
            self.shape, self.dtype, self.device, requires_grad=True, name=self.name, freed=True
        )

    def __repr__(self) -> str:
        made_by = "leaf" if self.creator is None else self.creator.name
        return f"Node({self.name or 'unnamed'}, {self.shape}, {self.dtype}, {made_by})"


# -- what is recorded ----------------------------------------------------------------


#: Tell whether elements that run now become part of a graph. Every element asks this, so it is
#: the method itself and no function around it.
is_recording: Callable[[], bool] = _recording.get


def is_grad_enabled() -> bool:
    """Tell whether elements that run now become part of a graph, by PyTorch's name for it.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> with tg.no_grad():
    ...     tg.is_grad_enabled()
    False
    """
    return is_recording()


Function = TypeVar("Function", bound=Callable[..., Any])


class Recording(ContextDecorator):
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


@overload
def no_grad() -> Recording: ...


@overload
def no_grad(function: Function) -> Function: ...


def no_grad(function: Function | None = None) -> "Recording | Function":
    """Record nothing inside a ``with`` block, or a function: ``with tg.no_grad(): ...``.

    As a decorator it may stand with parentheses or without.
    """
    return Recording(False) if function is None else Recording(False)(function)


def enable_grad() -> Recording:
    """Record again inside a ``no_grad`` block."""
    return Recording(True)


_recomputing: ContextVar[bool] = ContextVar("recomputing", default=False)


def is_recomputing() -> bool:
    """Tell whether a function runs a second time, for the walk back through a checkpoint.

    What a first run has left behind, such as running averages, is then left alone.
    """
    return _recomputing.get()


@contextmanager
def recomputing() -> Iterator[None]:
    """Mark what runs inside a ``with`` block as a second run, and record it."""
    token = _recomputing.set(True)
    try:
        with Recording(True):
            yield
    finally:
        _recomputing.reset(token)


def enter_scope(name: str) -> "Token[str]":
    """Put what is recorded from now on under a dotted path, as a layer's, until it is left."""
    outer = _scope.get()
    return _scope.set(f"{outer}.{name}" if outer else name)


#: Leave a scope by what :func:`enter_scope` returned.
leave_scope: "Callable[[Token[str]], None]" = _scope.reset


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Put everything that is recorded in a ``with`` block under a dotted path."""
    token = enter_scope(name)
    try:
        yield
    finally:
        leave_scope(token)


#: Return the dotted path that elements are recorded under now.
current_scope: Callable[[], str] = _scope.get


# -- what is behind a value ----------------------------------------------------------


def elements_behind(*nodes: Node, stop: Collection[Node] = ()) -> list["FunctionElement"]:
    """Return every recorded element that values depend on, in execution order.

    The search does not look behind the nodes in `stop`.
    """
    found: dict[int, FunctionElement] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        creator = node.creator
        if creator is None:
            continue
        order = creator.order
        if order not in found and not (stop and node in stop):
            found[order] = creator
            stack += creator.inputs
    return [found[order] for order in sorted(found)]
