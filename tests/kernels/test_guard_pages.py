import sys

import pytest

from .launch import in_own_process

needs_mprotect = pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")


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


def test_every_number_of_threads_gives_the_same_bits_when_all_parallel_kernels_fork():
    done = in_own_process("threads", NUMBA_NUM_THREADS="3")
    assert done.returncode == 0, done.stderr[-2000:]
    names, result = done.stdout.strip().split(" forked ")
    assert result == "on up to 3 threads; 0 differ"
    assert {"_share", "run_tasks"} <= set(names.split())
