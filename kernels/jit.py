"""How kernels are compiled, watched and compiled ahead; :mod:`cache` keeps them on disk.

Rules for the functions that are compiled here: no ``fastmath`` with ``nnan`` or ``ninf``
(a NaN stays a NaN); intrinsics are module-level globals, never closure cells (a closure
cell is never found in the cache); loop indices stay ``intp``.

Nothing is printed here. Who wants to show what is going on listens with :func:`on_compile`;
who wants to know beforehand what a computation needs runs it inside :func:`listed`.
"""

import importlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import event
from numba.core.dispatcher import Dispatcher, OmittedArg
from numba.np.ufunc.parallel import _launch_threads

from tinygrad_cnn.kernels.cache import KernelCache, cache_folder, cache_key, cache_of
from tinygrad_cnn.kernels.parts import KernelDispatcher

__all__ = [
    "Specialisation",
    "cache_folder",
    "cache_key",
    "compiled",
    "listed",
    "on_compile",
    "timed_compilation",
]

# Threads that wait for work look out for it for some 0.1 ms, then sleep. Kernels of a small
# network follow each other faster than that, and to wake a thread takes 30 to 60 µs where one
# that looks out starts in 2. Looking out for longer, they would keep each other from the
# processor on a machine that does something else too.
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}


def _load_threads() -> None:
    """Load Numba's OpenMP threads, which read how they are to wait, and nobody after them."""
    ours = {name: value for name, value in _WAITING.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        with suppress(ImportError):  # a system without OpenMP has threads of another kind
            importlib.import_module("numba.np.ufunc.omppool")
    finally:
        for name in ours:
            del os.environ[name]


_load_threads()


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile the decorated kernel with Numba, through the cache of this package.

    Parameters
    ----------
    **options
        Passed on to ``numba.njit``: ``parallel=True`` where the work is worth a fork and
        join (about 3 µs) and the longer compilation, ``fastmath={"contract", "reassoc"}``
        only beside a benchmark and a NaN test. Division follows IEEE 754 as NumPy's does:
        Numba's default would raise ZeroDivisionError, and test for it in every loop.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if numba.config.DISABLE_JIT:
            return function
        if options.get("parallel"):
            # Numba starts threads when it loads such a function from the cache. A compiled
            # function that calls this one contains it, and older releases start none for that.
            _launch_threads()
        rules = {"nopython": True, "nogil": True, "error_model": "numpy", "boundscheck": None}
        dispatcher = KernelDispatcher(function, {**rules, **options})
        if (cache := cache_of(function)) is not None:
            dispatcher._cache = cache
        return dispatcher

    return decorate


# -- watching ----------------------------------------------------------------------------


class _Listener(event.Listener):
    """Tells of outermost compilations only: a kernel's compilation contains its callees'."""

    def __init__(self, begins: Callable[[str], None], ended: Callable[[float], None]) -> None:
        self._begins, self._ended = begins, ended
        self._depth, self._begin = 0, 0.0

    def on_start(self, event: Any) -> None:
        if self._depth == 0:
            self._begin = time.perf_counter()
            self._begins(_name(event.data["dispatcher"]))
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._ended(time.perf_counter() - self._begin)


def _name(dispatcher: Any) -> str:
    """Return what a function is called in front of people: its module and its name."""
    function = dispatcher.py_func
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__.strip('_')}"


@contextmanager
def _listening(listener: _Listener) -> Iterator[None]:
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)


@contextmanager
def on_compile(function: Callable[[str], None]) -> Iterator[None]:
    """Call ``function(name)`` before each compilation inside a ``with`` block.

    What is found in the cache is not compiled, and nobody is told.
    """
    with _listening(_Listener(function, lambda seconds: None)):
        yield


class CompileTimer:
    """Seconds of compilation seen so far; read it inside or after the ``with`` block."""

    seconds: float = 0.0
    functions: int = 0

    def add(self, seconds: float) -> None:
        """Count a compilation."""
        self.seconds += seconds
        self.functions += 1


