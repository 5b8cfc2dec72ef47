"""Mistakes of the training step, found from a few steps: what changed, and by what.

A step of stochastic gradient descent with momentum and weight decay is linear in what it knows::

    Δθ_t = -α g_t - α λ θ_t + μ Δθ_{t-1}

so the three numbers can be read off the changes by least squares, and their signs tell. Whether
the gradient that was used is that of the step alone is seen by adding up what the walk back sent.

Gradients that are never set to zero and momentum with μ = 1 are one and the same update: without
the gradients themselves nobody can tell them apart.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn import hooks
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.explain.faults.catalogue import FAULTS
from tinygrad_cnn.explain.faults.diagnosis import Candidate, Diagnosis, Finding, counted
from tinygrad_cnn.explain.faults.patterns import agreement, residual
from tinygrad_cnn.explain.faults.watching import Array, Watch, doubles
from tinygrad_cnn.variable import Variable

__all__ = ["diagnose_training", "diagnose_updates"]

STEPS = 3
FITS = 1e-3  # relative: what a fit may leave of the changes
SURE = 6.0  # standard errors that a number is away from 0
ENOUGH = 4  # elements of a parameter that is fitted by itself
ACCUMULATES = 1e-3  # how far μ may be from 1


@dataclass(frozen=True)
class _Fit:
    """Least squares over the elements of one parameter."""

    name: str
    size: int
    rate: float
    decay: float
    momentum: float
    sure: tuple[bool, bool, bool]
    left: float  # of the changes, relative
    rounding: float  # what rounding the parameters leaves of them, at most


def diagnose_training(step: Callable[[], Any], parameters: Iterable[Variable]) -> Diagnosis:
    """Watch three training steps, and find mistakes in how parameters are changed.

    Parameters
    ----------
    step : callable
        Takes nothing and makes one whole step: gradients to zero, forward, backward, update. It is
        run three times.
    parameters : iterable of Tensor
        What is trained.

    Returns
    -------
    Diagnosis

    Raises
    ------
    DTypeError
        If `step` is no function, or a parameter no Tensor.
    OptionError
        If there are no parameters, or the steps change none of them.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([[1.0, -2.0, 0.5, 3.0]] * 3, requires_grad=True, name="w")
    >>> optimiser = tg.optim.SGD([w], lr=0.1, momentum=0.5)
    >>> def step():
    ...     optimiser.zero_grad()
    ...     (w * w * w).sum().backward()
    ...     optimiser.step()
    >>> print(tg.explain.diagnose_training(step, [w]))
    diagnosis: no fault found in 3 steps of 1 parameter
    note: the updates are those of SGD with rate 0.1, momentum 0.5, weight decay 0
    >>> with tg.explain.fault("zero_grad_left_out"):
    ...     tg.explain.diagnose_training(step, [w]).fault
    'zero_grad_left_out'
    """
    if not callable(step):
        raise DTypeError(
            f"diagnose_training: step is a function that makes one training step; got "
            f"{type(step).__name__}"
        )
    trained = list(parameters)
    for one in trained:
        if not isinstance(one, Variable):
            raise DTypeError(f"diagnose_training: parameters are Tensors; got {type(one).__name__}")
    names = {one.name or f"parameter {k}": one for k, one in enumerate(trained)}
    thetas = {name: [doubles(one._value)] for name, one in names.items()}
    own: dict[str, list[Array]] = {name: [] for name in names}
    used: dict[str, list[Array | None]] = {name: [] for name in names}
    for _ in range(STEPS):
        seen = Watch()
        with hooks.observe(seen):
            step()
        sent: dict[Any, Array] = {}
        for visit in seen.walked():
            for node, signal in zip(visit.read, visit.incoming, strict=True):
                if signal is not None:
                    sent[node] = sent[node] + signal if node in sent else signal
        for name, one in names.items():
            own[name].append(sent.get(one.node, np.zeros(one.shape)))
            used[name].append(None if one._grad is None else doubles(one._grad._value))
            thetas[name].append(doubles(one._value))
    return _judge(thetas, own, used)


def diagnose_updates(
    parameters: Mapping[str, Sequence[Any]], gradients: Mapping[str, Sequence[Any]]
) -> Diagnosis:
    """Find mistakes in the updates of another program, from what it printed or saved.

    Parameters
    ----------
    parameters : mapping of str to sequence of array
        Each parameter before the first step and after each: one more than there are steps. At
        least two steps; with three, momentum is told apart better.
    gradients : mapping of str to sequence of array
        The gradient of each step's own loss.

    Returns
    -------
    Diagnosis

    Raises
    ------
    OptionError, ShapeError
        If names, numbers or shapes do not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> g = [rng.normal(size=(4, 4)) for _ in range(3)]
    >>> w = [rng.normal(size=(4, 4))]
    >>> for each in g:
    ...     w.append(w[-1] + 0.1 * each)
    >>> diagnose_updates({"w": w}, {"w": g}).fault
    'step_uphill'
    """
    if not parameters or set(parameters) != set(gradients):
        raise OptionError(
            f"diagnose_updates: parameters and gradients have the same names; got "
            f"{', '.join(parameters) or 'none'} and {', '.join(gradients) or 'none'}"
        )
    thetas, own = {}, {}
    for name, values in parameters.items():
        steps = [np.array(each, np.float64) for each in gradients[name]]
        places = [np.array(each, np.float64) for each in values]
        if len(steps) < 2 or len(places) != len(steps) + 1:
            raise OptionError(
                f"diagnose_updates: there are at least two steps, and one more value than steps; "
                f"got {len(places)} values and {len(steps)} gradients of {name}"
            )
        shapes = {each.shape for each in (*places, *steps)}
        if len(shapes) > 1:
            raise ShapeError(
                f"diagnose_updates: a parameter and its gradients have one shape; got "
                f"{', '.join(map(str, sorted(shapes)))} for {name}"
            )
        thetas[name], own[name] = places, steps
    return _judge(thetas, own, {name: [None] * len(steps) for name, steps in own.items()})


def _judge(
    thetas: Mapping[str, Sequence[Array]],
    own: Mapping[str, Sequence[Array]],
    used: Mapping[str, Sequence[Array | None]],
) -> Diagnosis:
    steps = len(next(iter(own.values()), ()))
    if not any(np.ptp(np.stack(places), axis=0).any() for places in thetas.values()):
        raise OptionError(
            f"diagnose_training: steps change parameters; got {steps} steps that changed none of "
            f"{len(thetas)}"
        )
    looked_at = f"{counted(steps, 'step')} of {counted(len(own), 'parameter')}"
    findings, candidates = _kept_gradients(own, used)
    fits = [
        fit
        for name, places in thetas.items()
        if (fit := _fitted(name, places, own[name], used[name])) is not None
    ]
    good = [fit for fit in fits if fit.left < FITS + fit.rounding]
    notes: tuple[str, ...] = ()
    if good:
        rate, decay, momentum = (
            _middle([getattr(fit, what) for fit in good]) for what in ("rate", "decay", "momentum")
        )
        told = f"rate {rate:.3g}, momentum {momentum:.3g}, weight decay {decay:.3g}"
        notes = (f"the updates are those of SGD with {told}",)
        seen = any(each is not None for one in used.values() for each in one)
        found = _signs(good, seen)
        findings += [finding for finding, _ in found]
        candidates += [candidate for _, candidate in found]
    else:
        notes = ("the updates are not those of SGD: only the gradients were judged",)
    candidates.sort(key=lambda each: -each.score)
    return Diagnosis(looked_at, tuple(findings), tuple(candidates), (), notes)


def _kept_gradients(
    own: Mapping[str, Sequence[Array]], used: Mapping[str, Sequence[Array | None]]
) -> tuple[list[Finding], list[Candidate]]:
    """Compare the gradients that an update saw with those of the step alone."""
    scores, off = [], {}
    for name, steps in own.items():
        for k in range(1, len(steps)):
            there, before = used[name][k], used[name][k - 1]
            if there is None or before is None or not np.abs(before).any():
                continue
            if residual(there, steps[k]) > 1e-4:
                off[name] = residual(there, steps[k])
                scores.append(agreement(there, before + steps[k]))
    if not off:
        return [], []
    findings = [
        Finding(f"∇{name}", "step", (f"what the update saw is off by {each:.2g} of its norm from "
                                      "the gradient of this step",))
        for name, each in off.items()
    ]  # fmt: skip
    score = float(np.mean(scores))
    evidence = (
        f"the gradient of {counted(len(off), 'parameter')} is that of the step "
        f"before plus that of this one, to {1 - score:.1e}"
    )
    return findings, [Candidate("zero_grad_left_out", score, evidence)]


def _fitted(
    name: str, places: Sequence[Array], own: Sequence[Array], used: Sequence[Array | None]
) -> _Fit | None:
    """Fit Δθ_t = -α g_t - αλ θ_t + μ Δθ_{t-1}; None where a parameter is too small or rests."""
    if places[0].size < ENOUGH:
        return None
    changes = np.diff(np.stack(places), axis=0)
    rows, wanted = [], []
    for t in range(1, len(own)):
        there = used[t]
        gradient = own[t] if there is None else there
        rows.append(np.stack([gradient.ravel(), places[t].ravel(), changes[t - 1].ravel()], 1))
        wanted.append(changes[t].ravel())
    matrix, result = np.concatenate(rows), np.concatenate(wanted)
    sizes = np.sqrt(np.square(matrix).sum(0))
    if not np.isfinite(matrix).all() or not sizes.all() or not np.abs(result).any():
        return None
    found, _, rank, _ = np.linalg.lstsq(matrix / sizes, result, rcond=None)
    if rank < 3:
        return None
    rest = result - matrix / sizes @ found
    left = float(np.sqrt(np.square(rest).sum() / np.square(result).sum()))
    noise = np.square(rest).sum() / max(1, len(result) - 3)
    spread = np.sqrt(noise * np.diag(np.linalg.inv((matrix / sizes).T @ (matrix / sizes))))
    # What is below rounding of the result is no number at all.
    floor = 1e-7 * float(np.sqrt(np.square(result).sum()))
    sure = tuple(bool(abs(x) > SURE * s + floor) for x, s in zip(found, spread, strict=True))
    slope, along, carried = found / sizes
    rate = -float(slope)
    decay = float(along / slope) if slope else 0.0
    flags = (sure[0], sure[1] and sure[0], sure[2])
    return _Fit(
        name, places[0].size, rate, decay if flags[1] else 0.0,
        float(carried) if flags[2] else 0.0, flags, left, _rounding(places, result),
    )  # fmt: skip


def _rounding(places: Sequence[Array], changes: Array) -> float:
    """Return, in units of the changes, what rounding a parameter to its type does to them."""
    theta = np.stack(places)
    single = bool((theta == theta.astype(np.float32)).all())
    eps = float(np.finfo(np.float32 if single else np.float64).eps)
    return 4 * eps * float(np.sqrt(np.square(theta).mean() / np.square(changes).mean()))


def _signs(fits: Sequence[_Fit], gradients_seen: bool) -> list[tuple[Finding, Candidate]]:
    """Return what is wrong with the signs of the three numbers, by most of the parameters."""
    found = []
    for name, what, symbol in (
        ("step_uphill", "rate", "α"),
        ("momentum_sign_turned", "momentum", "μ"),
        ("weight_decay_sign_turned", "decay", "λ"),
    ):
        numbers = [getattr(fit, what) for fit in fits if getattr(fit, what)]
        against = [number for number in numbers if number < 0]
        if 2 * len(against) > len(numbers):
            evidence = (
                f"{symbol} = {_middle(against):.4g}, by least squares over Δθ of {len(against)} "
                f"of {len(fits)} parameters"
            )
            left = [max(0.0, fit.left - fit.rounding) for fit in fits if getattr(fit, what) < 0]
            score = 1.0 - _middle(left)
            found.append(
                (Finding("the update", "step", (evidence,)), Candidate(name, score, evidence))
            )
    carried = _middle([fit.momentum for fit in fits])
    if not gradients_seen and abs(carried - 1) < ACCUMULATES:
        evidence = (
            f"Δθ carries μ = {carried:.4g} of the change before: every gradient counts for ever, "
            "as if none were set to zero"
        )
        score = 1.0 - abs(carried - 1)
        found.append(
            (
                Finding("the update", "step", (evidence,)),
                Candidate("zero_grad_left_out", score, evidence),
            )
        )
    return [(finding, candidate) for finding, candidate in found if candidate.fault in FAULTS]


def _middle(numbers: Sequence[float]) -> float:
    return float(np.median(numbers))
