"""Why a topological order: one graph walked back in four ways, with what comes out of each.

Where a value is read twice, its δ is the sum of what both readers send, and what made the value
must not run before that sum is complete. Four programs that look alike:

* **topological**: each element once, after all that read its result. Right.
* **when reached**: each element once, when the first signal arrives. What arrives later
  never gets further: too small.
* **recursion, sums**: at each arrival, the element runs again with all that has
  come so far. What came first is passed on twice: too large.
* **recursion, each**: at each arrival, the element runs with what has just
  arrived. Right, and once for every path: 2ⁿ for n values in a row that are read twice.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import hooks
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.paths.counts import written_count
from tinygrad_cnn.explain.paths.tagged_walk import walkable_elements
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.graph import Node, no_grad
from tinygrad_cnn.variable import Variable

__all__ = ["ORDERS", "OrderComparison", "OrderRow", "compare_orders"]

ORDERS = (
    "topological",
    "when reached",
    "recursion, sums",
    "recursion, each",
)

Array = npt.NDArray[np.float64]
Signals = dict[Node, Any]


@dataclass(frozen=True)
class OrderRow:
    """δ of one value as each walk leaves it.

    Attributes
    ----------
    value : str
    signals : tuple of ndarray or None
        In the order of :data:`ORDERS`; None where a walk was not made.
    wrong : tuple of bool
        Whether it differs from the topological one by more than rounding.
    """

    value: str
    signals: tuple[Array | None, ...]
    wrong: tuple[bool, ...]

    def cells(self) -> tuple[str, ...]:
        """Return what a table shows: a number, or the norm of an array."""
        cells = []
        for signal, wrong in zip(self.signals, self.wrong, strict=True):
            if signal is None:
                cells.append("not run")
                continue
            shown = float(signal) if signal.ndim == 0 else float(np.sqrt(np.square(signal).sum()))
            cells.append(f"{shown:.6g}" + (" WRONG" if wrong else ""))
        return tuple(cells)


@dataclass(frozen=True)
class OrderComparison(Printed):
    """What :func:`compare_orders` found; ``print`` shows a table.

    Attributes
    ----------
    rows : tuple of OrderRow
        Leaves, and values that several elements read.
    visits : tuple of int
        How often each walk runs an element, in the order of :data:`ORDERS`.
    """

    rows: tuple[OrderRow, ...]
    visits: tuple[int, ...]

    def __str__(self) -> str:
        table: list[tuple[str, ...]] = [("δ of", *ORDERS)]
        table += [(row.value, *row.cells()) for row in self.rows]
        table.append(("elements run", *map(written_count, self.visits)))
        arrays = any(signal is not None and signal.ndim for r in self.rows for signal in r.signals)
        norms = ["of arrays ‖δ‖ is shown; compared are all elements"] if arrays else []
        return "\n".join(["one graph, walked back in four ways", *text_table(table), *norms])


def compare_orders(result: Variable, limit: int = 10_000) -> OrderComparison:
    """Walk a small graph back in four ways, three of them naive, and show what each leaves.

    Parameters
    ----------
    result : Scalar or Tensor of one element
        Usually a loss, not yet walked back from, or with ``retain_graph=True``.
    limit : int
        Elements that a recursion may run; one that would run more is counted and not made.

    Returns
    -------
    OrderComparison

    Raises
    ------
    DTypeError
        If it is no Scalar or Tensor.
    GraphError
        If the graph was freed, or the result is not one number.
    OptionError
        If the limit is no positive number.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(1.0, requires_grad=True, name="x")
    >>> h = tg.name(x * 2.0, "h")
    >>> print(compare_orders(h + h * h))
    one graph, walked back in four ways
      δ of          topological  when reached  recursion, sums  recursion, each
      x             10           2 WRONG       18 WRONG         10
      h             5            5             5                5
      elements run  3            3             5                5
    """
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise OptionError(f"compare_orders: limit is a positive number; got {limit!r}")
    elements = walkable_elements("compare_orders", result)
    recursive_visits = _count_visits(result.node, elements)
    walks: list[Signals | None] = [None] * len(ORDERS)
    with no_grad(), hooks.unobserved():
        right = walks[0] = _topological(result, elements)
        walks[1] = _when_reached(result)
        if recursive_visits <= limit:
            walks[2], walks[3] = (_recursion(result, sums) for sums in (True, False))
    rows = tuple(
        _row(label, node, right[node], walks)
        for node, label in _shown(elements).items()
        if node in right
    )
    return OrderComparison(rows, (len(elements), len(elements), *(recursive_visits,) * 2))


# -- the four walks ------------------------------------------------------------------


def _run(element: FunctionElement, node: Node, signal: Any) -> list[tuple[Node, Any]]:
    """Return what an element sends for what came to one of its outputs, as (input, signal)."""
    outgoing = tuple(signal if reference() is node else None for reference in element.outputs)
    sent = zip(element.inputs, element.propagate(outgoing), strict=True)
    return [(to, each) for to, each in sent if each is not None]


def _arrive(signals: Signals, node: Node, signal: Any) -> None:
    signals[node] = signals[node] + signal if node in signals else signal


def _topological(result: Variable, elements: list[FunctionElement]) -> Signals:
    signals: Signals = {result.node: result._ones()}
    for element in reversed(elements):
        for reference in element.outputs:
            node = reference()
            if node is not None and node in signals:
                for to, sent in _run(element, node, signals[node]):
                    _arrive(signals, to, sent)
    return signals


def _when_reached(result: Variable) -> Signals:
    signals: Signals = {result.node: result._ones()}
    queue, reached = deque([result.node]), {result.node}
    while queue:
        node = queue.popleft()
        if node.creator is None:
            continue
        for to, sent in _run(node.creator, node, signals[node]):
            _arrive(signals, to, sent)
            if to not in reached:
                reached.add(to)
                queue.append(to)
    return signals


def _recursion(result: Variable, sums: bool) -> Signals:
    """Walk depth first, at each arrival anew; with a stack, as Python's own is soon full."""
    signals: Signals = {}
    stack = [(result.node, result._ones())]
    while stack:
        node, signal = stack.pop()
        _arrive(signals, node, signal)
        if node.creator is not None:
            stack += reversed(_run(node.creator, node, signals[node] if sums else signal))
    return signals


