"""A reader of pickles that runs nothing: plain values, and a fixed table of names.

A pickle is a program for a machine with a stack and a memo. Most of its instructions push
plain values or put them into tuples, lists and dictionaries. Two are dangerous in Python's own
machine: GLOBAL imports any name, REDUCE calls it. Here GLOBAL looks names up in a table that
the caller gives, and REDUCE calls only what came out of that table.

Each value takes at least one byte of the pickle, and lengths are compared with what is left of
it before they are used, so a pickle cannot ask for more memory than a small multiple of its
own size.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from mmap import mmap
from typing import Any

__all__ = ["Built", "Known", "PickleReader", "RefusedError", "dictionary"]

_PROTOCOLS = range(2, 6)
_LONGEST_NAME = 200
_DAMAGED = "It may be damaged: fetch it again"


class RefusedError(Exception):
    """Why bytes are not read: the rule, what there was instead, and what to do."""

    def __init__(self, rule: str, got: str, remedy: str = _DAMAGED) -> None:
        super().__init__(f"{rule}; got {got}")
        self.rule, self.got, self.remedy = rule, got, remedy


@dataclass(frozen=True)
class Known:
    """What stands for a global name: `make` is called in its place, None if it is no function."""

    name: str
    make: Callable[..., Any] | None = None


class Built:
    """Base of what a function of the table may make and the pickle then gives a state to."""

    def build(self, state: Any) -> None:
        """Take the state.

        Raises
        ------
        TypeError, ValueError
            If it is not as it should be.
        """
        raise TypeError(f"{type(self).__name__} takes no state")


class PickleReader:
    """Read one or several pickles that lie one after the other.

    Parameters
    ----------
    data : bytes or mmap
    known : mapping of str to Known
        What stands for ``module.name``; other names are refused.
    persistent : callable, optional
        Given the tuple by which a pickle refers to something outside it, returns what stands
        for that.
    old_strings : callable, optional
        Makes a value of the bytes of one of Python 2's strings, which were text and raw data
        alike; by default they are UTF-8 text.
    remedy : str
        What to do about a pickle that asks for another name.

    Attributes
    ----------
    position : int
        Where the next pickle begins, in bytes.
    """

    def __init__(
        self,
        data: bytes | mmap,
        known: Mapping[str, Known],
        persistent: Callable[[Any], Any] | None = None,
        old_strings: Callable[[bytes], Any] | None = None,
        remedy: str = _DAMAGED,
    ) -> None:
        self.data, self.known, self.persistent = data, known, persistent
        self.remedy = remedy
        self.old_strings = _text if old_strings is None else old_strings
        self.position = 0

    def load(self) -> Any:
        """Return the next value.

        Raises
        ------
        RefusedError
            If the pickle is damaged, or asks for what is not in the table.
        """
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        start = self.position
        while True:
            at = self.position
            code = self._take(1)[0]
            if code == _STOP:
                if len(self._stack) != 1 or self._marks:
                    raise RefusedError(
                        "a pickle leaves one value", f"{len(self._stack)} at byte {at}"
                    )
                return self._stack.pop()
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None or (at == start) != (code == _PROTO):
                raise RefusedError(
                    "a pickle starts with its protocol, and plain instructions follow",
                    f"the instruction 0x{code:02x} at byte {at}",
                )
            instruction(self)

    # -- bytes, stack and marks --------------------------------------------------------

    def _take(self, count: int) -> bytes:
        piece = self.data[self.position : self.position + count]
        if len(piece) < count:
            raise RefusedError(
                "a pickle ends with the instruction to stop",
                f"an end after {len(self.data)} bytes where {count} more are due",
            )
        self.position += count
        return piece

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + _LONGEST_NAME)
        if end < 0:
            raise RefusedError(f"a global name is a line of at most {_LONGEST_NAME} bytes", "none")
        return _text(self._take(end + 1 - self.position)[:-1])

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        # What lies below the last mark belongs to the instruction that takes up that mark.
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise RefusedError(
                "an instruction finds the values it needs", f"none before byte {self.position}"
            )
        return self._stack.pop()

    def _since_mark(self) -> list[Any]:
        if not self._marks:
            raise RefusedError("an instruction finds its mark", f"none before byte {self.position}")
        mark = self._marks.pop()
        values = self._stack[mark:]
        del self._stack[mark:]
        return values

    # -- instructions ------------------------------------------------------------------

    def _protocol(self) -> None:
        protocol = self._take(1)[0]
        if protocol not in _PROTOCOLS:
            raise RefusedError("the protocol is 2 to 5", str(protocol))

    def _unicode(self, length_form: str) -> None:
        self._push(_text(self._take(self._number(length_form))))

    def _old_string(self, length_form: str) -> None:
        self._push(self.old_strings(self._take(self._number(length_form))))

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _tuple(self, length: int) -> None:
        self._push(tuple(self._pop() for _ in range(length))[::-1])

    def _append(self, values: list[Any]) -> None:
        target = self._pop()
        if type(target) is not list:
            raise RefusedError("values are appended to a list", _called(target))
        target.extend(values)
        self._push(target)

    def _set_items(self, items: list[Any]) -> None:
        target = self._pop()
        if type(target) is not dict or len(items) % 2:
            raise RefusedError(
                "pairs of keys and values are put into a dictionary",
                f"{len(items)} values for {_called(target)}",
            )
        target.update(zip(map(_key, items[::2]), items[1::2], strict=True))
        self._push(target)

    def _store(self, index: int) -> None:
        self._push(value := self._pop())
        self._memo[index] = value

    def _recall(self, index: int) -> None:
        if index not in self._memo:
            raise RefusedError("a value is noted before it is recalled", f"number {index}")
        self._push(self._memo[index])

    def _global(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise RefusedError("a global name is text", _called(name))
        full = f"{module}.{name}"
        if full not in self.known:
            raise RefusedError(
                "nothing is imported or run, and only names of a fixed table are known",
                f"{full[:_LONGEST_NAME]!r}",
                self.remedy,
            )
        self._push(self.known[full])

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._global(module, name)

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Known) or function.make is None:
            called = function.name if isinstance(function, Known) else _called(function)
            raise RefusedError("only a function of the table is called", called)
        try:
            made = function.make(*arguments)
        except (TypeError, ValueError) as reason:
            raise RefusedError(f"{function.name} gets what it needs", str(reason)) from None
        self._push(made)

    def _build(self) -> None:
        state, target = self._pop(), self._pop()
        if isinstance(target, Built):
            try:
                target.build(state)
            except (TypeError, ValueError) as reason:
                raise RefusedError(f"{_called(target)} gets what it needs", str(reason)) from None
        # What a dictionary gets, such as version numbers, is of no use here.
        elif type(target) is not dict:
            raise RefusedError("only a dictionary gets attributes", _called(target))
        self._push(target)

    def _persistent(self) -> None:
        reference = self._pop()
        if self.persistent is None:
            raise RefusedError("a pickle refers to nothing outside it", _called(reference))
        self._push(self.persistent(reference))


def dictionary(pairs: Any = ()) -> dict[Any, Any]:
    """Stand for ``collections.OrderedDict``; its keys are text or numbers.

    Raises
    ------
    TypeError, ValueError
        If `pairs` is not a list of pairs.
    """
    return {_key(name): value for name, value in pairs}


def _key(value: Any) -> Any:
    # A tuple as key would be hashed with all that it holds, over and over where it is shared.
    if not isinstance(value, str | bytes | int | float):
        raise RefusedError("the keys of a dictionary are text or numbers", _called(value))
    return value


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as reason:
        raise RefusedError("text is UTF-8", str(reason)) from None


def _called(value: Any) -> str:
    return value.name if isinstance(value, Known) else type(value).__name__


Instruction = Callable[[PickleReader], None]
_PROTO, _STOP = 0x80, ord(".")
_INSTRUCTIONS: dict[int, Instruction] = {
    _PROTO: PickleReader._protocol,
    0x95: lambda machine: machine._number("<Q") and None,  # a frame: how much to buffer
    ord("N"): lambda machine: machine._push(None),
    0x88: lambda machine: machine._push(True),
    0x89: lambda machine: machine._push(False),
    ord("J"): lambda machine: machine._push(machine._number("<i")),
    ord("K"): lambda machine: machine._push(machine._number("<B")),
    ord("M"): lambda machine: machine._push(machine._number("<H")),
    0x8A: lambda machine: machine._push(
        int.from_bytes(machine._take(machine._number("<B")), "little", signed=True)
    ),
    ord("G"): lambda machine: machine._push(machine._number(">d")),
    ord("X"): lambda machine: machine._unicode("<I"),
    0x8C: lambda machine: machine._unicode("<B"),
    0x8D: lambda machine: machine._unicode("<Q"),
    ord("T"): lambda machine: machine._old_string("<I"),
    ord("U"): lambda machine: machine._old_string("<B"),
    ord("("): PickleReader._mark,
    ord(")"): lambda machine: machine._push(()),
    ord("]"): lambda machine: machine._push([]),
    ord("}"): lambda machine: machine._push({}),
    ord("t"): lambda machine: machine._push(tuple(machine._since_mark())),
    0x85: lambda machine: machine._tuple(1),
    0x86: lambda machine: machine._tuple(2),
    0x87: lambda machine: machine._tuple(3),
    ord("a"): lambda machine: machine._append([machine._pop()]),
    ord("e"): lambda machine: machine._append(machine._since_mark()),
    ord("s"): lambda machine: machine._set_items([machine._pop(), machine._pop()][::-1]),
    ord("u"): lambda machine: machine._set_items(machine._since_mark()),
    ord("q"): lambda machine: machine._store(machine._number("<B")),
    ord("r"): lambda machine: machine._store(machine._number("<I")),
    0x94: lambda machine: machine._store(len(machine._memo)),
    ord("h"): lambda machine: machine._recall(machine._number("<B")),
    ord("j"): lambda machine: machine._recall(machine._number("<I")),
    ord("c"): lambda machine: machine._global(machine._line(), machine._line()),
    0x93: PickleReader._stack_global,
    ord("R"): PickleReader._reduce,
    ord("b"): PickleReader._build,
    ord("Q"): PickleReader._persistent,
}
