"""How times are taken, the peak, whose machine it is, and files of figures."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tinygrad_cnn import lab
from tinygrad_cnn.errors import DataError, OptionError
from tinygrad_cnn.lab import Effort, Row, take_turns
from tinygrad_cnn.lab.peak import measured_peak
from tinygrad_cnn.lab.timing import rest


def test_contestants_take_turns_and_the_first_call_of_a_turn_does_not_count() -> None:
    calls: list[str] = []
    runs = {name: lambda name=name: calls.append(name) for name in "ab"}
    timings = take_turns(runs, Effort(repeats=4))
    assert {timing.repeats for timing in timings.values()} == {4}
    assert calls == ["a"] * 5 + ["b"] * 5


def test_a_rest_lasts_until_the_threads_of_the_last_contestant_sleep() -> None:
    busy = threading.Thread(target=lambda: sum(range(3_000_000)))
    busy.start()
    rest()
    assert not busy.is_alive()


def test_long_calls_are_repeated_as_often_as_they_have_to() -> None:
    calls: list[float] = []

    def slow() -> None:
        time.sleep(0.02)
        calls.append(1.0)

    timing = take_turns({"slow": slow}, Effort(seconds=0.0, fewest=3))["slow"]
    assert 3 <= timing.repeats < len(calls)
    assert 0.02 <= timing.low <= timing.seconds <= timing.high


def test_the_peak_is_above_what_any_loop_in_python_reaches() -> None:
    assert measured_peak(1, repeats=3) > 0.5


def test_threads_are_set_and_set_back() -> None:
    import numba

    former = numba.get_num_threads()
    most = numba.config.NUMBA_NUM_THREADS
    with lab.on_threads(most, with_pytorch=False) as threads:
        assert threads == most == numba.get_num_threads()
    assert numba.get_num_threads() == former
    told = f"bench: there are 1 to {most} threads here; got 999"
    with pytest.raises(OptionError, match=told), lab.on_threads(999, with_pytorch=False):
        pass


def test_loading_our_threads_leaves_the_environment_as_it_was() -> None:
    code = "import os; before = dict(os.environ); import tinygrad_cnn.kernels.jit; "
    code += "print(dict(os.environ) == before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def row(subject: str, who: str, seconds: float) -> Row:
    return Row("conv", subject, "conv2d_forward", who, seconds, seconds, seconds, 5, {"gflops": 1})


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    rows, target = [row("1 x 1→6", "ours", 0.25)], tmp_path / "figures.json"
    machine = lab.machine_facts(1)
    assert {"processor", "vector_bits", "threads", "numba", "peak_gflops"} <= machine.keys()
    lab.write_rows(target, machine, rows)
    assert lab.read_rows(target) == (machine, rows)


BAD = {
    "nothing.json": "",
    "other.json": '{"format": "another"}',
    "list.json": "[1, 2]",
    "row.json": '{"format": "tinygrad_cnn bench 1", "machine": {}, "rows": [{"who": "ours"}]}',
    "binary.json": "\x00\x01",
}


@pytest.mark.parametrize("name", BAD)
def test_another_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(BAD[name])
    with pytest.raises(DataError, match=f"bench: figures are read .*; got .*{name}: "):
        lab.read_rows(tmp_path / name)


def test_files_are_joined_by_what_they_measure() -> None:
    before = [row("a", "ours", 4.0), row("b", "ours", 1.0), row("a", "pytorch, NCHW", 1.0)]
    after = [row("a", "ours", 1.0), row("c", "ours", 1.0), row("a", "pytorch, NCHW", 9.0)]
    found = lab.compare(before, after)
    assert found.speed == 4.0  # of our own rows
    assert [r.subject for r in found.only_first + found.only_second] == ["b", "c"]
