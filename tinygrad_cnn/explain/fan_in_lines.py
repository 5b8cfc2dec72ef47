"""Fan-ins inside a story: who sent which share of an error signal, in one line each.

A line stands behind the element that sent last: there δ is complete. It begins with ``fan-in``,
so ``grep fan-in`` finds all of them, with what they are continued by::

    fan-in  ‖δ(multiply)‖ 2.674, 89.1 % kept ← add 2 (66.6 %), tanh 1.002 (33.4 %)
"""

from collections import defaultdict
from collections.abc import Sequence

from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.paths.fan_ins import FanInRow, fan_ins
from tinygrad_cnn.explain.recording import Step

__all__ = ["fan_in_lines", "with_fan_ins"]

WIDTH = 100  # of a line; a long one is continued on the next, which begins with fan-in too
MOST = 6  # senders that are named; further ones are added up


def fan_in_lines(graph: GraphDump) -> dict[int, list[str]]:
    """Return the lines that stand behind elements, by the order of these.

    Parameters
    ----------
    graph : GraphDump

    Returns
    -------
    dict of int to list of str
        For each value that δ reached by several paths: its norm, which share ``‖Σ c‖ / Σ ‖c‖``
        of what was sent is left in the sum (all, if the parts point the same way), and the
        senders in the order in which they were walked, each with the norm of what it sent and
        the share ``‖c‖ / Σ ‖c‖``.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(3.0, requires_grad=True, name="x")
    >>> with tg.explain.record():
    ...     y = x.exp() + x * -2.0
    ...     y.backward()
    >>> for lines in fan_in_lines(tg.explain.dump(y)).values():
    ...     print(*lines)
    fan-in  |δ(x)| 18.09, 81.9 % kept ← multiply 2 (9.06 %), exp 20.09 (90.9 %)
    """
    lines: defaultdict[int, list[str]] = defaultdict(list)
    scalars = {kept.key for s in graph.steps for kept in s.inputs if kept.device == "scalar"}
    for row in fan_ins(graph).rows:
        sent = row.fan_in.contributions
        lines[sent[-1].element] += _lines(row, "|" if row.key in scalars else "‖")
    return dict(lines)


def with_fan_ins(graph: GraphDump, rows: list[str], steps: Sequence[Step]) -> list[str]:
    """Return a table, a title and a row for each step, with the lines of fan-ins in it."""
    lines, told = fan_in_lines(graph), rows[:1]
    indent = " " * (len(str(len(graph.steps))) + 4)
    for row, step in zip(rows[1:], steps, strict=True):
        told += [row, *(indent + line for line in lines.get(step.order, ()))]
    return told


def _lines(row: FanInRow, bars: str) -> list[str]:
    """Return one line, or where it would be too long a line for δ and some for the senders."""
    found = row.fan_in
    norms = [each.norm for each in found.contributions]
    shares = found.norm_shares
    largest = sorted(range(len(norms)), key=lambda k: -norms[k])
    rest = largest[MOST:] if len(norms) > MOST + 1 else []
    parts = [
        f"{sender} {norms[k]:.4g} ({_percent(shares[k])})"
        for k, sender in enumerate(row.senders)
        if k not in rest
    ]
    if rest:
        parts.append(f"{len(rest)} others ({_percent(sum(shares[k] for k in rest))})")
    left = f"{_percent(found.cancellation)} kept"
    lines = [f"fan-in  {bars}δ({row.value}){bars} {found.norm:.4g}, {left} ←"]
    for position, part in enumerate(parts):
        text = part + ("," if position < len(parts) - 1 else "")
        if len(lines[-1]) + len(text) + 1 <= WIDTH:
            lines[-1] += f" {text}"
        else:
            lines.append(f"fan-in    {text}")
    return lines


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.3g} %"
