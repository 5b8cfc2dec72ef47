"""Gradients of another program: which mistake, made everywhere, would have given them.

Of another program nothing is known but what it leaves: a gradient for each parameter. So the walk
back is simulated, in NumPy on the recorded values, once as it is to be and once with each fault
that touches the network, and the gradients are compared with all of them.
"""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_cnn.errors import ShapeError, unknown_name
from tinygrad_cnn.explain.faults.catalogue import FAULTS
from tinygrad_cnn.explain.faults.diagnosis import Candidate, Diagnosis, Finding, counted
from tinygrad_cnn.explain.faults.expected import expected, faults_of, is_known
from tinygrad_cnn.explain.faults.patterns import agreement, patterns, residual
from tinygrad_cnn.explain.faults.watching import Array, Visit, Watch
from tinygrad_cnn.graph import Node, enable_grad
from tinygrad_cnn.hooks import unobserved
from tinygrad_cnn.tensor import Tensor

__all__ = ["diagnose_gradients"]

ROUNDINGS = 100.0  # of the sum of absolute values
FINE = 1e-10  # between the precisions of the two types
TOLERANCE = {False: 1e-5, True: 1e-3}
UNKNOWABLE = ("dropout_mask_redrawn",)  # what another program drew is not known


def diagnose_gradients(seen: Watch, gradients: Mapping[str, Any]) -> Diagnosis:
    """Judge gradients, by the names of the parameters, and name the mistake that gives them."""
    given = _as_given(seen, gradients)
    right, added = simulate(seen)
    single = any(visit.single for visit in seen.visits) or any(
        bool((each == each.astype(np.float32)).all()) for each in given.values()
    )
    eps = float(np.finfo(np.float32 if single else np.float64).eps)
    noise = _noise(added, eps)
    order = {node: place for place, node in enumerate(_backward_order(seen))}
    wrong = [
        node
        for node, each in given.items()
        if residual(each, right[node], noise[node]) > TOLERANCE[single]
    ]
    wrong.sort(key=lambda node: order[node])
    findings = tuple(
        Finding(
            f"∇{node.name}",
            "rule",
            (f"off by {residual(given[node], right[node]):.2g} of its norm",
             *patterns(given[node], right[node])),
        )
        for node in wrong
    )  # fmt: skip
    candidates = _candidates(seen, given, right, eps) if wrong else []
    return Diagnosis(counted(len(given), "given gradient"), findings, tuple(candidates))


def _as_given(seen: Watch, gradients: Mapping[str, Any]) -> dict[Node, Array]:
    nodes = {node.name: node for node in _backward_order(seen) if node.name}
    given = {}
    for name, value in gradients.items():
        if name not in nodes:
            raise unknown_name("diagnose", name, nodes)
        array = np.array(value.numpy() if isinstance(value, Tensor) else value, np.float64)
        if array.shape != nodes[name].shape:
            raise ShapeError(
                f"diagnose: a gradient has the shape of its parameter; got {array.shape} for "
                f"{name} {nodes[name].shape}"
            )
        given[nodes[name]] = array
    if not given:
        raise unknown_name("diagnose", "no gradient at all", nodes)
    return given


def _noise(added: Mapping[Node, float], eps: float) -> dict[Node, float]:
    return {node: ROUNDINGS * eps * total for node, total in added.items()}


def _backward_order(seen: Watch) -> list[Node]:
    """Return the leaves in the order in which a walk back comes to them."""
    nodes = (
        node for visit in seen.walked() for node, signal in zip(visit.read, visit.incoming,
        strict=True) if signal is not None and node in seen.leaves
    )  # fmt: skip
    return list(dict.fromkeys(nodes))


def _candidates(
    seen: Watch,
    given: Mapping[Node, Array],
    right: Mapping[Node, Array],
    eps: float,
) -> list[Candidate]:
    touching = dict.fromkeys(
        name for visit in seen.walked() if is_known(visit) for name in faults_of(visit)
    )
    found = []
    for name in (*touching, "fan_in_overwritten"):
        if name in UNKNOWABLE:
            continue
        would, added = simulate(seen, name)
        noise = _noise(added, eps)  # a fault may make error signals, and their rounding, larger
        away = [residual(would[node], right[node], noise[node]) for node in given]
        if max(away) <= TOLERANCE[eps > FINE]:
            continue  # it would not show
        scores = [agreement(each, would[node], noise[node]) for node, each in given.items()]
        off = max(residual(each, would[node], noise[node]) for node, each in given.items())
        off_right = max(residual(each, right[node], noise[node]) for node, each in given.items())
        evidence = (
            f"{FAULTS[name].wrong}  leaves {off:.1e} unexplained, the right rules {off_right:.1e}"
        )
        found.append(Candidate(name, float(np.mean(scores)), evidence))
    return sorted(found, key=lambda each: -each.score)


# -- the simulated walk --------------------------------------------------------------


def simulate(seen: Watch, fault: str | None = None) -> tuple[dict[Node, Array], dict[Node, float]]:
    """Walk back over recorded values, with a fault at every element that it touches.

    Returns
    -------
    dict of Node to ndarray
        The gradients of the leaves.
    dict of Node to float
        The absolute error signals that were added up for them: what rounding is in proportion to.
    """
    added = dict.fromkeys(seen.leaves, 0.0)
    signals: dict[Node, Array] = {}
    walked = seen.walked()
    for visit in walked:
        outgoing = tuple(
            signals.get(node, None if seed is None or visit is not walked[0] else seed)
            for node, seed in zip(visit.made, visit.outgoing, strict=True)
        )
        if all(signal is None for signal in outgoing):
            continue
        run = visit.receiving(outgoing)
        touched = fault if fault is not None and fault in faults_of(visit) else None
        sent = expected(run, touched) if is_known(visit) else _by_the_engine(run)
        for position, node in enumerate(visit.read):
            if position not in sent:
                continue
            if node in added:
                added[node] += sum(float(np.abs(s).sum()) for s in outgoing if s is not None)
            present = signals.get(node)
            kept = present is None or fault == "fan_in_overwritten"
            signals[node] = sent[position] if kept else present + sent[position]
    return {node: signals.get(node, np.zeros(node.shape)) for node in seen.leaves}, added


def _by_the_engine(visit: Visit) -> dict[int, Array]:
    """Run an element that has no written-out rule forward and backward by itself."""
    element = copy.copy(visit.element)
    for name in ("inputs", "outputs", "wanted", "freed", "rests_on_freed", "_saved"):
        vars(element).pop(name, None)
    leaves: list[Any] = [
        Tensor(x, dtype=x.dtype, requires_grad=wanted)
        for x, wanted in zip(visit.inputs, visit.element.wanted, strict=True)
    ]
    with enable_grad(), unobserved():
        results = element(*leaves)
        outputs = results if isinstance(results, tuple) else (results,)
        for output, signal in zip(outputs, visit.outgoing, strict=True):
            if signal is not None:
                output.backward(Tensor(signal, dtype=signal.dtype), retain_graph=True)
    return {
        position: np.array(leaf.grad.numpy(), np.float64)
        for position, leaf in enumerate(leaves)
        if leaf.grad is not None
    }
