"""Starts `in_own_process` and finds what it looks at."""

import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from numba.core.dispatcher import Dispatcher

from tinygrad_cnn.kernels import cpu

TESTS = Path(__file__).resolve().parents[1]


def in_own_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "kernels.in_own_process", *arguments],
        env={**os.environ, "PYTHONPATH": search, **environment},
        cwd=TESTS,  # the module search of -m begins there
        capture_output=True,
        text=True,
        check=False,
    )


def compiled_functions() -> Iterator[tuple[ModuleType, str, Dispatcher]]:
    """Yield every function that Numba compiles for the processor, where it is defined."""
    for found in pkgutil.walk_packages(cpu.__path__, f"{cpu.__name__}."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
                yield module, name, value
