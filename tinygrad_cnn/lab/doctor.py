"""What this package finds on a machine, and whether it works there.

Each line is a fact that was looked up or tried just now; a line with a remedy is something
that costs time or does not work.
"""

import ctypes.util
import importlib.util
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tinygrad_cnn.lab.machine import processor_name
from tinygrad_cnn.version import __version__

__all__ = ["Finding", "examine"]

_NEEDED = ("numpy", "numba", "llvmlite", "matplotlib", "rich", "click", "pooch", "safetensors")
_OPTIONAL = ("pillow", "tensorboardX", "torch", "numba-cuda", "cupy-cuda12x", "cupy-cuda13x")
_TRIED = ("conv2d_forward", "conv2d_grad_input", "conv2d_grad_weight", "max_pool2d_forward")
_DRIVERS = ("cuda", "nvcuda")  # libcuda.so.1 on Linux, nvcuda.dll on Windows


class Finding(NamedTuple):
    """One fact; with a remedy where it is a trouble."""

    about: str
    what: str
    value: str
    remedy: str = ""


def examine(progress: Callable[[str], None] = lambda text: None) -> list[Finding]:
    """Look at versions, processor, threads, the kernels' cache, data, CUDA; and try a kernel.

    Parameters
    ----------
    progress : callable
        Is told what is looked at; the first kernels may have to be compiled.

    Examples
    --------
    >>> findings = examine()
    >>> [f.value for f in findings if f.what == "tinygrad_cnn"] == [__version__]
    True
    """
    found: list[Finding] = []
    for about, look in _PARTS.items():
        progress(about)
        found += [Finding(about, *facts) for facts in look()]
    return found


_Facts = Iterator[tuple[str, str] | tuple[str, str, str]]


def _versions() -> _Facts:
    yield "tinygrad_cnn", __version__
    yield "Python", platform.python_version()
    for name in _NEEDED:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, "missing", f"pip install {name}"
    for name in _OPTIONAL:
        with suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def _processor() -> _Facts:
    from tinygrad_cnn.kernels.cpu.instructions.vectors import FUSED, VECTOR_BYTES

    yield "name", processor_name()
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield "cores", f"{os.cpu_count()}, of which this process may use {allowed}"
    yield "vectors", f"{8 * VECTOR_BYTES} bits, {'with' if FUSED else 'without'} fused multiply-add"
    with suppress(OSError, ValueError, AttributeError):
        page = os.sysconf("SC_PAGE_SIZE")
        total, free = (page * os.sysconf(f"SC_{k}PHYS_PAGES") / 2**30 for k in ("", "AV"))
        yield "memory", f"{total:.1f} GiB, {free:.1f} of them unused"


def _threads() -> _Facts:
    import numba

    from tinygrad_cnn.kernels.cpu.loops import tasks

    most, now = numba.config.NUMBA_NUM_THREADS, numba.get_num_threads()
    tasks.run_tasks(0, 0, 0)  # no task at all, but it starts the threads
    few = "" if now > 1 or os.cpu_count() == 1 else "unset NUMBA_NUM_THREADS to use all cores"
    yield "of the kernels", f"{now} of {most}", few
    layer = numba.threading_layer()
    slow = "" if layer == "omp" else "OpenMP starts a loop faster: set NUMBA_THREADING_LAYER=omp"
    yield "threading layer", layer, slow


def _cache() -> _Facts:
    from tinygrad_cnn.kernels.cache import cache_folder, cache_folders

    folder = cache_folder()
    if folder is None:
        read = ", ".join(map(str, cache_folders()[0])) or "none"
        yield (
            "kept in",
            f"nowhere: no folder can be written (read from: {read})",
            "each process compiles anew; set NUMBA_CACHE_DIR to a folder that can be written",
        )
        return
    files = list(folder.glob("*.nbc"))
    size = sum(file.stat().st_size for file in files) / 1e6
    yield "kept in", str(folder)
    yield "compiled so far", f"{len(files)} functions, {size:.1f} MB"


def _data() -> _Facts:
    import pooch

    named = os.environ.get("TINYGRAD_CNN_DATA")
    yield "TINYGRAD_CNN_DATA", named or "not set"
    yield "downloads go to", str(pooch.os_cache("tinygrad_cnn"))
    if named:
        root = Path(named).expanduser()
        there = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
        lost = "" if root.is_dir() else "this folder does not exist: correct the variable"
        yield "it holds", ", ".join(there) or "nothing", lost


def _cuda() -> _Facts:
    driver = next(filter(None, map(ctypes.util.find_library, _DRIVERS)), None)
    yield "driver", driver or "none found: kernels run on the processor"
    packages = [name for name in ("numba_cuda", "cupy") if importlib.util.find_spec(name)]
    yield "packages", ", ".join(packages) or "none"


def _trial() -> _Facts:
    """Hold some kernels to their promises: the plain loops' results, on any number of threads."""
    from tinygrad_cnn.lab.contract import check_kernel

    for operation in _TRIED:
        report = check_kernel(operation, "direct")
        if report.is_kept:
            calls = sum(promise.calls for promise in report.promises)
            yield operation, f"as the plain loops compute it ({calls} calls)"
        else:
            broken = next(p.broken or f"not tried: {p.text}" for p in report.promises
                          if p.broken or not p.calls)  # fmt: skip
            yield operation, broken, "compile anew in an empty folder: set NUMBA_CACHE_DIR to one"


_PARTS: dict[str, Callable[[], _Facts]] = {
    "versions": _versions,
    "processor": _processor,
    "threads": _threads,
    "compiled kernels": _cache,
    "data": _data,
    "CUDA": _cuda,
    "trial": _trial,
}
