import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from tinygrad_cnn.cli import COMMANDS, main
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.version import __version__

Start = Callable[..., subprocess.Popen[str]]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tinygrad-cnn, version {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_of_the_table_exists(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    assert f"tinygrad-cnn {command}" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    heavy = ["numba", "matplotlib", "rich", "safetensors", "pooch", "tinygrad_cnn.train"]
    code = (
        "import sys; from tinygrad_cnn.cli import main; main(['train', '--help']); "
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


USAGE = [
    (["trian"], r"No such command 'trian'"),
    (["train"], r"Name what is to be trained, such as lenet5\. See 'tinygrad-cnn train --help'\."),
    (["train", "lenet5", "--epoch5"], r"No such option:? '?--epoch5"),
    (["train", "lenet5", "--epochs", "many"], r"'many' is not a valid integer"),
    (["train", "lenet5", "--lr", "fast"], r"'fast' is not a valid float"),
    (["train", "lenet5", "digits"], r"unexpected extra argument"),
    (["train", "--resume", "a", "--run-dir", "b"], r"leave out --run-dir"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE)
def test_wrong_usage_is_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("tinygrad-cnn: ")
    assert told.err.count("\n") == 1
    with pytest.raises(ValueError, match=message):
        raise ValueError(told.err)


ERRORS = [
    (OptionError("fit: one\nlines; got two"), 2, "tinygrad-cnn: fit: one lines; got two\n"),
    (OSError(28, "No space left on device", "a/b"), 2,
     "tinygrad-cnn: a/b: No space left on device\n"),
    (OSError("the network is down"), 2, "tinygrad-cnn: the network is down\n"),
    (MemoryError(), 2,
     "tinygrad-cnn: there is not enough memory for this; smaller batches need less\n"),
    (KeyboardInterrupt(), 130, "tinygrad-cnn: interrupted\n"),
    (KeyboardInterrupt("on the way"), 130, "tinygrad-cnn: interrupted on the way\n"),
    (click.Abort(), 130, "tinygrad-cnn: interrupted\n"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "code", "told"), ERRORS)
def test_errors_become_one_line_and_an_exit_code(
    error: BaseException,
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(sys.modules[__name__], "fail_command", fail, raising=False)
    monkeypatch.setitem(COMMANDS, "fail", (f"{__name__}:fail_command", "Fail."))
    assert main(["fail"]) == code
    assert capsys.readouterr().err.lstrip("\n") == told


def test_an_error_that_nobody_foresaw_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fail() -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(sys.modules[__name__], "fail_command", fail, raising=False)
    monkeypatch.setitem(COMMANDS, "fail", (f"{__name__}:fail_command", "Fail."))
    with pytest.raises(ZeroDivisionError):
        main(["fail"])


def test_python_minus_m_is_the_same_command(start: Start) -> None:
    process = start("train", "lenet")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith(
        "tinygrad-cnn: models: the known names are those that 'tinygrad-cnn models' lists; got "
        "'lenet'. Did you mean 'lenet5'"
    )


def test_a_reader_that_goes_away_is_no_error(start: Start) -> None:
    process = start("--help", PYTHONUNBUFFERED="1")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) in (0, 1)
    process.stderr.close()
