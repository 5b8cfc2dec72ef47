"""Commands for the stepper, one in a line, from a terminal or a script."""

import cmd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click
import numpy as np

from tinygrad_cnn.atomic import write_atomically
from tinygrad_cnn.errors import OptionError, TinygradCnnError, unknown_name
from tinygrad_cnn.explain import Stepper

__all__ = ["StepConsole"]

# name -> what follows it, and what it does
COMMANDS: dict[str, tuple[str, str]] = {
    "next": ("[N]", "run the backward of one element, or of N"),
    "back": ("[N]", "take one element back, or N; edits are remembered"),
    "goto": ("NAME", "go on to an element, or back to it: 7, C3.conv2d, C3, conv2d"),
    "break": ("[NAME]", "let run pause before an element; alone, list the breakpoints"),
    "run": ("", "go on to the next breakpoint, or to the end"),
    "replay": ("", "walk from the beginning to here once more, and compare the bits"),
    "show": ("", "values, rule, what has arrived and what will be sent"),
    "δ": ("[INDEX]", "the numbers of the error signal that has arrived, or of a part: δ 0,1"),
    "set": ("INDEX X", "put X, nan and inf too, in one entry of δ, such as 0,1,2,2, or in all"),
    "scale": ("[INDEX] F", "multiply one entry of δ, or all, by F"),
    "zero": ("[INDEX]", "put 0 in one entry of δ, or in all"),
    "edits": ("", "list what was changed"),
    "undo": ("[K]", "take the last edit back, or number K"),
    "difference": ("", "what differs from the walk without edits"),
    "page": ("FILE", "write this walk as a page, NAME.html, with what it was unedited"),
    "elements": ("", "list all elements, in the order of the walk"),
    "help": ("", "this list"),
    "quit": ("", "end; gradients are there only after the last element"),
}
SHORT = {"n": "next", "b": "back", "g": "goto", "s": "show", "r": "run", "d": "δ", "delta": "δ",
         "q": "quit", "?": "help", "exit": "quit", "diff": "difference"}  # fmt: skip
ALL = "all"


