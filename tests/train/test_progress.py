import io

import pytest

from tinygrad_cnn.train import Display, EpochRecord
from tinygrad_cnn.train.progress import epoch_heading, epoch_line

RECORD = EpochRecord(7, 0.004, 0.251, 1300, 1438, 0.2, 340, 359, 0.31)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def use(display: Display) -> None:
    with display.waiting("compiling kernels") as say:
        say("compiling [softmax] … (1 of 2)")
    display.line(epoch_heading())
    with display.steps("training", total=4, done=1) as advance:
        advance(2, "epoch 1 of 2")
        display.line("[bold]a line[/bold] :smile:")


def test_a_log_holds_plain_lines_only() -> None:
    stream = io.StringIO()
    use(Display(stream))
    lines = stream.getvalue().splitlines()
    assert lines == ["compiling kernels …", epoch_heading(), "[bold]a line[/bold] :smile:"]
    assert not any(ord(sign) < 32 for line in lines for sign in line)


def test_a_terminal_shows_a_bar_below_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    use(Display(stream))
    shown = stream.getvalue()
    assert "\x1b[" in shown
    assert "epoch 1 of 2" in shown
    assert "compiling [softmax] … (1 of 2)" in shown
    assert "[bold]a line[/bold] :smile:" in shown


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    use(Display(stream))
    assert "\x1b" not in stream.getvalue()


def test_quiet_says_only_what_is_always_said() -> None:
    stream = io.StringIO()
    display = Display(stream, quiet=True)
    use(display)
    display.line("the end", always=True)
    assert stream.getvalue() == "the end\n"


def test_headings_and_lines_stand_below_each_other() -> None:
    assert len(epoch_heading()) == len(epoch_line(RECORD))
