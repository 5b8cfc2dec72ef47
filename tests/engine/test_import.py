"""Importing the package is light: heavy parts load when they are first used."""

import json
import subprocess
import sys
from functools import lru_cache
from typing import Any

import pytest

import tinygrad_cnn as tg

HEAVY = (
    "numba",
    "llvmlite",
    "matplotlib",
    "torch",
    "rich",
    "click",
    "cupy",
    "pooch",
    "safetensors",
)
SECONDS = 2.0
PROGRAM = """
import json, sys, time
import numpy
begin = time.perf_counter()
import tinygrad_cnn
seconds = time.perf_counter() - begin
print(json.dumps([seconds, sorted({name.split(".")[0] for name in sys.modules})]))
"""


@lru_cache(maxsize=1)
def imported() -> tuple[float, set[str]]:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)


@pytest.mark.parametrize("name", HEAVY)
def test_importing_the_package_does_not_load(name: str) -> None:
    assert name not in imported()[1]


def test_importing_the_package_is_quick() -> None:
    assert imported()[0] < SECONDS


def test_an_unknown_attribute_is_named() -> None:
    with pytest.raises(AttributeError, match=r"tinygrad_cnn.*'convolution'"):
        _: Any = tg.convolution


def test_tensor_is_the_function() -> None:
    import tinygrad_cnn.tensor  # loads the module of that name, again
    from tinygrad_cnn.tensor import Tensor

    assert Tensor is tg.Tensor is type(tg.tensor([1.0]))
    assert tinygrad_cnn.tensor is tg.tensor
    assert sys.modules["tinygrad_cnn.tensor"].Tensor is tg.Tensor


def test_gradcheck_is_the_function() -> None:
    import tinygrad_cnn.gradcheck  # noqa: F401  # loads the module of that name, again

    assert callable(tg.gradcheck)
    assert callable(tg.gradgradcheck)
