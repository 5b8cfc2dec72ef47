"""Find the mistake in a chain rule from numbers: walk back, measure, compare with candidates.

1. The program runs once and is watched (:mod:`watching`): values and error signals.
2. Each element is measured by itself (:mod:`differences`), each sum at a fan-in is added up again
   (:mod:`sums`). The first that fails, walking back, is where the mistake is: all that comes after
   it may be right, and get wrong error signals.
3. For each mistake that touches this element it is computed, in NumPy and from the recorded
   values, what it would have sent (:mod:`expected`). The one that agrees is named, and it has to
   agree everywhere else too.

No step knows which fault is switched on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_cnn.explain.faults.catalogue import FAULTS
from tinygrad_cnn.explain.faults.diagnosis import Candidate, Diagnosis, Finding, counted
from tinygrad_cnn.explain.faults.differences import Measured, measure, swept
from tinygrad_cnn.explain.faults.expected import Sent, expected, faults_of, is_known
from tinygrad_cnn.explain.faults.other_program import diagnose_gradients
from tinygrad_cnn.explain.faults.patterns import agreement, patterns, residual
from tinygrad_cnn.explain.faults.sums import FanInCheck, check_sums
from tinygrad_cnn.explain.faults.watching import Leaf, Visit, Watch, watch

__all__ = ["diagnose"]

ROUNDINGS = 100.0  # of the sum of absolute values
DIFFERENT = {False: 1e-6, True: 1e-3}  # a fault would show: relative


def diagnose(
    program: Callable[[], Any], gradients: Mapping[str, Any] | None = None, seed: int = 0
) -> Diagnosis:
    """Find where the chain rule breaks, and name the likely mistake.

    Parameters
    ----------
    program : callable
        Takes nothing and returns the loss, a Tensor or Scalar; it is run once. It may call
        backward() itself. Elements in it may be somebody's own.
    gradients : mapping of str to array, optional
        Gradients of the parameters by another program, such as one of your own, of the same
        network with the same weights and images. They are judged then, by name; the network here
        says what is right.
    seed : int
        Of the directions along which is measured.

    Returns
    -------
    Diagnosis
        Its ``fault``, ``candidates`` and ``findings``; ``print`` tells all.

    Raises
    ------
    DTypeError
        If it is no function, or returns no loss.
    GraphError
        If the loss depends on nothing that wants a gradient.
    UnknownNameError, ShapeError
        If gradients of other names or shapes are given.

    Notes
    -----
    Numbers in single precision are judged to three digits. Elements at a kink or tie are left out.
    Gradients of the parameters are afterwards what they were before.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> image = tg.Tensor([[[[0.0, 1.0, 2.0], [5.0, 4.0, 3.0], [6.0, 8.0, 9.0]]]])
    >>> w = tg.Tensor([[[[1.0, 2.0], [3.0, -4.0]]]], requires_grad=True, name="w")
    >>> v = tg.Tensor([[[[0.5, 2.0], [1.0, -1.0]]]], requires_grad=True, name="v")
    >>> def program():
    ...     hidden = tg.functional.conv2d(image, w).tanh()
    ...     return tg.functional.conv2d(hidden, v).sum()
    >>> print(tg.explain.diagnose(program))
    diagnosis: no fault found in 4 elements, 0 fan-ins and 2 gradients
    >>> with tg.explain.fault("kernel_not_turned"):
    ...     tg.explain.diagnose(program).verdict
    'kernel_not_turned, first at conv2d'
    """
    seen = watch(program)
    try:
        if gradients is not None:
            return diagnose_gradients(seen, gradients)
        return _diagnosed(seen, seed)
    finally:
        seen.restore()


def _diagnosed(seen: Watch, seed: int) -> Diagnosis:
    walked = seen.walked()
    judged = [(visit, measure(visit, seed)) for visit in walked]
    sums = check_sums(seen)
    wrong = {
        visit.element.order: [each for each in measured if each.wrong]
        for visit, measured in judged
        if measured and any(each.wrong for each in measured)
    }
    found: list[tuple[float, Finding]] = [
        (order, _finding(visit, wrong[order], order == max(wrong)))
        for visit in walked
        if (order := visit.element.order) in wrong
    ]
    found += [(each.order, _sum_finding(each)) for each in sums if each.wrong]
    found.sort(key=lambda pair: -pair[0])
    candidates = _candidates(walked, set(wrong), found[0][0] if found else 0.0)
    candidates += _sum_candidates([each for each in sums if each.wrong], found)
    candidates.sort(key=lambda each: -each.score)
    fan_ins = sum(each.paths > 1 for each in sums)
    leaves = sum(not each.order for each in sums)
    return Diagnosis(
        f"{counted(len(walked), 'element')}, {counted(fan_ins, 'fan-in')} and "
        f"{counted(leaves, 'gradient')}",
        tuple(finding for _, finding in found),
        tuple(candidates),
        tuple(visit.place for visit, measured in judged if measured is None),
        _notes(seen.leaves.values()),
    )


def _notes(leaves: Iterable[Leaf]) -> tuple[str, ...]:
    earlier = sum(leaf.gradient is not None for leaf in leaves)
    if not earlier:
        return ()
    return (
        f"{counted(earlier, 'parameter')} had gradients before this run, which were "
        "added to: what an update sees is judged by diagnose_training",
    )


def _finding(visit: Visit, wrong: Sequence[Measured], first: bool) -> Finding:
    evidence = []
    right = expected(visit) if is_known(visit) else {}
    for each in wrong:
        words = swept(visit, each.position) if first else None
        words = words or (
            f"along a random direction it gives {each.sent[0]:.6g}, differences give "
            f"{each.slopes[0]:.6g}"
        )
        evidence.append(f"{visit.signal_name(each.position)}: {words}")
        if each.position in right:
            sent = visit.sent()[each.position]
            evidence += [f"  {words}" for words in patterns(sent, right[each.position])]
    return Finding(visit.place, "rule", tuple(evidence))


def _sum_finding(check: FanInCheck) -> Finding:
    readers = ", ".join(dict.fromkeys(check.readers))
    words = f"δ came by {check.paths} paths, of {readers}; what was passed on is not their sum"
    return Finding(f"δ of {check.value}", "sum", (f"{words}: off by {check.apart:.2g}",))


# -- candidates ----------------------------------------------------------------------


def _candidates(walked: Sequence[Visit], wrong: set[int], first: float) -> list[Candidate]:
    """Compare, for each fault, what it would have sent with what was sent, everywhere."""
    # A mistake stands in a class: what other classes do rightly says nothing of it.
    classes = {type(visit.element) for visit in walked if visit.element.order in wrong}
    known = [visit for visit in walked if is_known(visit) and type(visit.element) in classes]
    right = {visit.element.order: expected(visit) for visit in known}
    names = dict.fromkeys(
        name for visit in known if visit.element.order in wrong for name in faults_of(visit)
    )
    found = []
    for name in names:
        scores, at_first = [], 0.0
        left, left_right, explains = 0.0, 0.0, False
        for visit in known:
            if name not in faults_of(visit):
                continue
            order, would = visit.element.order, expected(visit, name)
            differs = _differs(would, right[order], visit.single)
            explains = explains or (differs and order in wrong)
            if order not in wrong and not differs:
                continue  # here the fault would change nothing
            scores.append(_agreement(visit, would))
            if order == first:
                at_first = scores[-1]
                left, left_right = _residual(visit, would), _residual(visit, right[order])
        if not explains:
            continue
        # It has to explain the first place; that it explains the others too tells twins apart.
        score = 0.5 * at_first + 0.5 * sum(scores) / len(scores)
        places = counted(len(scores), "place")
        evidence = (
            f"{FAULTS[name].wrong}  leaves {left:.1e} unexplained, the right rule {left_right:.1e}"
            f"; {places} compared"
        )
        found.append(Candidate(name, score, evidence))
    return found


def _differs(would: Sent, right: Sent, single: bool) -> bool:
    return any(residual(would[k], right[k]) > DIFFERENT[single] for k in right)


def _agreement(visit: Visit, would: Sent) -> float:
    """Return how well a fault explains what was sent, at the input where it does so least.

    Sums that cancel, such as that for a bias in front of a batch normalisation, are rounding
    errors alone: those say nothing for or against it.
    """
    sent = visit.sent()
    eps = float(np.finfo(np.float32 if visit.single else np.float64).eps)
    added = sum(float(np.abs(signal).sum()) for signal in visit.outgoing if signal is not None)
    noise = ROUNDINGS * eps * added
    return min((agreement(sent[k], would[k], noise) for k in sent if k in would), default=0.0)


def _residual(visit: Visit, would: Sent) -> float:
    sent = visit.sent()
    return max((residual(sent[k], would[k]) for k in sent if k in would), default=0.0)


def _sum_candidates(
    wrong: Sequence[FanInCheck], found: Sequence[tuple[float, Finding]]
) -> list[Candidate]:
    if not wrong:
        return []
    score = float(np.mean([each.last for each in wrong]))
    if found[0][1].kind != "sum":  # something broke before, walking back
        score *= 0.5
    evidence = (
        f"at {counted(len(wrong), 'fan-in')} δ is what came last, to {1 - score:.1e}, where "
        f"{wrong[0].paths} paths are to add up"
    )
    return [Candidate("fan_in_overwritten", score, evidence)]
