import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import tinygrad_cnn
from tinygrad_cnn import kernels

from .launch import compiled_functions, in_own_process

pytestmark = pytest.mark.compile

# Zeros times anything plus a bias of zeros; prints the result and what was compiled.
SCRIPT = """
import numpy as np
from tinygrad_cnn import kernels
from tinygrad_cnn.kernels.jit import cache_folder, timed_compilation
with timed_compilation() as timer:
    x, weight, bias, out = (np.zeros(s, np.float32) for s in ((8, 3), (4, 3), (4,), (8, 4)))
    kernels.lookup("affine_forward")(x, weight, bias, out)
    kernels.lookup("softmax")(x, x.copy())
print(out.min(), out.max(), timer.functions, cache_folder() is None)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a folder with a copy of the package, its kernels and a cache shared by all."""
    folder = tmp_path_factory.mktemp("tree")
    package = Path(tinygrad_cnn.__file__).parent
    ignore = shutil.ignore_patterns("kernels", "__pycache__")
    shutil.copytree(package, folder / "tinygrad_cnn", ignore=ignore)
    source = Path(kernels.__file__).resolve().parent
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, folder / "tinygrad_cnn" / "kernels", ignore=ignore)
    return folder


def run(tree: Path, **environment: str) -> list[str]:
    """Run the script in a process that sees the copied tree before anything else."""
    places = {"NUMBA_CACHE_DIR": str(tree / "cache"), "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **places, **environment},
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_second_process_compiles_nothing_and_an_edited_intrinsic_is_noticed(tree):
    *result, compiled, cacheless = run(tree)
    assert (result, cacheless) == (["0.0", "0.0"], "False")
    assert int(compiled) > 0
    assert run(tree) == ["0.0", "0.0", "0", "False"]

    tile = tree / "tinygrad_cnn" / "kernels" / "cpu" / "products" / "tile.py"
    source = tile.read_text()
    begin = "builder.store(registers.load(origin), totals[m, v])"
    ones = "builder.store(registers.vector([1.0] * width), totals[m, v])"
    assert begin in source
    tile.write_text(source.replace(begin, ones))
    *result, compiled, _ = run(tree)
    assert result == ["1.0", "1.0"]
    assert int(compiled) > 0


def test_kernels_work_where_no_folder_is_writable(tree):
    nowhere = dict.fromkeys(("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"), "/dev/null/none")
    assert run(tree, **nowhere)[-1] == "True"


def test_each_compiled_function_has_one_specialisation_for_each_dtype(tmp_path):
    def compiled_for(dtype: str) -> dict[str, set[str]]:
        # From a warm cache only the outer functions would come, with their callees inside.
        done = in_own_process("specialisations", dtype, NUMBA_CACHE_DIR=str(tmp_path / dtype))
        assert done.returncode == 0, done.stderr[-2000:]
        lines = (line.split("\t") for line in done.stdout.splitlines())
        return {name: set(signatures) for name, *signatures in lines}

    with ThreadPoolExecutor(2) as both:  # in two processes, since all kernels are compiled
        single, double = both.map(compiled_for, ("float32", "float64"))
    assert set(single) == {f"{m.__name__}.{name}" for m, name, _ in compiled_functions()}
    assert len(single) > 10
    kinds = {
        name: Counter(
            # vectors may be of one register, and of half a one
            ("float32" in each, *re.findall(r"Vector\(.*?\)", each))
            for each in signatures | double[name]
        )
        for name, signatures in single.items()
    }
    # with float32, without; functions of places in memory alone know no dtype
    assert {name for name, kind in kinds.items() if max(kind.values(), default=0) > 1} == set()
    assert {name for name, kind in kinds.items() if not kind} == set()
