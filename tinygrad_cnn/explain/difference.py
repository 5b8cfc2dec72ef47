"""What differs between two recorded runs: elements, and figures of values and error signals.

Before an edit and after it, epoch 1 and epoch 10, this library and another: whoever writes a
document to the schema can be compared. Elements are paired by their labels in execution order, as
lines of text are in a diff. Of those left over between two pairs, the ones that are the same and
make the same shapes are paired next: layers may be called otherwise. Then those of one layer, or
outside layers of one shape: an element that took the place of another.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import Statistics, Step
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.story import number_text, options_text, shape_text
from tinygrad_cnn.variable import Variable

__all__ = ["Change", "Difference", "difference"]

ROUNDING = 1e-5  # of norms in single precision: two frameworks add up in another order


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

    @property
    def is_backward(self) -> bool:
        """Whether it is about an error signal or a gradient."""
        return "δ" in self.what or "∇" in self.what

    @property
    def apart(self) -> float:
        """How many times the smaller norm the larger one is; NaN and zero count as far apart."""
        return max(self.ratio, 1 / self.ratio) if 0 < self.ratio < math.inf else math.inf


@dataclass(frozen=True)
class Difference(Printed):
    """All changes, in execution order; as text, where the runs part and the table of changes.

    Attributes
    ----------
    changes : tuple of Change
    paired : int
        Elements that both runs have.
    runs : (str, str)
        What they are called, and who ran them.
    figures : tuple of Change
        All that differ, also by too little to count as moved; in execution order.
    least_ratio : float
        From which on they count.
    """

    changes: tuple[Change, ...]
    paired: int
    runs: tuple[str, str] = ("", "")
    figures: tuple[Change, ...] = ()
    least_ratio: float = 1.01

    def of(self, kind: str) -> list[Change]:
        """Return the changes of one kind."""
        return [change for change in self.changes if change.kind == kind]

    @property
    def first_fact(self) -> Change | None:
        """The first element that one run has alone, or that is another in the second."""
        return next((change for change in self.changes if change.kind != "moved"), None)

    @property
    def first_forward(self) -> Change | None:
        """Where figures part by more than rounding on the way forward."""
        return min(self._figures(False), key=lambda change: change.number, default=None)

    @property
    def first_backward(self) -> Change | None:
        """Where those of error signals and gradients do, on the way back."""
        return max(self._figures(True), key=lambda change: change.number, default=None)

    def _figures(self, backward: bool) -> list[Change]:
        return [
            change
            for change in self.figures
            if change.is_backward == backward and change.apart > 1 + ROUNDING
        ]

    def brief(self) -> str:
        """Return the text without the table."""
        from tinygrad_cnn.explain.difference_text import heading

        return "\n".join(heading(self))

    def __str__(self) -> str:
        from tinygrad_cnn.explain.difference_text import written

        return written(self)


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
    2 elements in both; 0 added, 0 removed, 0 facts changed, 5 figures moved by 1 % or more
    forward, figures part at 1 multiply: ‖w‖ 0.5 → 0.25  x0.5
    backward, figures part at 1 multiply: ‖δ(p)‖ 0.1807 → 0.5966  x3.301
    <BLANKLINE>
    ~  1  multiply  ‖w‖     0.5    → 0.25    x0.5
                    ‖p‖     1.5    → 0.75    x0.5
                    ‖δ(p)‖  0.1807 → 0.5966  x3.301
                    ‖∇w‖    0.5421 → 1.79    x3.301
    ~  2  tanh      ‖a‖     0.9051 → 0.6351  x0.7017
    """
    if not (isinstance(least_ratio, int | float) and least_ratio >= 1):
        raise OptionError(
            f"difference: a ratio that counts as moved is at least 1; got {least_ratio!r}"
        )
    one, two = graph_of("difference", before), graph_of("difference", after)
    changes: list[Change] = []
    figures: list[Change] = []
    paired = 0
    numbers = {id(step): k for steps in (one.steps, two.steps) for k, step in enumerate(steps, 1)}
    for old, new in _pairs(one.steps, two.steps):
        found: list[Change] = []
        if old is not None and new is not None:
            paired += 1
            number = numbers[id(new)]
            differ = [c._replace(number=number) for c in _figures((one, old), (two, new))]
            figures += differ
            found = [*_facts(old, new), *(c for c in differ if c.apart >= least_ratio)]
        elif new is not None:
            found = [Change("added", new.label, "", "", _described(new))]
        elif old is not None:
            found = [Change("removed", old.label, "", _described(old), "")]
        number = numbers[id(old if new is None else new)]
        changes += [change._replace(number=number) for change in found]
    runs = _called(one), _called(two)
    return Difference(tuple(changes), paired, runs, tuple(figures), least_ratio)


def _called(graph: GraphDump) -> str:
    return f"{graph.title or 'composite function'} ({graph.library})"


# -- pairs -----------------------------------------------------------------------------


Pair = tuple[Step | None, Step | None]


def _pairs(one: Sequence[Step], two: Sequence[Step]) -> list[Pair]:
    """Pair the steps of two runs by label; of the rest, by what they are, then by layer."""
    return list(_paired(one, two, (lambda step: step.label, _kind, _layer)))


def _paired(
    one: Sequence[Step], two: Sequence[Step], names: Sequence[Callable[[Step], object]]
) -> Iterable[Pair]:
    if not names or not one or not two:
        yield from ((step, None) for step in one)
        yield from ((None, step) for step in two)
        return
    for same, old, new in _aligned(one, two, names[0]):
        yield from zip(old, new, strict=True) if same else _paired(old, new, names[1:])


def _kind(step: Step) -> object:
    """Return what an element is: its name, and the shapes of what it makes."""
    return step.name, tuple(kept.shape for kept in step.outputs)


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
    ]
    kernels = _kernels(old), _kernels(new)
    if all(kernels):  # another framework does not tell
        facts.append(("kernels", *kernels))
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


def _figures(old: tuple[GraphDump, Step], new: tuple[GraphDump, Step]) -> Iterable[Change]:
    """Give the norms that differ: of what the element made, what came back to it, its leaves."""
    others = dict(_norms(*new))
    for what, norm in _norms(*old):
        other = others.get(what)
        if other is None or norm == other or (math.isnan(norm) and math.isnan(other)):
            continue
        ratio = other / norm if norm else math.inf
        texts = (number_text(norm), number_text(other))
        yield Change("moved", new[1].label, what, *texts, ratio)


def _norms(graph: GraphDump, step: Step) -> Iterable[tuple[str, float]]:
    # In its own layer a parameter is known by the end of its path: the layer may have another name.
    layer = f"{step.scope}."
    parameters = [
        ((kept.name or step.rule.input_symbol(k)).removeprefix(layer), kept)
        for k, kept in enumerate(step.inputs)
        if kept.is_parameter
    ]
    for called, kept in parameters:
        yield from _known(f"‖{called}‖", kept.statistics)
    for symbol, kept in zip(step.rule.outputs, step.outputs, strict=False):
        yield from _known(f"‖{symbol}‖", kept.statistics)
    for symbol, signal in zip(step.rule.outputs, step.outgoing or (), strict=False):
        if signal is not None:
            yield from _known(f"‖δ({symbol})‖", signal.statistics)
    for called, kept in parameters:
        gradient = graph.gradients.get(kept.key)
        if gradient is not None:
            yield from _known(f"‖∇{called}‖", gradient.statistics)


def _known(what: str, figures: Statistics) -> Iterable[tuple[str, float]]:
    """Give a norm, unless nothing was measured; a NaN among values is a measurement."""
    if not math.isnan(figures.zeros):
        yield what, figures.norm