class StepConsole(cmd.Cmd):
    """Reads commands, and tells a stepper.

    Parameters
    ----------
    stepper : Stepper
    source : text stream, optional
        Where commands come from; by default standard input. On a terminal lines are edited and
        completed, and a mistake is told before the next prompt; elsewhere it is the end.
    """

    prompt = "step> "

    def __init__(self, stepper: Stepper, source: TextIO | None = None) -> None:
        source = sys.stdin if source is None else source
        super().__init__(stdin=source)
        self.stepper = stepper
        self.interactive = source.isatty()
        self.use_rawinput = self.interactive
        self.ended = False

    def go(self) -> None:
        """Read commands until the end of them.

        Raises
        ------
        TinygradCnnError
            From a command of a script.
        """
        self._show([])
        try:
            if self.interactive:
                click.echo('"help" lists the commands')
                self.cmdloop()
            else:
                for line in self.stdin:
                    if self.onecmd(line):
                        break
        except KeyboardInterrupt:
            click.echo("")
        click.echo(self._farewell())

    def _farewell(self) -> str:
        stepper = self.stepper
        if stepper.at_end:
            count = len(stepper.edits)
            told = f" with {count} edit{'s' if count > 1 else ''}" if count else ""
            return f"ended at the end: gradients are in .grad{told}"
        return f"ended before {stepper.element}: no gradient was written"

    # -- one line --------------------------------------------------------------------

    def onecmd(self, line: str) -> bool:
        """Do the commands of a line, apart by ";"; answer whether that was the end."""
        for part in line.split(";"):
            words = part.split()
            if not words or words[0].startswith("#"):
                continue
            if words == ["EOF"]:
                click.echo("")
                return True
            try:
                self._do(words[0], words[1:])
            except TinygradCnnError as error:
                if not self.interactive:
                    raise
                click.echo(str(error))
                break
            if self.ended:
                return True
        return False

    def emptyline(self) -> bool:
        """Do nothing."""
        return False

    def completenames(self, text: str, *_: object) -> list[str]:
        """Complete the name of a command."""
        return [name for name in COMMANDS if name.startswith(text)]

    def completedefault(self, text: str, *_: object) -> list[str]:
        """Complete the name of an element."""
        labels = {element.split()[1] for element in self.stepper.elements}
        return sorted(label for label in labels if label.startswith(text))

    def _do(self, word: str, rest: list[str]) -> None:
        name = SHORT.get(word, word)
        if name not in COMMANDS:
            raise unknown_name("explain step", word, COMMANDS)
        most = len(COMMANDS[name][0].split())
        if len(rest) > most:
            usage = f"{name} {COMMANDS[name][0]}".strip()
            raise OptionError(f"explain step: it is written {usage!r}; got {' '.join(rest)!r}")
        deeds: dict[str, Callable[[list[str]], object]] = {
            "next": lambda words: self.stepper.next(_count(words)),
            "back": lambda words: self.stepper.back(_count(words)),
            "goto": lambda words: self.stepper.to(_word("goto", words)),
            "break": self._break,
            "run": lambda words: self.stepper.run(),
            "replay": self._replay,
            "show": self._show,
            "δ": self._signal,
            "set": self._set,
            "scale": self._scale,
            "zero": lambda words: self.stepper.zero(_index(words[0]) if words else None),
            "edits": self._edits,
            "undo": lambda words: self.stepper.undo(_whole("undo", words[0]) if words else None),
            "difference": lambda words: click.echo(str(self.stepper.compare())),
            "page": self._page,
            "elements": self._elements,
            "help": self._help,
            "quit": self._quit,
        }
        at = self.stepper.position
        deeds[name](rest)
        if self.stepper.position != at:
            self._show([])
        elif name in ("set", "scale", "zero"):
            click.echo(str(self.stepper.edits[-1]))
        elif name == "undo":
            self._edits([])

    # -- commands that say more ------------------------------------------------------

    def _show(self, words: list[str]) -> None:
        click.echo(f"\n{self.stepper.look()}")
        if self.stepper.at_end and self.stepper.edits:
            click.echo(str(self.stepper.compare()))

    def _signal(self, words: list[str]) -> None:
        signal = self.stepper.signal()
        place = (_index(words[0]) if words else None) or ()
        sizes = signal.shape[: len(place)]
        if len(place) > signal.ndim or any(
            not -size <= k < size for k, size in zip(place, sizes, strict=True)
        ):
            raise OptionError(
                f"explain step: an index picks a part of δ, whose shape is {signal.shape}; got "
                f"{words[0]!r}"
            )
        click.echo(np.array2string(signal[place], precision=4, threshold=100, edgeitems=2))

    def _break(self, words: list[str]) -> None:
        if words:
            self.stepper.break_at(words[0])
        points = ", ".join(map(str, self.stepper.breakpoints))
        click.echo(f"run pauses before {points}" if points else "there are no breakpoints")

    def _replay(self, words: list[str]) -> None:
        self.stepper.replay()
        count = self.stepper.position
        click.echo(f"{count} elements once more: the same bits")

    def _set(self, words: list[str]) -> None:
        if len(words) != 2:
            raise OptionError(
                "explain step: it is written 'set INDEX X', such as 'set 0,3 nan' or 'set all 1'; "
                f"got {' '.join(words) or 'nothing'!r}"
            )
        self.stepper.set(_index(words[0]), _number(words[1]))

    def _scale(self, words: list[str]) -> None:
        if not words:
            raise OptionError("explain step: it is written 'scale [INDEX] F'; got no factor")
        index = _index(words[0]) if len(words) == 2 else None
        self.stepper.scale(_number(words[-1]), index)

    def _edits(self, words: list[str]) -> None:
        for number, edit in enumerate(self.stepper.edits, 1):
            click.echo(f"{number}  {edit}")
        if not self.stepper.edits:
            click.echo("nothing was edited")

    def _page(self, words: list[str]) -> None:
        if not words or not words[0].endswith(".html"):
            raise OptionError(
                "explain step: it is written 'page FILE', and the file ends in .html; got "
                f"{words[0] if words else 'nothing'!r}"
            )
        write_atomically(Path(words[0]), self.stepper.page().encode(), operation="explain step")
        click.echo(f"written to {words[0]}")

    def _elements(self, words: list[str]) -> None:
        for position, element in enumerate(self.stepper.elements):
            click.echo(f"{'>' if position == self.stepper.position else ' '} {element}")

    def _help(self, words: list[str]) -> None:
        for name, (rest, told) in COMMANDS.items():
            click.echo(f"  {f'{name} {rest}':16s}  {told}")
        click.echo('  Several commands may stand in a line, with ";" between them.')

    def _quit(self, words: list[str]) -> None:
        self.ended = True


# -- words ---------------------------------------------------------------------------------


def _count(words: list[str]) -> int:
    return _whole("explain step", words[0]) if words else 1


def _whole(operation: str, word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise OptionError(f"{operation}: it takes a whole number; got {word!r}") from None


def _word(operation: str, words: list[str]) -> str:
    if not words:
        raise OptionError(f"{operation}: it takes the number or name of an element; got nothing")
    return words[0]


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise OptionError(
            f"explain step: a number is written as 0.5, 1e-3, nan or inf; got {word!r}"
        ) from None


def _index(word: str) -> tuple[int, ...] | None:
    if word == ALL:
        return None
    try:
        return tuple(int(number) for number in word.strip("[]()").split(",") if number)
    except ValueError:
        raise OptionError(
            f"explain step: an index is whole numbers with commas, such as 0,1,2,2; got {word!r}"
        ) from None
