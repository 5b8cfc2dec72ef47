"""Compiling ahead, and a cache that processes share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import lab
from tinygrad_cnn.cli import main
from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.random import default_generator

ROOT = Path(tg.__file__).resolve().parents[1]

# A step of optimisation alone: two kernels, quick to compile. Prints what was compiled.
SMALL = """
import numpy as np
from tinygrad_cnn import kernels
from tinygrad_cnn.kernels.cache import cache_folder
from tinygrad_cnn.kernels.jit import on_compile
compiled = []
with on_compile(compiled.append):
    for dtype in (np.float32, np.float64):
        x = np.array([[1.0, 2.0]], dtype)
        out = np.empty_like(x)
        kernels.lookup("softmax", dtype=dtype)(x, out)
        if abs(out.sum() - 1) > 1e-6:
            raise SystemExit("wrong")
print(len(compiled), cache_folder())
"""


def start(script: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.split()


def test_what_a_network_needs_is_listed_and_nothing_is_left_changed() -> None:
    drawn = default_generator().bit_generator.state
    script = (
        "from tinygrad_cnn import lab; from tinygrad_cnn.kernels.jit import on_compile\n"
        "with on_compile(print): needed = lab.kernels_of(['lenet5'])\n"
        "print(*(kernel.name for kernel in needed))"
    )
    named = finish(start(script))
    assert {name.partition(".")[0] for name in named} >= {"softmax", "optimiser"}
    assert len(named) == len(set(named))
    lab.kernels_of(["lenet5"])
    assert default_generator().bit_generator.state == drawn


WARM_UP = """
import numpy as np
import tinygrad_cnn as tg
from tinygrad_cnn.train.warm_up import warm_up
class Scale(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = tg.nn.Parameter(np.ones(2, np.float32))

    def forward(self, x):
        return x * self.weight

model = Scale()
dataset = tg.data.ArrayDataset(np.ones((4, 2), np.float32), [0, 1, 0, 1])
said = []
warm_up(model, tg.optim.SGD(model.parameters(), lr=0.1), dataset, 2, say=said.append)
print(*said, sep="\\n")
"""


@pytest.mark.compile
def test_training_says_what_it_compiles_and_how_much_there_is(tmp_path: Path) -> None:
    def said() -> list[str]:
        process = start(WARM_UP, NUMBA_CACHE_DIR=str(tmp_path))
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return out.split("\n")[:-1]

    lines = said()
    counts = [line.partition("… ")[2] for line in lines]
    total = len(lines)  # a line for each kernel that is begun, and at most two at once
    assert counts[0] == f"(0 of {total} done)"
    assert counts[-1] in (f"({total - 1} of {total} done)", f"({total - 2} of {total} done)")
    assert any("softmax.cross_entropy_rows" in line for line in lines)
    assert said() == [""]


# Compiles kernels of one line each in two processes; says how many were begun and compiled here,
# and how many files there are. {helper} comes first.
ONE_LINERS = """
import sys
import numpy as np
from numba import types
from tinygrad_cnn.kernels import ahead
from tinygrad_cnn.kernels.cache import cache_folder
from tinygrad_cnn.kernels.jit import Specialisation, on_compile
import one_liners
{helper}
signature = (types.float64[::1],)
kernels = [Specialisation(getattr(one_liners, f"fill_{{k}}"), signature) for k in range(6)]
begun, here = [], []
with on_compile(here.append):
    ahead.compile_all(kernels, 2, lambda names, done, total: begun.append(names))
    stored = sum(kernel.is_stored() for kernel in kernels)
    for kernel in kernels:
        out = np.zeros(3)
        kernel.function(out)
        if out[0] != 1:
            sys.exit("wrong")
folder = cache_folder()
print(len(begun), len(here), stored, len(list(folder.iterdir())) if folder else 0)
"""
FILL = "@compiled()\ndef fill_{k}(out):\n    out[:] = 1 + 0 * {k}\n"


def compile_one_liners(folder: Path, helper: str = "", **environment: str) -> list[int]:
    functions = "".join(FILL.format(k=k) for k in range(6))
    source = f"from tinygrad_cnn.kernels.jit import compiled\n{functions}"
    (folder / "one_liners.py").write_text(source)
    script = f"import sys; sys.path.insert(0, {str(folder)!r})\n{ONE_LINERS.format(helper=helper)}"
    return list(map(int, finish(start(script, **environment))))


@pytest.mark.compile
def test_two_processes_share_the_kernels_and_each_is_written_once(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    begun, here, stored, files = compile_one_liners(tmp_path, NUMBA_CACHE_DIR=cache)
    assert (begun, stored, files) == (6, 6, 6)
    assert here <= 6  # one that starts fast may leave nothing to the helper
    assert compile_one_liners(tmp_path, NUMBA_CACHE_DIR=cache)[1:] == [0, 6, 6]


@pytest.mark.compile
@pytest.mark.parametrize(
    "helper",
    [
        'ahead._SERVE = "raise SystemExit(1)"',
        "ahead._SERVE = \"import sys; sys.stdin.readline(); print('0', end='', flush=True)\"",
        "sys.executable = '/dev/null/none'",
        "one_liners.fill_0.py_func.__module__ = 'nowhere'",
    ],
    ids=["ends", "refuses", "cannot start", "cannot find a kernel"],
)
def test_what_the_second_process_does_not_compile_is_compiled_here(
    tmp_path: Path, helper: str
) -> None:
    cache = str(tmp_path / "cache")
    _, _, stored, files = compile_one_liners(tmp_path, helper, NUMBA_CACHE_DIR=cache)
    assert (stored, files) == (6, 6)


@pytest.mark.compile
def test_without_a_cache_all_kernels_are_compiled_here(tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"), "/dev/null/none")
    assert compile_one_liners(tmp_path, **nowhere) == [6, 6, 0, 0]


@pytest.mark.compile
def test_an_interruption_ends_the_second_process(tmp_path: Path) -> None:
    helper = (
        "ahead._SERVE = 'import time; time.sleep(600)'\n"
        "def interrupt():\n    raise KeyboardInterrupt\n"
        "started, popen = [], ahead.subprocess.Popen\n"
        "def start(*arguments, **options):\n"
        "    started.append(popen(*arguments, **options))\n"
        "    return started[0]\n"
        "ahead.subprocess.Popen = start\n"
        "kernel = Specialisation(one_liners.fill_0, (types.float64[::1],))\n"
        "try:\n    ahead.compile_all([kernel] * 4, 2, check=interrupt)\n"
        "except KeyboardInterrupt:\n"
        "    print(int(started[0].poll() is not None))\n"
        "    raise SystemExit(0)\n"
    )
    assert compile_one_liners(tmp_path, helper, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == [1]


PARTS = """
import numpy as np
from tinygrad_cnn.kernels.jit import compiled, on_compile
@compiled()
def twice(x):
    if x > 100.0:
        raise ValueError("large")
    return 2.0 * x
@compiled()
def four_times(x):
    return twice(twice(x))
names = []
with on_compile(names.append):
    print(four_times(3.0), twice(3.0), four_times(3.0))
print(*names)
try:
    four_times(60.0)
except ValueError as error:
    print(error)
"""


@pytest.mark.compile
def test_a_function_may_be_a_part_of_another_and_called_from_python(tmp_path: Path) -> None:
    def run() -> str:
        (tmp_path / "parts.py").write_text(PARTS)
        script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import parts"
        return " ".join(finish(start(script, NUMBA_CACHE_DIR=str(tmp_path / "cache"))))

    assert run() == "12.0 6.0 12.0 parts.four_times parts.twice large"
    assert run() == "12.0 6.0 12.0 large"


def test_everything_reaches_every_operation() -> None:
    script = (
        "from tinygrad_cnn import lab; from tinygrad_cnn.kernels.registry import MODULES, traced\n"
        "with traced() as used: lab.kernels_of(everything=True)\n"
        "known = {name for names in MODULES.values() for name in names}\n"
        "print(*sorted(known - {kernel.operation for kernel in used}))"
    )
    assert finish(start(script)) == []


@pytest.mark.compile
def test_two_processes_compile_a_cold_cache_at_once_and_a_third_finds_everything(
    tmp_path: Path,
) -> None:
    first, second = (start(SMALL, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    for process in (first, second):
        assert finish(process)[1].startswith(str(tmp_path))
    assert finish(start(SMALL, NUMBA_CACHE_DIR=str(tmp_path)))[0] == "0"
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert len(left) == len({name for name in left if name.endswith(".nbc")})


@pytest.mark.compile
def test_a_damaged_file_is_compiled_again(tmp_path: Path) -> None:
    assert finish(start(SMALL, NUMBA_CACHE_DIR=str(tmp_path)))[0] == "3"
    for path in tmp_path.rglob("softmax.*.nbc"):
        path.write_bytes(path.read_bytes()[:100])
    assert finish(start(SMALL, NUMBA_CACHE_DIR=str(tmp_path)))[0] == "2"
    assert finish(start(SMALL, NUMBA_CACHE_DIR=str(tmp_path)))[0] == "0"


# Starts the rest of its arguments; of a superuser it takes the right to write everywhere.
HUMBLE = """
import ctypes, os, sys
DROP, RIGHT = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
if os.geteuid() == 0 and ctypes.CDLL(None).prctl(DROP, RIGHT, 0, 0, 0):
    raise SystemExit("cannot")
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""


@pytest.mark.compile
@pytest.mark.skipif(sys.platform != "linux", reason="takes permissions away")
def test_a_cache_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    assert finish(start(SMALL, NUMBA_CACHE_DIR=str(tmp_path)))[0] == "3"
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    nowhere = dict.fromkeys(("XDG_CACHE_HOME", "HOME"), "/dev/null/none")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", HUMBLE, SMALL],
        env=environment | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    for folder in folders:
        folder.chmod(0o755)
    if "cannot" in done.stderr:
        pytest.skip("a superuser that cannot give away a right")
    assert done.stdout.split() == ["0", "None"], done.stderr


MINE = """
import numpy as np
from tinygrad_cnn.kernels.jit import compiled, on_compile
@compiled()
def fill(out):
    out[:] = {value}
names, out = [], np.zeros(3)
with on_compile(names.append):
    fill(out)
print(int(out[0]), len(names))
"""


@pytest.mark.compile
def test_a_kernel_of_ones_own_is_found_again_until_its_file_changes(tmp_path: Path) -> None:
    def run(value: int) -> list[str]:
        (tmp_path / "mine.py").write_text(MINE.format(value=value))
        environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import mine"
        return finish(start(script, **environment))

    assert [run(1), run(1), run(2)] == [["1", "1"], ["1", "0"], ["2", "1"]]


@pytest.mark.compile
@pytest.mark.full
def test_warmup_compiles_in_two_processes_and_then_finds_everything(tmp_path: Path) -> None:
    command = "import sys; from tinygrad_cnn.cli import main; sys.exit(main(['warmup']))"
    for begin in ("compiled", "everything is compiled:"):
        out = " ".join(finish(start(command, NUMBA_CACHE_DIR=str(tmp_path))))
        assert f" … {begin} " in out
        assert f"they lie in {tmp_path}" in out


def test_warmup_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warmup", "lenet6"]) == 2
    assert "got 'lenet6'. Did you mean 'lenet5'" in capsys.readouterr().err
    with pytest.raises(OptionError, match="warmup: there is at least one process; got 0"):
        lab.warm_up(processes=0)
    with pytest.raises(UnknownNameError):
        lab.warm_up(["lenet6"])


def test_without_a_folder_there_is_nothing_to_warm_up(tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"), "/dev/null/none")
    process = start("from tinygrad_cnn import lab; lab.warm_up()", **nowhere)
    _, err = process.communicate(timeout=300)
    assert "got none that can be written. Name one with NUMBA_CACHE_DIR" in err
