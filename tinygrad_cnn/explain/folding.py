"""Repeated blocks of a run, folded: 200 equal residual blocks are one block, ×200.

Two stretches of a run are equal if a stranger, who sees no numbers, could not tell them apart:
the same elements with the same options, rules and shapes, wired the same way. Wiring is written
so that it does not depend on where a block stands: an input is "what was last seen so many
elements back, in that place", or a new leaf. Names may count: ``layer1.0``, ``layer1.1``, ….
What the first block reads from outside may come from anywhere, also from a leaf; further blocks
read it from the one before.

Folding loses nothing: :func:`unfold` gives the same sequence again, names included.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.recording import Kept, Step

LONGEST = 512  # items of a block that is looked for
_DIGITS = re.compile(r"(\d+)")

Counter = tuple[int, ...]  # by how much each number in a text grows from block to block


class Form(NamedTuple):
    """An element without its names and numbers: what two equal blocks agree in."""

    name: str
    options: str
    rule: tuple[Any, ...]
    convention: str
    inputs: tuple[Any, ...]  # (elements back, place there), or (None, facts) of a new leaf
    outputs: tuple[Any, ...]  # facts


class Element(NamedTuple):
    """One element of a run: its place in execution order, its form and the texts that name it."""

    place: int
    form: Form
    texts: tuple[str, ...]  # scope; names of new leaves; names of outputs

    @property
    def scope(self) -> str:
        """Path of its layer."""
        return self.texts[0]


@dataclass(frozen=True)
class Repeat:
    """A block that comes several times in a row; `items` are those of the first time.

    Attributes
    ----------
    items : tuple of Element or Repeat
    times : int
    second : tuple of Element
        The second block, unfolded: it may read from elsewhere than the first one.
    counters : tuple of tuple
        For each element of it, how the numbers in its texts grow from there on.
    """

    items: tuple["Item", ...]
    times: int
    second: tuple[Element, ...]
    counters: tuple[tuple[Counter, ...], ...]


Item = Element | Repeat


def fold(graph: GraphDump, saving: int | None = 4) -> tuple[Item, ...]:
    """Fold the repeated blocks of a run.

    Parameters
    ----------
    graph : GraphDump
    saving : int, optional
        A block is folded if at least so many elements need not be shown then; None leaves all
        as they are.

    Returns
    -------
    tuple of Element or Repeat
        In execution order. Blocks may contain repeated blocks.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> y = tg.Scalar(1.0, requires_grad=True)
    >>> for _ in range(30):
    ...     y = (y * 2.0).tanh()
    >>> (block,) = fold(tg.explain.dump(y))
    >>> block.times, [element.form.name for element in block.items]
    (30, ['multiply', 'tanh'])
    """
    if saving is None:
        return tuple(elements(graph.steps))
    search = _Search(list(elements(graph.steps)))
    period = 1
    while period <= LONGEST:  # what was folded may make short blocks of its neighbours
        period = 1 if search.fold(period, saving) else period + 1
    return tuple(search.items)


def unfold(items: Iterable[Item]) -> Iterator[Element]:
    """Give the whole sequence again."""
    for item in items:
        if isinstance(item, Element):
            yield item
            continue
        yield from unfold(item.items)
        for time in range(item.times - 1):
            for element, counters in zip(item.second, item.counters, strict=True):
                place = element.place + time * len(item.second)
                yield Element(place, element.form, _grown(element.texts, counters, time))


def representatives(items: Iterable[Item]) -> list[int]:
    """Return, for each element of the run, the place of the one that stands for it."""
    places: list[int] = []
    for item in items:
        if isinstance(item, Element):
            places.append(item.place)
        else:
            places += representatives(item.items) * item.times
    return places


# -- the form of an element ------------------------------------------------------------


def elements(steps: Sequence[Step]) -> Iterator[Element]:
    """Describe each step by its form and its texts."""
    seen: dict[int, tuple[int, int]] = {}  # where a value was last seen: element, place there
    for place, step in enumerate(steps):
        inputs: list[Any] = []
        texts = [step.scope]
        for k, kept in enumerate(step.inputs):
            if kept.key in seen:
                before, slot = seen[kept.key]
                inputs.append((place - before, slot))
            else:
                inputs.append((None, _facts(kept)))
                texts.append(kept.name or "")
            seen[kept.key] = (place, k)
        for k, kept in enumerate(step.outputs, len(step.inputs)):
            texts.append(kept.name or "")
            seen[kept.key] = (place, k)
        rule = step.rule
        written = (
            rule.inputs,
            rule.outputs,
            rule.forward,
            tuple(rule.backward.items()),
            rule.latex,
            tuple(rule.latex_backward.items()),
        )
        outputs = tuple(map(_facts, step.outputs))
        form = (step.name, repr(step.options), written, step.convention, tuple(inputs), outputs)
        yield Element(place, Form(*form), tuple(texts))


def _facts(kept: Kept) -> tuple[Any, ...]:
    kind = (kept.shape, kept.dtype, kept.device, kept.requires_grad, kept.is_leaf)
    return (*kind, kept.name is None)


# -- finding what repeats ----------------------------------------------------------------


class _Search:
    """Items, with a number for each: the same for those of one kind."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self._kinds: dict[Any, int] = {}
        self._numbers = list(map(self._number, items))

    def _number(self, item: Item) -> int:
        return self._kinds.setdefault(_kind(item), len(self._kinds))

    def fold(self, period: int, saving: int) -> bool:
        """Fold all blocks of so many items; tell whether there were any."""
        items = self.items
        if period > len(items) // 2:
            return False
        numbers = np.array(self._numbers)
        differing = np.flatnonzero(np.append(numbers[period:] != numbers[:-period], True))
        folded: list[Item] = []
        known: list[int] = []
        done = start = 0
        while start + period < len(items):
            # Items equal the ones a period later up to here.
            end = int(differing[np.searchsorted(differing, start)])
            if end - start < period:
                start = end + 1
                continue
            repeat = _repeat(items[start : end + period], period, saving)
            if repeat is None:
                start += 1
                continue
            # One block more may fit, if it need not read from outside what the others do.
            for earlier in range(start - 1, max(done, start - period) - 1, -1):
                wider = _repeat(items[earlier : end + period], period, saving)
                if wider is not None and wider.times > repeat.times:
                    repeat, start = wider, earlier
                    break
            folded += [*items[done:start], repeat]
            known += [*self._numbers[done:start], self._number(repeat)]
            done = start = start + repeat.times * period
        if done:
            self.items = [*folded, *items[done:]]
            self._numbers = known + self._numbers[done:]
        return bool(done)


