"""Kernels on processors other than this one: what can run here runs, the rest is read.

Numba can be told to make code for a smaller processor of the family, which then runs. For
larger ones, and for another family, the machine code is read: how wide its vectors are, how
many multiplications the loop of a register tile holds, and that it keeps nothing on the stack.
"""

import functools
import json
import os
import platform
import subprocess
import sys
from typing import Any

import pytest
from llvmlite import binding

from .launch import TESTS
from .other_processors import PROCESSORS, Processor, environment

pytestmark = [
    pytest.mark.full,
    pytest.mark.compile,
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64"), reason="starts from x86 code"
    ),
]
# Of module scope: all tests of a processor in turn, mostly in one process of the test run.
every_processor = pytest.mark.parametrize("name", PROCESSORS, scope="module")

# What is said of all register tiles is not said of these on processors with 16 registers of 16
# bytes: one of the two tables of the last channels, and a product as wide as AVX2's.
SPILL_ON_SSE2 = ("tile.multiply_channels", "tiles.multiply", "winograd")
NO_CACHE = dict.fromkeys(("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"), "/dev/null/none")


def python(*arguments: str, given: str = "", **variables: str) -> str:
    search = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, *arguments],
        input=given,
        env={**os.environ, "PYTHONPATH": search, **variables},
        cwd=TESTS,  # the module search of -m begins there
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@functools.cache
def signatures() -> str:
    return python("-m", "kernels.other_processors", "signatures")


@functools.cache
def listing(name: str) -> dict[str, Any]:
    # Without a cache: what comes from one cannot be read.
    variables = NO_CACHE | environment(PROCESSORS[name])
    arguments = ("-m", "kernels.other_processors", "listings", name)
    return json.loads(python(*arguments, given=signatures(), **variables))


def multiplying(name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the loops of functions that run register tiles; by their names they multiply."""
    found = {
        function: [loop for loop in loops if loop["multiplications"] > 1]
        for function, loops in listing(name)["loops"].items()
        if "multiply" in function
    }
    return {function: loops for function, loops in found.items() if loops}


def runs_here(processor: Processor) -> bool:
    wanted = {feature.strip("+") for feature in processor.features.split(",") if feature}
    return not processor.triple and all(map(binding.get_host_cpu_features().get, wanted))


SMALLER = [name for name in ("sse2", "haswell") if runs_here(PROCESSORS[name])]


@pytest.mark.parametrize("name", SMALLER)
@pytest.mark.parametrize("family", ["conv2d", "affine or matmul", "relu or sigmoid or exp or add"])
def test_kernels_for_a_smaller_processor_pass_the_contract(name, family, tmp_path_factory):
    cache = tmp_path_factory.getbasetemp() / f"cache-{name}"
    tests = f"(equals_the_oracle or nan_reaches) and ({family})"
    variables = environment(PROCESSORS[name]) | {"NUMBA_CACHE_DIR": str(cache)}
    where = str(TESTS / "kernels" / "test_every_kernel.py")
    output = python("-m", "pytest", "-q", "-n", "0", "-k", tests, where, **variables)
    assert " passed" in output
    assert "failed" not in output


@every_processor
def test_kernels_find_out_what_the_processor_has(name):
    wanted = PROCESSORS[name]
    found = listing(name)
    assert (found["vector_bytes"], found["rows"]) == (wanted.vector_bytes, wanted.rows)
    assert found["fused"] == wanted.fused


@every_processor
def test_no_kernel_calls_a_function_to_multiply_and_add(name):
    assert listing(name)["calls_of_fma"] == 0


@every_processor
def test_register_tiles_use_whole_registers(name):
    functions = multiplying(name)
    assert "tile.multiply_tile" in functions
    assert len(functions) > 2
    bits = 8 * PROCESSORS[name].vector_bytes
    assert {f: max(loop["vector_bits"] for loop in loops) for f, loops in functions.items()} == (
        dict.fromkeys(functions, bits)
    )


@every_processor
def test_the_loop_of_a_register_tile_multiplies_once_for_each_accumulator(name):
    rows = PROCESSORS[name].rows
    seen = sorted(loop["multiplications"] for loop in multiplying(name)["tile.multiply_tile"])
    assert seen == [rows, rows, 2 * rows]  # half, single and double


@every_processor
def test_no_register_tile_spills(name):
    spilling = {
        function: [loop["spills"] for loop in loops]
        for function, loops in multiplying(name).items()
        if any(loop["spills"] for loop in loops)
        and not (name == "sse2" and function.startswith(SPILL_ON_SSE2))
    }
    assert spilling == {}
