"""Paths of the chain rule: how many there are, and how much of δ came by each.

The chain rule says ``δ(x) = Σ over all paths from x to the loss, Π of the derivatives along the
path``. Nobody computes that sum path by path: two readers of each value in a row of n values
make 2ⁿ paths. A walk in topological order adds up where paths meet, once for each value, and so
does counting: the paths from a value are those from each of its readers, added up.

:func:`fan_ins` tells of the places where paths meet what came by each of them, from a recorded
run; :func:`count_paths` counts them, in whole numbers of any size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinygrad_cnn.explain.fan_in import FanIn
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.notebook import Printed
from tinygrad_cnn.explain.recording import Kept, Step
from tinygrad_cnn.variable import Variable

__all__ = ["FanInReport", "FanInRow", "PathCount", "PathCounts", "count_paths", "fan_ins"]


@dataclass(frozen=True)
class FanInRow:
    """One value that δ reached by several paths.

    Attributes
    ----------
    value : str
        Its name, or the element that made it.
    senders : tuple of str
        The elements that it came from.
    fan_in : FanIn
        Norms, shares, cosines and the cancellation factor.
    key : int
        The value, among those of the run.
    """

    value: str
    senders: tuple[str, ...]
    fan_in: FanIn
    key: int = -1


@dataclass(frozen=True)
class FanInReport(Printed):
    """What :func:`fan_ins` found, in the order of the walk back; ``print`` shows a table."""

    rows: tuple[FanInRow, ...]

    def __str__(self) -> str:
        if not self.rows:
            return "fan-ins: none; each error signal came by one path"
        several = "values that δ reached" if len(self.rows) != 1 else "value that δ reached"
        table = [("δ of", "‖δ‖", "cancellation", "by", "‖c‖", "norm share", "share of δ", "cosine")]
        for row in self.rows:
            found = row.fan_in
            named = (row.value, _number(found.norm), _number(found.cancellation))
            for k, sender in enumerate(row.senders):
                figures = (
                    _number(found.contributions[k].norm),
                    _percent(found.norm_shares[k]),
                    _percent(found.shares[k]),
                    _number(found.cosine(0, k)) if k else "",
                )
                table.append((*(("", "", "") if k else named), sender, *figures))
        return "\n".join(
            [
                f"fan-ins: {len(self.rows)} {several} by several paths",
                *aligned(table),
                "cancellation is ‖Σ c‖ / Σ ‖c‖: 1 where all point one way, 0 where nothing is left",
                "share of δ is ⟨c, δ⟩ / ‖δ‖²; cosine is that with the first of the same value",
            ]
        )


def fan_ins(result: Variable | GraphDump) -> FanInReport:
    """Tell how much of each error signal came by each of the paths that meet there.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss, computed and walked back from inside :func:`record`; figures suffice,
        arrays need not be kept.

    Returns
    -------
    FanInReport

    Raises
    ------
    DTypeError, GraphError
        If it is no value of a graph, or no element computed it.

    Notes
    -----
    For contributions c_k with ``δ = Σ c_k``: the norm share is ``‖c_k‖ / Σ ‖c_i‖``, the share of
    δ is ``⟨c_k, δ⟩ / ‖δ‖²``, the cancellation factor is ``‖δ‖ / Σ ‖c_i‖``.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(3.0, requires_grad=True, name="x")
    >>> with tg.explain.record():
    ...     y = x * x + x
    ...     y.backward()
    >>> for line in str(fan_ins(y)).splitlines()[:5]:
    ...     print(line)
    fan-ins: 1 value that δ reached by several paths
      δ of  ‖δ‖  cancellation  by            ‖c‖  norm share  share of δ  cosine
      x     7    1             add           1    14.3 %      14.3 %
                               multiply (x)  3    42.9 %      42.9 %      1
                               multiply (y)  3    42.9 %      42.9 %      1
    """
    graph = graph_of("fan_ins", result)
    labels = labels_of(graph)
    by_order = {step.order: step for step in graph.steps}
    order = {key: place for place, key in enumerate(labels)}
    rows = []
    for key in sorted(graph.fan_ins, key=lambda key: -order[key]):
        found = graph.fan_ins[key]
        elements = [sent.element for sent in found.contributions]
        senders = []
        for sent in found.contributions:
            step = by_order[sent.element]
            twice = elements.count(sent.element) > 1
            symbol = f" ({step.rule.input_symbol(sent.position)})" if twice else ""
            senders.append(step.label + symbol)
        rows.append(FanInRow(labels[key], tuple(senders), found, key))
    return FanInReport(tuple(rows))


@dataclass(frozen=True)
class PathCount:
    """The number of paths from a leaf to the result."""

    name: str
    shape: tuple[int, ...]
    paths: int


@dataclass(frozen=True)
class PathCounts(Printed):
    """What :func:`count_paths` counted, for each leaf; ``print`` shows a table."""

    leaves: tuple[PathCount, ...]

    def __getitem__(self, name: str) -> int:
        """Return the paths from a leaf of this name."""
        return next(leaf.paths for leaf in self.leaves if leaf.name == name)

    def __str__(self) -> str:
        table = [("leaf", "shape", "paths to the result")]
        for leaf in self.leaves:
            shape = "x".join(map(str, leaf.shape)) or "scalar"
            table.append((leaf.name, shape, written_count(leaf.paths)))
        return "\n".join(["paths of the chain rule, element by element", *aligned(table)])


def count_paths(result: Variable | GraphDump) -> PathCounts:
    """Count the paths of the chain rule from each leaf that wants a gradient to a value.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss; it need not have been recorded or walked back from.

    Returns
    -------
    PathCounts
        Exact, whatever their size.

    Raises
    ------
    DTypeError, GraphError
        If it is no value of a graph, or no element computed it.

    Notes
    -----
    A path goes from element to element; the many products inside an element count as one step.
    n residual blocks in a row make 2ⁿ paths [1]_.

    References
    ----------
    .. [1] A. Veit, M. Wilber, S. Belongie, "Residual networks behave like ensembles of
       relatively shallow networks", NIPS 2016, section 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(1.0, requires_grad=True, name="x")
    >>> y = x
    >>> for _ in range(30):
    ...     y = y + y
    >>> print(count_paths(y))
    paths of the chain rule, element by element
      leaf  shape   paths to the result
      x     scalar  1,073,741,824
    """
    graph = graph_of("count_paths", result)
    paths = {graph.result.key: 1}
    leaves: dict[int, Kept] = {}
    for step in reversed(graph.steps):
        outgoing = sum(paths.get(kept.key, 0) for kept in step.outputs)
        for position, kept in enumerate(step.inputs):
            if outgoing and carries_signal(step, position):
                paths[kept.key] = paths.get(kept.key, 0) + outgoing
                if kept.is_leaf:
                    leaves[kept.key] = kept
    labels = labels_of(graph)
    first_read = [key for key in labels if key in leaves]
    return PathCounts(
        tuple(PathCount(labels[key], leaves[key].shape, paths[key]) for key in first_read)
    )


def carries_signal(step: Step, position: int) -> bool:
    """Tell whether an error signal goes from an element to one of its inputs."""
    symbol = step.rule.declared_symbol(position)
    return step.inputs[position].requires_grad and symbol in step.rule.backward


def labels_of(graph: GraphDump) -> dict[int, str]:
    """Return how to call each value, by its key: its name, or what made or reads it."""
    labels: dict[int, str] = {}
    for step in graph.steps:
        for position, kept in enumerate(step.inputs):
            if kept.key not in labels:
                labels[kept.key] = kept.name or f"{step.label}.{step.rule.input_symbol(position)}"
        for kept, symbol in zip(step.outputs, step.rule.outputs, strict=False):
            several = len(step.outputs) > 1
            labels[kept.key] = kept.name or (f"{step.label}.{symbol}" if several else step.label)
    return labels


def written_count(count: int) -> str:
    """Write a number of paths; long ones with their magnitude."""
    if count < 10**12:
        return f"{count:,}"
    power = count.bit_length() - 1
    if count == 1 << power:
        return f"2^{power} = {count:,}" if count < 10**24 else f"2^{power}"
    return f"{count:,}" if count < 10**24 else f"about 10^{_decimal_magnitude(count)}"


def _decimal_magnitude(count: int) -> int:
    # math.log10 takes whole numbers of any size; str() refuses those of over 4,300 digits.
    return int(math.log10(count))


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows of cells, columns aligned."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [f"  {'  '.join(map(str.ljust, row, widths))}".rstrip() for row in table]


def _number(value: float) -> str:
    return f"{value + 0.0:.3g}"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.3g} %"