def _kind(item: Item) -> Any:
    if isinstance(item, Element):
        return item.form, tuple(_DIGITS.sub("#", text) for text in item.texts)
    further = tuple(element.form for element in item.second)
    return item.times, tuple(map(_kind, item.items)), further


def _repeat(items: Sequence[Item], period: int, saving: int) -> Repeat | None:
    """Fold blocks of so many items as far as they agree; None if that is not worth it."""
    blocks = [items[k : k + period] for k in range(0, len(items) - period + 1, period)]
    first, second = (list(unfold(block)) for block in blocks[:2])
    if len(first) != len(second) or len(first) * (len(blocks) - 1) < saving:
        return None
    counters = []
    for k, (one, other) in enumerate(zip(first, second, strict=True)):
        before, after = _comparable(one, other, k)
        if before is None:
            return None
        found = list(map(_counter, before, after))
        counter = tuple(each for each in found if each is not None)
        if len(counter) < len(found):
            return None
        counters.append(counter)
    if not _apart([text for one in second for text in one.texts], sum(counters, ())):
        return None
    times = 2
    for block in blocks[2:]:
        expected = [
            (one.form, _grown(one.texts, counter, times - 1))
            for one, counter in zip(second, counters, strict=True)
        ]
        if [(element.form, element.texts) for element in unfold(block)] != expected:
            break
        times += 1
    if len(first) * (times - 1) < saving:
        return None
    return Repeat(tuple(blocks[0]), times, tuple(second), tuple(counters))


def _comparable(one: Element, other: Element, k: int) -> tuple[Sequence[str] | None, Sequence[str]]:
    """Return the texts of element k of the first and second block; None if they differ in form.

    What the second reads from before its block, the first may read from anywhere before its own.
    """
    if one.form == other.form:
        return one.texts, other.texts
    if one.form._replace(inputs=()) != other.form._replace(inputs=()):
        return None, ()
    texts, names = [one.scope], iter(one.texts[1:])
    for mine, its in zip(one.form.inputs, other.form.inputs, strict=False):
        fresh = mine[0] is None
        name = next(names) if fresh else ""
        if fresh and its[0] is None and mine == its:
            texts.append(name)
        elif mine != its and not (its[0] is not None and its[0] > k and (fresh or mine[0] > k)):
            return None, ()
    if len(one.form.inputs) != len(other.form.inputs):
        return None, ()
    return [*texts, *names], other.texts


def _counter(one: str, other: str) -> Counter | None:
    """Return by how much the numbers in a text grow to make another; None if they do not."""
    numbers, others = map(int, _DIGITS.findall(one)), map(int, _DIGITS.findall(other))
    counter = tuple(after - before for before, after in zip(numbers, others, strict=False))
    fits = all(step >= 0 for step in counter) and _counted(one, counter, 1) == other
    return counter if fits else None


def _grown(texts: Sequence[str], counters: Sequence[Counter], times: int) -> tuple[str, ...]:
    return tuple(map(_counted, texts, counters, [times] * len(texts)))


def _counted(text: str, counter: Counter, times: int) -> str:
    """Return a text whose numbers have grown so many times."""
    if not any(counter):
        return text
    parts = _DIGITS.split(text)
    for k, step in enumerate(counter):
        parts[2 * k + 1] = str(int(parts[2 * k + 1]) + step * times)
    return "".join(parts)


def _apart(texts: Sequence[str], counters: Sequence[Counter]) -> bool:
    """Tell whether each number that counts stays within one block until the next begins.

    Else ``0.relu, 1.conv | 1.relu, 2.conv`` would be blocks too: cut through the layers.
    """
    spans: dict[tuple[str, int], list[int]] = {}
    steps: dict[str, set[int]] = {}
    for text, counter in zip(texts, counters, strict=True):
        parts = _DIGITS.split(text)
        for k, step in enumerate(counter):
            if step:
                before = "".join(parts[: 2 * k + 1])
                spans.setdefault((before, step), []).append(int(parts[2 * k + 1]))
                steps.setdefault(before, set()).add(step)
    within = all(max(found) - min(found) < step for (_, step), found in spans.items())
    return within and all(len(found) == 1 for found in steps.values())
