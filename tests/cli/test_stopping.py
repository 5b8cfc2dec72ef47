"""Runs in processes of their own that are stopped, and go on where they were stopped."""

import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn.cli import main
from tinygrad_cnn.train import load_checkpoint

Start = Callable[..., subprocess.Popen[str]]

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 24  # a second or two: long enough to be stopped in


@pytest.fixture(scope="module")
def arguments(data_dir: Path) -> list[str]:
    # 14 steps and an evaluation in each epoch; the last batch is a smaller one.
    options = f"train lenet5 --data mnist --data-dir {data_dir} --epochs {EPOCHS} --batch-size 3"
    return [*options.split(), "--activation", "tanh", "--lr", "0.0005", "--quiet"]


@pytest.fixture(scope="module")
def uninterrupted(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "uninterrupted"
    assert main([*arguments, "--run-dir", str(run)]) == 0
    return run


def wait_for_epochs(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    log = run / "log.jsonl"
    end = time.monotonic() + 120.0
    while not (log.exists() and log.read_bytes().count(b"\n") >= count):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def assert_same_end(run: Path, other: Path) -> None:
    one, two = (load_checkpoint(path / "checkpoint.safetensors") for path in (run, other))
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, two.arrays[name], strict=True)
    assert one.generator_state == two.generator_state
    histories = [
        [(r.epoch, r.lr, *r.train, *r.test) for r in checkpoint.state.history]
        for checkpoint in (one, two)
    ]
    assert histories[0] == histories[1]
    logs = [(path / "log.jsonl").read_text() for path in (run, other)]
    without_times = [re.sub(r'"seconds": [\d.]+', "", log) for log in logs]
    assert without_times[0] == without_times[1]


def stop_and_resume(
    number: signal.Signals, start: Start, arguments: list[str], run: Path, uninterrupted: Path
) -> None:
    process = start(*arguments, "--run-dir", str(run))
    wait_for_epochs(run, random.randint(0, 6), process)
    if not run.exists() or not (run / "checkpoint.safetensors").exists():
        wait_for_epochs(run, 1, process)
    time.sleep(random.uniform(0.0, 0.1))
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number, (out, err)
    assert f"interrupted by {number.name}" in err
    assert f"tinygrad-cnn resume {run}" in err
    assert "Traceback" not in err
    state = load_checkpoint(run / "checkpoint.safetensors").state
    assert state.epoch < EPOCHS
    assert main(["train", "--resume", str(run), "--quiet"]) == 0
    assert_same_end(run, uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_goes_on_bit_for_bit(
    number: signal.Signals,
    start: Start,
    arguments: list[str],
    tmp_path: Path,
    uninterrupted: Path,
) -> None:
    stop_and_resume(number, start, arguments, tmp_path / "run", uninterrupted)


@pytest.mark.full
@pytest.mark.parametrize("attempt", range(7))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_goes_on_bit_for_bit_each_time(
    number: signal.Signals,
    attempt: int,
    start: Start,
    arguments: list[str],
    tmp_path: Path,
    uninterrupted: Path,
) -> None:
    stop_and_resume(number, start, arguments, tmp_path / "run", uninterrupted)


# Writes a checkpoint after each step, so that a kill often comes while one is written.
EAGER = """
import sys
import tinygrad_cnn.train.keeper as keeper
from tinygrad_cnn.cli import main
keeper._SECONDS_BETWEEN_CHECKPOINTS = 0.0
sys.exit(main(sys.argv[1:]))
"""


def kill_after(seconds: float, wait_for: Path | None, *arguments: str) -> None:
    """Start a run that writes many checkpoints, and kill it; it may be done by then."""
    process = subprocess.Popen(
        [sys.executable, "-c", EAGER, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    end = time.monotonic() + 120.0
    while wait_for is not None and not wait_for.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.001)
    time.sleep(seconds)
    process.kill()
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), err


@pytest.mark.parametrize("attempt", range(3))
def test_a_killed_run_goes_on_bit_for_bit(
    attempt: int, arguments: list[str], tmp_path: Path, uninterrupted: Path
) -> None:
    run = tmp_path / "run"
    checkpoint = run / "checkpoint.safetensors"
    seconds = random.uniform(0.0, 1.5)
    kill_after(seconds, checkpoint, *arguments, "--run-dir", str(run))
    assert main(["resume", str(run), "--quiet"]) == 0
    assert_same_end(run, uninterrupted)


@pytest.mark.full
@pytest.mark.parametrize("attempt", range(30))
def test_a_run_killed_twice_at_any_moment_goes_on_bit_for_bit(
    attempt: int, arguments: list[str], tmp_path: Path, uninterrupted: Path
) -> None:
    run = tmp_path / "run"
    checkpoint = run / "checkpoint.safetensors"
    kill_after(random.uniform(0.0, 4.0), None, *arguments, "--run-dir", str(run))
    if not checkpoint.exists():  # killed before there was anything to continue
        assert main(["resume", str(run)]) == 2
        return
    kill_after(random.uniform(0.0, 4.0), None, "resume", str(run), "--quiet")
    assert main(["resume", str(run), "--quiet"]) == 0
    assert_same_end(run, uninterrupted)
    assert not list(run.glob(".*"))


@pytest.mark.parametrize("damage", ["truncated", "bit flipped", "gone"])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one_bit_for_bit(
    damage: str,
    arguments: list[str],
    tmp_path: Path,
    uninterrupted: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "a run"
    last, before = (run / f"{name}checkpoint.safetensors" for name in ("", "previous-"))
    kill_after(random.uniform(0.0, 0.5), before, *arguments, "--run-dir", str(run))
    content = bytearray(last.read_bytes())
    content[-100] ^= 1
    if damage == "gone":
        last.unlink()
    else:
        last.write_bytes(content[:-50] if damage == "truncated" else content)
    capsys.readouterr()
    for command in (["resume"], ["train", "--resume"]):
        assert main([*command, str(run)]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert (str(run) if damage == "gone" else str(last)) in told
    continued = shlex.split(told.partition("go on from there with: ")[2])
    assert main([*continued[1:], "--quiet"]) == 0
    assert_same_end(run, uninterrupted)
    assert main(continued[1:]) == 2
    assert "whose last one is damaged; got a whole one" in capsys.readouterr().err


@pytest.mark.compile
@pytest.mark.full
def test_stopped_while_kernels_are_compiled(
    start: Start, arguments: list[str], tmp_path: Path, uninterrupted: Path
) -> None:
    run = tmp_path / "run"
    cache = str(tmp_path / "cache")
    process = start(*arguments, "--run-dir", str(run), NUMBA_CACHE_DIR=cache)
    while not (run / "checkpoint.safetensors").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert load_checkpoint(run / "checkpoint.safetensors").state.epoch == 0
    assert main(["train", "--resume", str(run), "--quiet"]) == 0
    assert_same_end(run, uninterrupted)


def test_a_run_under_way_is_not_resumed_a_second_time(
    start: Start, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("fcntl")
    run = tmp_path / "run"
    process = start(*arguments, "--epochs", "2000", "--run-dir", str(run))
    wait_for_epochs(run, 1, process)
    assert main(["train", "--resume", str(run)]) == 2
    told = capsys.readouterr().err
    assert "one process at a time works on a run" in told
    assert told.count("\n") == 1
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert main(["train", "--resume", str(run), "--epochs", "1"]) == 2
    assert "got --epochs 1 where the run has 2000" in capsys.readouterr().err  # the lock is free
