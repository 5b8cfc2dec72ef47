"""Observers of the graph: who wants to see each element run, forward and backward.

A function looks on with :func:`on_forward` and :func:`on_backward`. An observer is any object
with the two methods of :class:`Observer`. It is told in execution order, also of elements that
are not recorded. Without observers the cost is one truth test.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar

from tinygrad_cnn.errors import DTypeError, GraphError, unknown_name
from tinygrad_cnn.kernels.registry import Kernel, traced

if TYPE_CHECKING:
    from tinygrad_cnn.element import FunctionElement
    from tinygrad_cnn.variable import Variable

    Signals = tuple[Variable | None, ...]


class Effort(NamedTuple):
    """What one step took: seconds, and the kernels that ran."""

    seconds: float
    kernels: tuple[Kernel, ...]


class Observer(Protocol):
    """What an observer is told."""

    def on_forward(
        self,
        element: "FunctionElement",
        inputs: tuple["Variable", ...],
        outputs: tuple["Variable", ...],
        effort: "Effort",
    ) -> None:
        """`element` has computed `outputs` from `inputs`."""

    def on_backward(
        self,
        element: "FunctionElement",
        outgoing: tuple["Variable | None", ...],
        incoming: tuple["Variable | None", ...],
        effort: "Effort",
    ) -> "Signals | None":
        """`element` has turned the error signals of its outputs into those of its inputs.

        What is returned, unless it is None, takes the place of the latter.
        """


def require_callable(operation: str, function: Any) -> None:
    """Refuse what cannot be called, now and not when it is called for."""
    if not callable(function):
        raise DTypeError(f"{operation}: it takes a function; got {type(function).__name__}")


class Handle:
    """Takes a registered function away again, by ``remove()`` or at the end of a ``with`` block."""

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove = remove

    @classmethod
    def to(cls, registry: dict[int, Any], entry: Any) -> "Handle":
        """Put an entry into a registry, and return the handle to it."""
        key = next(_entries)
        registry[key] = entry

        def remove() -> None:
            registry.pop(key, None)

        return cls(remove)

    def remove(self) -> None:
        """Take it away; a second time changes nothing."""
        self._remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


_entries = itertools.count()
R = TypeVar("R")

_observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())


#: Return the observers that are looking now. Every element asks this, so it is the method itself
#: and no function around it.
observers: Callable[[], tuple[Observer, ...]] = _observers.get


@contextmanager
def observe(observer: Observer) -> Iterator[None]:
    """Let `observer` look inside a ``with`` block."""
    token = _observers.set((*_observers.get(), observer))
    try:
        yield
    finally:
        _observers.reset(token)


@contextmanager
def unobserved() -> Iterator[None]:
    """Hide what happens inside a ``with`` block, such as the arithmetic of an observer."""
    token = _observers.set(())
    try:
        yield
    finally:
        _observers.reset(token)


def measured(step: Callable[[], R]) -> tuple[R, Effort]:
    """Run a step and say what it took."""
    with traced() as used:
        begin = time.perf_counter()
        result = step()
        return result, Effort(time.perf_counter() - begin, tuple(used))


def tell_forward(*facts: Any) -> None:
    """Pass a forward step on to all observers."""
    for observer in _observers.get():
        observer.on_forward(*facts)


def tell_backward(
    element: "FunctionElement", outgoing: "Signals", incoming: "Signals", effort: Effort
) -> "Signals":
    """Pass a backward step on to all observers; return what they leave of its result."""
    for observer in _observers.get():
        replaced = observer.on_backward(element, outgoing, incoming, effort)
        if replaced is not None:
            incoming = _replacement(element, incoming, replaced)
    return incoming


def _replacement(element: "FunctionElement", incoming: "Signals", given: Any) -> "Signals":
    """Return what a hook gives in place of error signals, or refuse it."""
    signals = tuple(given) if isinstance(given, tuple | list) else (given,)
    if len(signals) != len(incoming):
        raise GraphError(
            f"on_backward: a hook answers with one error signal for each input of {element.name}, "
            f"or with None; got {len(signals)} for {len(incoming)}"
        )
    for before, signal in zip(incoming, signals, strict=True):
        if before is not None and signal is not None:
            before._check_signal("on_backward", "what a hook returns", signal)
    return tuple(
        None if before is None else signal for before, signal in zip(incoming, signals, strict=True)
    )


# -- functions that look on -------------------------------------------------------------

known_elements: Mapping[str, Any] = {}  # set by element.py when it is imported


def on_forward(function: Callable[..., None], element: str | None = None) -> Handle:
    """Call a function whenever an element has run.

    Parameters
    ----------
    function : callable
        ``function(element, inputs, outputs)``, with the values as tuples of variables. It
        looks on: what it returns is ignored, and what it computes is not shown to hooks.
    element : str, optional
        Name of the elements to look at, such as ``"conv2d"``; all of them by default.

    Returns
    -------
    Handle
        Call its ``remove()``, or use it in a ``with`` statement.

    Raises
    ------
    UnknownNameError
        If no element has that name.
    DTypeError
        If what is given is no function.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(2.0)
    >>> with tg.hooks.on_forward(lambda element, inputs, outputs: print(inputs, outputs), "exp"):
    ...     y = (x * 0.0).exp()
    (Scalar(0.0),) (Scalar(1.0),)
    """
    return _register(_Hook("on_forward", element, forward=function))


def on_backward(function: Callable[..., Any], element: str | None = None) -> Handle:
    """Call a function whenever an element has sent its error signals back.

    Parameters
    ----------
    function : callable
        ``function(element, outgoing, incoming)``, with the error signals of the outputs and
        those of the inputs as tuples of variables, None where there is none. What it returns,
        unless it is None, takes the place of the latter: a tuple of the same shapes and types.
    element : str, optional
        Name of the elements to look at; all of them by default.

    Returns
    -------
    Handle
        Call its ``remove()``, or use it in a ``with`` statement.

    Raises
    ------
    UnknownNameError
        If no element has that name.
    DTypeError
        If what is given is no function.
    GraphError, ShapeError, DTypeError
        From the walk, if the function returns something that does not fit.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(2.0, requires_grad=True)
    >>> with tg.hooks.on_backward(lambda element, outgoing, incoming: (incoming[0] * 10.0,), "exp"):
    ...     (x * 0.0 + x).exp().backward()
    >>> x.grad.item() == 10.0 * tg.Scalar(2.0).exp().item()
    True
    """
    return _register(_Hook("on_backward", element, backward=function))


def _register(observer: "_Hook") -> Handle:
    _observers.set((*_observers.get(), observer))

    def remove() -> None:
        _observers.set(tuple(other for other in _observers.get() if other is not observer))

    return Handle(remove)


class _Hook:
    """An observer that calls a function at the elements of one name."""

    def __init__(
        self,
        operation: str,
        element: str | None,
        forward: Callable[..., None] | None = None,
        backward: Callable[..., Any] | None = None,
    ) -> None:
        require_callable(operation, backward if forward is None else forward)
        if element is not None and str(element) not in known_elements:
            raise unknown_name(operation, element, sorted(known_elements))
        self._element, self._forward, self._backward = element, forward, backward

    def on_forward(self, element: "FunctionElement", *facts: Any) -> None:
        inputs, outputs, _ = facts
        if self._forward is not None and self._element in (None, element.name):
            with unobserved():
                self._forward(element, inputs, outputs)

    def on_backward(self, element: "FunctionElement", *facts: Any) -> Any:
        outgoing, incoming, _ = facts
        if self._backward is None or self._element not in (None, element.name):
            return None
        with unobserved():
            return self._backward(element, outgoing, incoming)
