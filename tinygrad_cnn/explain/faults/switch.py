"""The switch: inside a ``with`` block the engine computes with one mistake.

The methods of the classes themselves are exchanged, so a net runs with the wrong rule in the real
engine and its kernels, and while no fault is on nothing is looked up: the methods are the old
ones again. A fault is on in the context that switched it on; another thread goes on computing
rightly, past a method that looks at its context first.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tinygrad_cnn.errors import OptionError, unknown_name
from tinygrad_cnn.explain.faults.catalogue import FAULTS
from tinygrad_cnn.explain.faults.fault import Exchange, Fault

__all__ = ["fault", "find"]

_active: ContextVar[Fault | None] = ContextVar("fault", default=None)
_lock = threading.Lock()
_exchanged: dict[tuple[type, str], tuple[int, Any]] = {}  # how many have it so, and the method


def find(name: str, operation: str = "fault") -> Fault:
    """Return a fault by its name.

    Raises
    ------
    UnknownNameError
        If there is none; the message lists all.
    """
    if name not in list(FAULTS):  # whatever it is, a list too
        raise unknown_name(operation, name, FAULTS)
    return FAULTS[name]


@contextmanager
def fault(name: str) -> Iterator[Fault]:
    """Compute with a mistake inside a ``with`` block.

    Parameters
    ----------
    name : str
        One of ``explain.FAULTS``.

    Yields
    ------
    Fault
        What is wrong now.

    Raises
    ------
    UnknownNameError
        If there is no fault of that name.
    OptionError
        If one is on already: what two mistakes do together teaches nothing of either.

    Notes
    -----
    Values are computed rightly; error signals, gradients or steps are not. Outside of the block,
    and in other threads, all is as ever.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[1.0, -2.0, 3.0]], requires_grad=True)
    >>> with tg.explain.fault("relu_mask_left_out"):
    ...     tg.functional.relu(x).sum().backward()
    >>> x.grad.tolist()
    [[1.0, 1.0, 1.0]]
    """
    chosen, before = find(name), _active.get()
    if before is not None:
        raise OptionError(
            f"fault: one is on at a time; got {name!r} inside {before.name!r}. Leave the with "
            f"block first; there are {', '.join(FAULTS)}"
        )
    with _lock:
        for exchange in chosen.exchanges:
            _put(exchange)
    token = _active.set(chosen)
    try:
        yield chosen
    finally:
        _active.reset(token)
        with _lock:
            for exchange in chosen.exchanges:
                _take(exchange)


def _put(exchange: Exchange) -> None:
    place = exchange.owner, exchange.method
    count, right = _exchanged.get(place, (0, None))
    if not count:
        right = vars(exchange.owner)[exchange.method]
        setattr(exchange.owner, exchange.method, _chosen(place, right))
    _exchanged[place] = count + 1, right


def _take(exchange: Exchange) -> None:
    place = exchange.owner, exchange.method
    count, right = _exchanged.pop(place)
    if count > 1:
        _exchanged[place] = count - 1, right
    else:
        setattr(exchange.owner, exchange.method, right)


def _chosen(place: tuple[type, str], right: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that is wrong where a fault is on that exchanges it."""

    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        active = _active.get()
        for exchange in active.exchanges if active is not None else ():
            if (exchange.owner, exchange.method) == place:
                return exchange.wrong(right, self, *arguments, **options)
        return right(self, *arguments, **options)

    return method
