"""Where paths of the chain rule meet: how much of δ came by each of them.

A value that several elements read gets an error signal from each, and their sum is δ. Where two
of them point against each other, little is left of both.
"""

import math
from dataclasses import dataclass

from tinygrad_cnn.explain.fan_in import FanIn
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.paths.value_labels import labels_of
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.variable import Variable

__all__ = ["FanInReport", "FanInRow", "fan_ins"]


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
                *text_table(table),
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


def _number(value: float) -> str:
    return f"{value + 0.0:.3g}"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.3g} %"
