"""What differs between two recorded runs: elements, and figures of values and error signals.

Before an edit and after it, epoch 1 and epoch 10, this library and another: whoever writes a
document to the schema can be compared. Elements are paired by their labels in execution order, as
lines of text are in a diff; of those left over between two pairs, the ones of one layer, or
outside layers of one shape, are paired next: an element that took the place of another.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.notebook import Printed
from tinygrad_cnn.explain.recording import Statistics, Step
from tinygrad_cnn.explain.story import number_text, options_text, shape_text
from tinygrad_cnn.variable import Variable

__all__ = ["Change", "Difference", "difference"]


class Change(NamedTuple):
    """One thing that differs.

    Attributes
    ----------
    kind : {"added", "removed", "changed", "moved"}
        Elements are added or removed, what they are is changed, figures move.
    element : str
        Its label; of the second run, unless it is removed.
    what : str
        Empty for whole elements; else "options", "shape of z", "rule", "kernels", "‖a‖",
        "‖δ(a)‖", "‖∇w‖", ….
    before, after : str
    ratio : float
        Norm after / norm before, of figures that moved; else NaN.
    number : int
        Of the element in its run.
    """

    kind: str
    element: str
    what: str
    before: str
    after: str
    ratio: float = math.nan
    number: int = 0


@dataclass(frozen=True)
class Difference(Printed):
    """All changes, in execution order; as text, the table of them.

    Attributes
    ----------
    changes : tuple of Change
    paired : int
        Elements that both runs have.
    """

    changes: tuple[Change, ...]
    paired: int

    def of(self, kind: str) -> list[Change]:
        """Return the changes of one kind."""
        return [change for change in self.changes if change.kind == kind]

    def __str__(self) -> str:
        counts = [
            f"{len(self.of(kind))} {words}"
            for kind, words in (
                ("added", "added"),
                ("removed", "removed"),
                ("changed", "facts changed"),
                ("moved", "figures moved"),
            )
        ]
        plural = "" if self.paired == 1 else "s"
        head = f"{self.paired} element{plural} in both; {', '.join(counts)}"
        marks = {"added": "+", "removed": "-", "changed": "!", "moved": "~"}
        rows = [
            (
                marks[change.kind],
                str(change.number),
                change.element,
                change.what,
                " → ".join(filter(None, (change.before, change.after)))
                + (f"  x{number_text(change.ratio)}" if change.ratio == change.ratio else ""),
            )
            for change in self.changes
        ]
        if not rows:
            return head
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        table = ("  ".join([*map(str.ljust, row[:4], widths), row[4]]).rstrip() for row in rows)
        return "\n".join([head, "", *table])


def difference(
    before: Variable | GraphDump, after: Variable | GraphDump, least_ratio: float = 1.01
) -> Difference:
    """Compare two runs.

    Parameters
    ----------
    before, after : Scalar, Tensor or GraphDump
    least_ratio : float
        Norms moved if one is so many times the other, or more. At least 1.

    Returns
    -------
    Difference
        Printed, a table with a row for each change.

    Raises
    ------
    DTypeError
        If one is no value of a graph.
    GraphError
        If no element computed the value.
    OptionError
        If the ratio is below 1.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> def run(weight):
    ...     w = tg.Scalar(weight, requires_grad=True, name="w")
    ...     with tg.explain.record():
    ...         y = (w * 3.0).tanh()
    ...         y.backward()
    ...     return tg.explain.dump(y)
    >>> print(difference(run(0.5), run(0.25)))
    2 elements in both; 0 added, 0 removed, 0 facts changed, 5 figures moved
    <BLANKLINE>
    ~  1  multiply  ‖p‖     1.5 → 0.75  x0.5
    ~  1  multiply  ‖δ(p)‖  0.1807 → 0.5966  x3.301
    ~  1  multiply  ‖w‖     0.5 → 0.25  x0.5
    ~  1  multiply  ‖∇w‖    0.5421 → 1.79  x3.301
    ~  2  tanh      ‖a‖     0.9051 → 0.6351  x0.7017
    """
    if not least_ratio >= 1:
        raise OptionError(
            f"difference: a ratio that counts as moved is at least 1; got {least_ratio}"
        )
    one, two = graph_of("difference", before), graph_of("difference", after)
    changes: list[Change] = []
    paired = 0
    numbers = {id(step): k for steps in (one.steps, two.steps) for k, step in enumerate(steps, 1)}
    for old, new in _pairs(one.steps, two.steps):
        found: list[Change] = []
        if old is not None and new is not None:
            paired += 1
            found = [*_facts(old, new), *_figures((one, old), (two, new), least_ratio)]
        elif new is not None:
            found = [Change("added", new.label, "", "", _described(new))]
        elif old is not None:
            found = [Change("removed", old.label, "", _described(old), "")]
        number = numbers[id(old if new is None else new)]
        changes += [change._replace(number=number) for change in found]
    return Difference(tuple(changes), paired)


# -- pairs -----------------------------------------------------------------------------


Pair = tuple[Step | None, Step | None]


def _pairs(one: Sequence[Step], two: Sequence[Step]) -> list[Pair]:
    """Pair the steps of two runs by label and, of the rest, by layer."""
    pairs: list[Pair] = []
    for same, old, new in _aligned(one, two, lambda step: step.label):
        if same:
            pairs += zip(old, new, strict=True)
            continue
        for alike, left, right in _aligned(old, new, _layer):
            if alike:
                pairs += zip(left, right, strict=True)
            else:
                pairs += [(step, None) for step in left]
                pairs += [(None, step) for step in right]
    return pairs


def _layer(step: Step) -> object:
    """Return what the element's place is known by: its layer, or else what it hands on."""
    return step.scope or tuple(kept.shape for kept in step.outputs[:1])


