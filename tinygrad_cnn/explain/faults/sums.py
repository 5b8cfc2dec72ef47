"""Fan-ins: what reached a value by several paths, against what was passed on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_cnn.explain.faults.patterns import agreement, residual
from tinygrad_cnn.explain.faults.watching import Array, Visit, Watch
from tinygrad_cnn.graph import Node

__all__ = ["FanInCheck", "check_sums"]

TOLERANCE = {False: 1e-9, True: 1e-4}  # of the sum of the norms


@dataclass(frozen=True)
class FanInCheck:
    """One value, and whether its error signal is the sum of what came.

    Attributes
    ----------
    value : str
    order : float
        Where a walk back passes it.
    paths : int
    wrong : bool
    apart : float
        Of what is there from the sum.
    last : float
        Its agreement with what came last.
    readers : tuple of str
    """

    value: str
    order: float
    paths: int
    wrong: bool
    apart: float
    last: float
    readers: tuple[str, ...]


def check_sums(seen: Watch) -> list[FanInCheck]:
    """Compare the error signal of every value with the sum of its contributions."""
    arrived: dict[Node, list[tuple[Visit, Array]]] = {}
    for visit in seen.walked():
        for node, signal in zip(visit.read, visit.incoming, strict=True):
            if signal is not None:
                arrived.setdefault(node, []).append((visit, signal))
    found = []
    for visit in seen.walked():
        for position, (node, signal) in enumerate(zip(visit.made, visit.outgoing, strict=True)):
            if signal is not None and node in arrived:
                name = node.name or f"{visit.element.rule.outputs[position]} of {visit.place}"
                found.append(_check(name, visit.element.order + 0.5, arrived[node], signal, 0.0))
    for node, leaf in seen.leaves.items():
        now, before = leaf.now(), leaf.before()
        if now is not None and node in arrived:
            left = now if before is None else now - before
            cancelled = 0.0 if before is None else float(np.sqrt(np.square(before).sum()))
            name = node.name or f"a leaf of shape {node.shape}"
            found.append(_check(name, 0.0, arrived[node], left, cancelled))
    return found


def _check(
    name: str,
    order: float,
    parts: Sequence[tuple[Visit, Array]],
    signal: Array,
    cancelled: float,
) -> FanInCheck:
    """Judge one value; `cancelled` is the norm of what was there before and was taken off."""
    total = np.sum([part for _, part in parts], axis=0)
    norms = sum(float(np.sqrt(np.square(part).sum())) for _, part in parts)
    away = float(np.sqrt(np.square(signal - total).sum()))
    single = any(visit.single for visit, _ in parts)
    wrong = norms > 0 and not away <= TOLERANCE[single] * (norms + cancelled)
    readers = tuple(visit.place for visit, _ in parts)
    last = agreement(signal, parts[-1][1])
    return FanInCheck(name, order, len(parts), wrong, residual(signal, total), last, readers)
