import os
import subprocess
import sys
from pathlib import Path

import pytest

needs_mprotect = pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
TESTS = Path(__file__).resolve().parents[1]


def in_own_process(mode: str, **environment: str) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "kernels.in_own_process", mode],
        env={**os.environ, "PYTHONPATH": search, **environment},
        cwd=TESTS,  # the module search of -m begins there
        capture_output=True,
        text=True,
        check=False,
    )


@needs_mprotect
def test_no_kernel_touches_memory_outside_of_its_arrays():
    done = in_own_process("guard")
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"{last}: exit {done.returncode}; {done.stderr[-2000:]}"


@needs_mprotect
def test_the_guard_itself_ends_a_process_that_reads_behind_an_array():
    done = in_own_process("overrun")
    assert done.returncode < 0
    assert done.stdout.splitlines() == ["overrun, buffer ends at the guard"]


def test_one_thread_and_two_threads_give_the_same_bits():
    done = in_own_process("threads", NUMBA_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "2 threads; 0 differ"