@contextmanager
def timed_compilation() -> Iterator[CompileTimer]:
    """Measure how long Numba compiles inside a ``with`` block."""
    timer = CompileTimer()
    with _listening(_Listener(lambda name: None, timer.add)):
        yield timer


# -- compiling ahead ---------------------------------------------------------------------


@dataclass(frozen=True)
class Specialisation:
    """A function, and the types of arguments that it is to be compiled for.

    It can be sent to another process, which finds the function by its name: what Numba would
    send is a copy that knows nothing of our cache.
    """

    function: Any
    signature: tuple[Any, ...]

    def __reduce__(self) -> Any:
        function = self.function.py_func
        return _found, (function.__module__, function.__name__, self.signature)

    @property
    def name(self) -> str:
        """Its module and its name, for people."""
        return _name(self.function)

    @property
    def size(self) -> int:
        """How much there is to compile, roughly: bytes of its code and of all that it calls."""
        return sum(map(_own_size, _called(self.function, {})))

    def is_stored(self) -> bool:
        """Tell whether it lies in the cache on disk."""
        cache = self.function._cache
        return isinstance(cache, KernelCache) and cache.has(self.signature, self.function.targetctx)

    def compile(self) -> None:
        """Compile it, or load it."""
        self.function.compile(self.signature)


def _own_size(dispatcher: Any) -> int:
    """Return the bytes of a function's code; a parallel loop is compiled several times over."""
    size = len(dispatcher.py_func.__code__.co_code)
    return 4 * size if dispatcher.targetoptions.get("parallel") else size


def _called(dispatcher: Any, found: dict[Any, None]) -> dict[Any, None]:
    """Return a function and all compiled ones that it reaches."""
    found[dispatcher] = None
    function = dispatcher.py_func
    for name in function.__code__.co_names:
        other = function.__globals__.get(name)
        if isinstance(other, Dispatcher) and other not in found:
            _called(other, found)
    return found


_listing: list[dict[Specialisation, None]] = []  # what `listed` has found so far


def address_of(function: Any, signature: Any) -> int:
    """Return where a function's code for some types lies; compile it if that was not done.

    Inside :func:`listed` it is noted instead, and the answer is where code lies that does
    nothing: keep no answer while :func:`is_listing`.
    """
    types_of = tuple(signature.args)
    if types_of not in function.overloads:
        if _listing:
            _listing[-1][Specialisation(function, types_of)] = None
            function, types_of = _nothing, ()
        function.compile(types_of)
    result = function.overloads[types_of]
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))


def is_listing() -> bool:
    """Tell whether kernels are only listed now."""
    return bool(_listing)


def _found(module: str, name: str, signature: tuple[Any, ...]) -> Specialisation:
    return Specialisation(getattr(importlib.import_module(module), name), signature)


@compiled()
def _nothing() -> None:
    """Do nothing, in the place of code that is yet to be compiled."""


@contextmanager
def listed() -> Iterator[list[Specialisation]]:
    """List what is yet to be compiled or loaded for the calls inside a ``with`` block.

    Nothing of it is: such calls return at once, and what they were to fill holds anything.
    So run a computation here whose result nobody needs.
    """
    needed: dict[Specialisation, None] = {}

    def note(dispatcher: Any, *arguments: Any) -> Callable[..., int]:
        signature = tuple(
            types.Omitted(each.value)
            if isinstance(each, OmittedArg)
            else dispatcher.typeof_pyval(each)
            for each in arguments
        )
        needed[Specialisation(dispatcher, signature)] = None
        # Those that answer count tasks, or say how a call is to be run: 3 leads on to all there is.
        return lambda *_: 3

    found: list[Specialisation] = []
    # Numba calls this method where no specialisation serves, and then what it returns.
    every_dispatcher: Any = Dispatcher
    former = every_dispatcher._compile_for_args
    every_dispatcher._compile_for_args = note
    _listing.append(needed)
    try:
        with np.errstate(all="ignore"):
            yield found
    finally:
        every_dispatcher._compile_for_args = former
        _listing.pop()
        found += needed
