"""What commands show while they compute: on a terminal alone, and on standard error alone."""

import io
import sys

import pytest

from tinygrad_cnn.cli import main
from tinygrad_cnn.cli.explain_commands.at_work import at_work, bar

COMMANDS = [
    "story lenet5 --twin --batch-size 1",
    "orders lenet5 --twin --batch-size 1",
    "maps lenet5 --twin --batch-size 1",
    "break loss_sign_turned --epochs 1",
    "hit-rate --nets 1 loss_sign_turned",
]


class Terminal(io.StringIO):
    """Standard error of somebody who watches."""

    def isatty(self) -> bool:
        return True


def answer(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["explain", *command.split()]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_only_who_watches_sees_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *command.split()]) == 0
    unwatched = capsys.readouterr()
    assert unwatched.err == ""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    watched = answer(command, capsys)
    assert watched == unwatched.out
    assert "\x1b[" in terminal.getvalue()


def test_what_was_shown_says_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with at_work("resnet1202") as say:
        say("25 runs of the network …")
    with bar("diagnosing", 3) as advance:
        advance(3, "kernel_not_turned")
    shown = terminal.getvalue()
    assert "25 runs of the network …" in shown
    assert "kernel_not_turned" in shown
    assert "100%" in shown
