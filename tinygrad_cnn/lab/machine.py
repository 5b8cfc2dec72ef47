"""The machine that figures belong to, and how many threads everybody has on it."""

import importlib.util
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.version import __version__


def has_pytorch() -> bool:
    """Tell whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


def pytorch() -> Any:
    """Import PyTorch, which nothing but a measurement does."""
    import torch

    return torch


@contextmanager
def on_threads(threads: int | None = None, with_pytorch: bool | None = None) -> Iterator[int]:
    """Give our kernels, and PyTorch where it is installed, so many threads; all by default.

    Raises
    ------
    OptionError
        If the machine has not so many for kernels.
    """
    with_pytorch = has_pytorch() if with_pytorch is None else with_pytorch
    torch = pytorch() if with_pytorch else None
    import numba

    most = numba.config.NUMBA_NUM_THREADS
    wanted = most if threads is None else threads
    if not 1 <= wanted <= most:
        raise OptionError(f"bench: there are 1 to {most} threads here; got {wanted}")
    former = numba.get_num_threads(), torch and torch.get_num_threads()
    numba.set_num_threads(wanted)
    if torch is not None:
        torch.set_num_threads(wanted)
    try:
        yield wanted
    finally:
        numba.set_num_threads(former[0])
        if torch is not None:
            torch.set_num_threads(former[1])


def machine_facts(threads: int) -> dict[str, Any]:
    """Return what figures depend on: processor, vectors, threads, versions, measured peak.

    Examples
    --------
    >>> sorted(machine_facts(1))[:4]
    ['cores', 'numba', 'numpy', 'peak_gflops']
    """
    import numba

    from tinygrad_cnn.kernels.cpu.instructions.vectors import VECTOR_BYTES
    from tinygrad_cnn.lab.peak import measured_peak

    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "vector_bits": 8 * VECTOR_BYTES,
        "threads": threads,
        "peak_gflops": measured_peak(threads),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "pytorch": pytorch().__version__ if has_pytorch() else None,
        "tinygrad_cnn": __version__,
    }


def processor_name() -> str:
    """Return the name that the maker gave the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
