"""Arrays of more than 2^31 elements are indexed right."""

import os
import subprocess
import sys

import pytest

from .far_places import OPERATIONS
from .launch import TESTS

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(sys.platform != "linux", reason="folds memory by Linux's means"),
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_far_end_of_an_array_is_reached(operation):
    search = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "kernels.far_places", operation],
        env={**os.environ, "PYTHONPATH": search, "NUMBA_NUM_THREADS": "1"},
        cwd=TESTS,  # the module search of -m begins there
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"{last}: exit {done.returncode}; {done.stderr[-2000:]}"
    if last[0].startswith("peak"):
        assert float(last[0].split()[1]) < 1.5, "what is read only takes memory"
