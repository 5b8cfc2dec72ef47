"""Observers of the graph: who wants to see each element run, forward and backward.

An observer is any object with the two methods of :class:`Observer`. It is told in execution
order, also of elements that are not recorded. Without observers the cost is one truth test.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from tinygrad_cnn.kernels.registry import Kernel, traced

if TYPE_CHECKING:
    from tinygrad_cnn.element import FunctionElement
    from tinygrad_cnn.variable import Variable


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
    ) -> None:
        """`element` has turned the error signals of its outputs into those of its inputs."""


R = TypeVar("R")

_observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())


def observers() -> tuple[Observer, ...]:
    """Return the observers that are looking now."""
    return _observers.get()


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


def tell_backward(*facts: Any) -> None:
    """Pass a backward step on to all observers."""
    for observer in _observers.get():
        observer.on_backward(*facts)
