"""``tinygrad-cnn explain step``: scripts, a terminal, and what is refused."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinygrad_cnn.cli import main

MODEL = ["explain", "step", "resnet20", "--twin", "--batch-size", "1"]


class Terminal(io.StringIO):
    """Standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[int, str, str]]:
    """Run the command on a script."""

    def run(text: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        code = main(MODEL)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Type lines at a terminal; an exception in their place is raised there."""

    def run(*lines: str | type[BaseException]) -> tuple[int, str]:
        coming: Iterator[str | type[BaseException]] = iter(lines)

        def answer(prompt: str) -> str:
            assert prompt == "step> "
            line = next(coming)
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr("sys.stdin", Terminal())
        monkeypatch.setattr("builtins.input", answer)
        code = main(MODEL)
        return code, capsys.readouterr().out

    return run


def test_a_script_walks_edits_and_goes_back(
    script: Callable[[str], tuple[int, str, str]],
) -> None:
    code, out, _ = script(
        "# from the loss to a block\n"
        "n 2; goto layer3.0.add\n"
        "δ 0,1,2\nscale 0.5\nset 0,1,2,3 nan\nzero 0,0,0,0\n"
        "edits\nrun\nundo 2\nundo\nundo\ndiff\nreplay\nbreak layer1.0.add\n"
        "back 30\nr\nelements\nhelp\ngoto 7\nshow\nq\nnext\n"
    )
    assert code == 0
    assert out.startswith("resnet20 (its tiny twin), 19,218 parameters drawn with seed 0")
    for words in (
        "before #32 cross_entropy   (0 of 32 elements done)",
        "before #30 reshape   (2 of 32 elements done)",
        "before #27 layer3.0.add.add: δ(layer3.0.add.add) times 0.5",
        "before #27 layer3.0.add.add: δ(layer3.0.add.add)[0,1,2,3] set to nan",
        "3  before #27 layer3.0.add.add: δ(layer3.0.add.add)[0,0,0,0] set to 0",
        "error signals that differ: 27 of 32",
        "gradients that differ: 21 of 23",
        "1  before #27 layer3.0.add.add: δ(layer3.0.add.add) times 0.5\n2  before",
        "nothing was edited\nnothing was edited: gradients are those of backward()",
        "32 elements once more: the same bits",
        "run pauses before layer1.0.add\n",
        "before #30 reshape",
        "    δ(relu1.relu) has 1 of 2: ‖c‖ ",
        " from #9 layer1.0.add.add; still to come from #4 layer1.0.conv1.conv2d",
        "> #9 layer1.0.add.add\n",
        "take the last edit back, or number K",
    ):
        assert words in out
    assert out.endswith("ended before #7 layer1.0.conv2.conv2d: no gradient was written\n")


def test_at_the_end_of_the_input_it_says_where_it_is(
    script: Callable[[str], tuple[int, str, str]],
) -> None:
    assert script("")[1].endswith("ended before #32 cross_entropy: no gradient was written\n")
    told = "ended at the end: gradients are in .grad"
    assert script("run")[1].endswith(f"{told}\n")
    assert script("zero;run\n\n")[1].endswith(f"{told} with 1 edit\n")


def test_a_walk_is_written_as_a_page(
    script: Callable[[str], tuple[int, str, str]], tmp_path: Path
) -> None:
    file = tmp_path / "walk.html"
    assert f"written to {file}\n" in script(f"goto layer3.0; scale 2; next; page {file}")[1]
    text = file.read_text(encoding="utf-8")
    assert "<p>Edited before #28 layer3.0.relu2.relu: δ(layer3.0.relu2.relu) times 2</p>" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("goto C9", "to: the elements are cross_entropy, linear.affine, "),
        ("goto 99", "the elements of this walk are #1 to #32; got 99"),
        ("goto", "it takes the number or name of an element; got nothing"),
        ("jump 3", "the known names are next, back, goto, "),
        ("nxt", "Did you mean 'next'?"),
        ("back", "got the beginning, before #32 cross_entropy"),
        ("next x", "it takes a whole number; got 'x'"),
        ("next 1 2", "it is written 'next [N]'; got '1 2'"),
        ("run; next", "got the end, all 32 are done"),
        ("next; set 9,0 1", "axis 0 of δ(linear.affine) has indices 0 to 0, its shape is (1, 10)"),
        ("set 0", "it is written 'set INDEX X'"),
        ("set all many", "a number is written as 0.5, 1e-3, nan or inf; got 'many'"),
        ("set a,b 1", "an index is whole numbers with commas, such as 0,1,2,2; got 'a,b'"),
        ("scale", "it is written 'scale [INDEX] F'; got no factor"),
        ("next; δ 0,10", "an index picks a part of δ, whose shape is (1, 10); got '0,10'"),
        ("page walk.txt", "it is written 'page FILE', and the file ends in .html; got 'walk.txt'"),
        ("page", "the file ends in .html; got 'nothing'"),
        ("undo", "undo: there is an edit to take back; got none"),
        ("undo one", "undo: it takes a whole number; got 'one'"),
    ],
)
def test_a_script_ends_at_what_cannot_be_done(
    line: str, message: str, script: Callable[[str], tuple[int, str, str]]
) -> None:
    code, out, told = script(f"{line}\nnext\n")
    assert code == 2
    assert message in told
    assert told.count("\n") == 1
    assert "ended" not in out


def test_at_a_terminal_a_mistake_is_told_and_the_next_line_is_read(
    typed: Callable[..., tuple[int, str]],
) -> None:
    code, out = typed("goto C9", "", "n", EOFError)
    assert code == 0
    assert '"help" lists the commands' in out
    assert "to: the elements are cross_entropy" in out
    assert out.endswith("ended before #31 linear.affine: no gradient was written\n")


def test_an_interruption_ends_it_in_one_sentence(typed: Callable[..., tuple[int, str]]) -> None:
    code, out = typed("run", KeyboardInterrupt)
    assert code == 0
    assert out.endswith("\nended at the end: gradients are in .grad\n")