def _count_visits(result: Node, elements: list[FunctionElement]) -> int:
    """Return how many elements a recursion runs: as many as there are ways to reach them."""
    arrivals: dict[Node, int] = {result: 1}
    visits = 0
    for element in reversed(elements):
        nodes = (reference() for reference in element.outputs)
        ways = sum(arrivals.get(node, 0) for node in nodes if node is not None)
        visits += ways
        for node, wanted in zip(element.inputs, element.wanted, strict=True):
            if wanted:
                arrivals[node] = arrivals.get(node, 0) + ways
    return visits


# -- what is shown -------------------------------------------------------------------


def _shown(elements: Iterable[FunctionElement]) -> dict[Node, str]:
    """Return leaves, and values that are read several times, with how to call them."""
    reads: dict[Node, int] = {}
    labels: dict[Node, str] = {}
    for element in elements:
        for position, (node, wanted) in enumerate(zip(element.inputs, element.wanted, strict=True)):
            if not wanted:
                continue
            reads[node] = reads.get(node, 0) + 1
            made = node.creator or element
            where = f"{made.scope}.{made.name}" if made.scope else made.name
            symbol = "" if node.creator else f".{element.rule.input_symbol(position)}"
            labels.setdefault(node, node.name or where + symbol)
    return {node: labels[node] for node in reads if node.is_leaf or reads[node] > 1}


def _row(label: str, node: Node, right: Any, walks: Iterable[Signals | None]) -> OrderRow:
    reference = np.array(right._value, np.float64)
    tolerance = math.sqrt(np.finfo(node.dtype).eps)  # sums in another order differ by rounding
    scale = float(np.max(np.abs(reference), initial=0.0))
    signals: list[Array | None] = []
    wrong = []
    for walk in walks:
        found = None if walk is None else np.zeros(node.shape)
        if walk is not None and node in walk:
            found = np.array(walk[node]._value, np.float64)
        signals.append(found)
        apart = 0.0 if found is None else float(np.max(np.abs(found - reference), initial=0.0))
        wrong.append(apart > tolerance * scale)
    return OrderRow(label, tuple(signals), tuple(wrong))
