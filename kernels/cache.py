"""Where compiled kernels are kept on disk, and how processes share them.

Numba's own ``cache=True`` looks at the one file that holds the function. It does not notice
an edited intrinsic or a helper in another file, raises at decoration where no folder is
writable, and keeps an index for each function that two processes can write at once, so that
one finds what the other compiled for another element type. Here

- the folder's name is a hash of *every* kernel source together with the versions of Numba
  and llvmlite and the processor: an edit anywhere starts a fresh folder;
- every specialisation of a function is a file of its own, found by a hash of its signature
  and written under another name before it takes its place: there is no index to lose, and
  nobody reads half a file;
- folders that can only be read are read, and where nothing can be written nothing is.
"""

import hashlib
import os
import pickle
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from llvmlite import binding
from numba.core import caching, serialize

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
def cache_folders() -> tuple[tuple[Path, ...], Path | None]:
    """Return the folders that compiled kernels are read from, and the one they are written to.

    ``NUMBA_CACHE_DIR`` goes first, then ``XDG_CACHE_HOME``, then ``~/.cache``. The first one
    that can be written ends the search; read are those before it, too.
    """
    roots = [os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME")]
    candidates = [Path(root) for root in roots if root]
    with suppress(RuntimeError):  # where no home directory is known
        candidates.append(Path.home() / ".cache")
    readable: list[Path] = []
    for root in candidates:
        folder = root / "tinygrad_cnn" / cache_key()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".writable-{os.getpid()}-{threading.get_ident()}"
            probe.touch()
            probe.unlink()
        except OSError:
            if os.access(folder, os.R_OK | os.X_OK):
                readable.append(folder)
            continue
        return (*readable, folder), folder
    return tuple(readable), None


def cache_folder() -> Path | None:
    """Return the folder that compiled kernels are written to, or None where none can be."""
    return cache_folders()[1]


class _Files:
    """The specialisations of one function, a file for each."""

    def __init__(self, name: str, stamp: str) -> None:
        self._name, self._stamp = name, stamp

    def _file_name(self, key: Any) -> str:
        """Return the name of the file for Numba's key: signature, processor and byte code."""
        digest = hashlib.sha256(repr((self._stamp, key)).encode()).hexdigest()
        return f"{self._name}-{digest[:16]}.nbc"

    def find(self, key: Any) -> Path | None:
        """Return the file of a specialisation, if there is one."""
        places = (folder / self._file_name(key) for folder in cache_folders()[0])
        return next(filter(Path.is_file, places), None)

    def load(self, key: Any) -> Any:
        """Return what was stored; nothing if it is missing or damaged."""
        if (path := self.find(key)) is not None:
            with suppress(OSError, EOFError, pickle.UnpicklingError):
                return pickle.loads(path.read_bytes())
        return None

    def save(self, key: Any, data: Any) -> None:
        """Store a specialisation if it can be: without it, the next process compiles again."""
        if (folder := cache_folder()) is None:
            return
        path = folder / self._file_name(key)
        unfinished = path.with_suffix(f".{uuid.uuid4().hex}")
        with suppress(OSError):  # the disk is full, say
            try:
                unfinished.write_bytes(serialize.dumps(data))
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)


class _Locator(caching._CacheLocator):
    """Numba asks it for paths and stamps, of which :class:`_Files` needs none."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._py_file = function.__code__.co_filename

    @classmethod
    def from_function(cls, function: Callable[..., Any], source: str) -> "_Locator":
        return cls(function)

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return cache_key()

    def get_disambiguator(self) -> str:
        return ""

    def ensure_cache_path(self) -> None:
        """Do nothing: the folder is there, or nothing is written."""


class _Serialiser(caching.CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class KernelCache(caching.FunctionCache):
    """What a Numba dispatcher keeps its specialisations in."""

    _impl_class = _Serialiser

    def __init__(self, function: Callable[..., Any], stamp: str) -> None:
        super().__init__(function)
        code = function.__code__
        name = f"{Path(code.co_filename).stem}.{function.__name__}-{code.co_firstlineno}"
        self._cache_file = _Files(name, stamp)

    def has(self, signature: Any, target: Any) -> bool:
        """Tell whether a specialisation is stored."""
        target.refresh()
        return self._cache_file.find(self._index_key(signature, target.codegen())) is not None


def cache_of(function: Callable[..., Any]) -> KernelCache | None:
    """Return the cache for a function; None where nothing can be read or written.

    The folder's name stands for the sources of all kernels here. A function from elsewhere,
    somebody's own kernel, is found again as long as its own file is the same.
    """
    if not cache_folders()[0]:
        return None
    source = Path(function.__code__.co_filename).resolve()
    if source.is_relative_to(_FOLDER):
        return KernelCache(function, "")
    try:
        return KernelCache(function, hashlib.sha256(source.read_bytes()).hexdigest())
    except OSError:  # typed at a prompt
        return None
