"""How kernels are compiled, cached on disk and timed.

Numba's own ``cache=True`` looks at the one file that holds the function. It does not notice
an edited intrinsic or a helper in another file, and raises at decoration where no folder is
writable. Here one locator serves all kernels: the cache folder's name is a hash of *every*
kernel source together with the versions of Numba and llvmlite and the processor, so an edit
anywhere starts a fresh folder; and where nothing is writable there is simply no cache.

Rules for the functions that are compiled here: no ``fastmath`` with ``nnan`` or ``ninf``
(a NaN stays a NaN); intrinsics are module-level globals, never closure cells (a closure
cell is never found in the cache); loop indices stay ``intp``.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from llvmlite import binding
from numba.core import caching, event

# Threads that wait for work sleep instead of spinning: on a machine that does something else
# too, spinning threads keep each other from the processor. Read when Numba starts its threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_FOLDER = Path(__file__).resolve().parent


@lru_cache(maxsize=1)
def cache_key() -> str:
    """Return the hash that names the cache folder of these very sources on this machine."""
    digest = hashlib.sha256()
    for source in sorted(_FOLDER.rglob("*.py")):
        digest.update(str(source.relative_to(_FOLDER)).encode())
        digest.update(source.read_bytes())
    target = (numba.config.CPU_NAME or binding.get_host_cpu_name(), numba.config.CPU_FEATURES)
    for fact in (numba.__version__, llvmlite.__version__, *target):
        digest.update(str(fact).encode())
    return digest.hexdigest()[:20]


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, or None where nothing is writable.

    ``NUMBA_CACHE_DIR`` goes first, then ``XDG_CACHE_HOME``, then ``~/.cache``.
    """
    roots = [os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME")]
    candidates = [Path(root) for root in roots if root]
    with suppress(RuntimeError):  # where no home directory is known
        candidates.append(Path.home() / ".cache")
    for root in candidates:
        folder = root / "tinygrad_cnn" / cache_key()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".writable-{os.getpid()}-{threading.get_ident()}"
            probe.touch()
            probe.unlink()
        except OSError:
            continue
        return folder
    return None


class _Locator(caching._CacheLocator):
    """Places every kernel of every module in :func:`cache_folder`."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._line = function.__code__.co_firstlineno
        self._folder = folder

    @classmethod
    def from_function(cls, function: Callable[..., Any], source: str) -> "_Locator | None":
        folder = cache_folder()
        return None if folder is None else cls(function, folder)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return cache_key()

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Serialiser(caching.CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class _Cache(caching.FunctionCache):
    _impl_class = _Serialiser


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
        dispatcher = numba.njit(**{"nogil": True, "error_model": "numpy", **options})(function)
        if cache_folder() is not None and hasattr(dispatcher, "_cache"):
            dispatcher._cache = _Cache(function)
        return dispatcher

    return decorate


class CompileTimer:
    """Seconds of compilation seen so far; read it inside or after the ``with`` block."""

    seconds: float = 0.0
    functions: int = 0


class _Listener(event.Listener):
    """Adds up outermost compilations only: a kernel's compilation contains its callees'."""

    def __init__(self, timer: CompileTimer) -> None:
        self._timer, self._depth, self._begin = timer, 0, 0.0

    def on_start(self, event: Any) -> None:
        if self._depth == 0:
            self._begin = time.perf_counter()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._timer.seconds += time.perf_counter() - self._begin
            self._timer.functions += 1


@contextmanager
def timed_compilation() -> Iterator[CompileTimer]:
    """Measure how long Numba compiles inside a ``with`` block."""
    timer = CompileTimer()
    listener = _Listener(timer)
    event.register("numba:compile", listener)
    try:
        yield timer
    finally:
        event.unregister("numba:compile", listener)