def _aligned(
    one: Sequence[Step], two: Sequence[Step], name: Callable[[Step], object]
) -> Iterable[tuple[bool, Sequence[Step], Sequence[Step]]]:
    """Give stretches that have the same names, or not, in order."""
    names, others = list(map(name, one)), list(map(name, two))
    # What both begin and end with needs no search; long chains of equal names would take long.
    shorter = min(len(names), len(others))
    start = next((k for k in range(shorter) if names[k] != others[k]), shorter)
    rest = shorter - start
    end = next((k for k in range(rest) if names[-1 - k] != others[-1 - k]), rest)
    yield True, one[:start], two[:start]
    inner, outer = names[start : len(names) - end], others[start : len(others) - end]
    for tag, i, j, k, m in SequenceMatcher(None, inner, outer, autojunk=False).get_opcodes():
        yield tag == "equal", one[start + i : start + j], two[start + k : start + m]
    yield True, one[len(one) - end :], two[len(two) - end :]


# -- what differs ------------------------------------------------------------------------


def _facts(old: Step, new: Step) -> Iterable[Change]:
    facts = [("element", old.name, new.name), ("options", options_text(old), options_text(new))]
    others = _shapes(new)
    facts += [
        (f"shape of {symbol}", shape, others[symbol])
        for symbol, shape in _shapes(old).items()
        if symbol in others
    ]
    facts += [
        ("inputs", str(len(old.inputs)), str(len(new.inputs))),
        ("rule", old.rule.forward_text(), new.rule.forward_text()),
        ("rule backward", _backward(old), _backward(new)),
        ("kernels", _kernels(old), _kernels(new)),
    ]
    for what, before, after in facts:
        if before != after:
            yield Change("changed", new.label, what, before or "none", after or "none")


def _shapes(step: Step) -> dict[str, str]:
    """Return the shapes of what an element reads and makes, by symbol."""
    read = {step.rule.input_symbol(k): shape_text(kept) for k, kept in enumerate(step.inputs)}
    made = zip(step.rule.outputs, step.outputs, strict=False)
    return read | {symbol: shape_text(kept) for symbol, kept in made}


def _backward(step: Step) -> str:
    return "; ".join(map(step.rule.backward_text, step.rule.backward))


def _kernels(step: Step) -> str:
    efforts = (step.forward_effort, step.backward_effort)
    used = (kernel for effort in efforts if effort is not None for kernel in effort.kernels)
    return " ".join(dict.fromkeys(":".join(kernel) for kernel in used))


def _described(step: Step) -> str:
    return " ".join(filter(None, (options_text(step), ", ".join(map(shape_text, step.outputs)))))


def _figures(
    old: tuple[GraphDump, Step], new: tuple[GraphDump, Step], least_ratio: float
) -> Iterable[Change]:
    """Give the norms that moved: of what the element made, what came back to it, its leaves."""
    others = dict(_norms(*new))
    for what, norm in _norms(*old):
        other = others.get(what)
        if other is None or norm == other or (math.isnan(norm) and math.isnan(other)):
            continue
        ratio = other / norm if norm else math.inf
        if math.isfinite(ratio) and 1 / least_ratio < ratio < least_ratio:
            continue
        texts = (number_text(norm), number_text(other))
        yield Change("moved", new[1].label, what, *texts, ratio)


def _norms(graph: GraphDump, step: Step) -> Iterable[tuple[str, float]]:
    for symbol, kept in zip(step.rule.outputs, step.outputs, strict=False):
        yield from _known(f"‖{symbol}‖", kept.statistics)
    for symbol, signal in zip(step.rule.outputs, step.outgoing or (), strict=False):
        if signal is not None:
            yield from _known(f"‖δ({symbol})‖", signal.statistics)
    for k, kept in enumerate(step.inputs):
        if kept.is_parameter:
            called = kept.name or step.rule.input_symbol(k)
            yield from _known(f"‖{called}‖", kept.statistics)
            gradient = graph.gradients.get(kept.key)
            if gradient is not None:
                yield from _known(f"‖∇{called}‖", gradient.statistics)


def _known(what: str, figures: Statistics) -> Iterable[tuple[str, float]]:
    """Give a norm, unless nothing was measured; a NaN among values is a measurement."""
    if not math.isnan(figures.zeros):
        yield what, figures.norm
