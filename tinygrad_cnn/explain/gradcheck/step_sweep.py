"""Central differences for many steps: where rounding ends and curvature begins.

A difference quotient ``D(h) = (J(x+h) - J(x-h)) / 2h`` is wrong in two ways. Its *truncation*
error shrinks with h², its *round-off* error grows as 1/h::

    error
      │ ╲                        ╱
      │   ╲  round-off η/h     ╱  truncation ~ h²
      │      ╲              ╱
      │          ╲ ___ ___╱
      └───────────────┴─────────────── h
                   best step

So no step is right for all functions, and none is exact. A sweep measures both errors: the
truncation from how D changes from step to step, η from how it scatters at the smallest ones. It
also sees what no single step can: at a kink the slopes to the left and to the right stay apart
however small the step is.

References: W. Press et al., "Numerical Recipes", 3rd edition, section 5.7.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.differences import Array, values_of
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.variable import Variable

FACTOR = 4.0  # from step to step; a power of 2, so that x ± h is exact
LARGEST = {8: 2.0**-2, 4: 2.0**-1}  # steps, by the bytes of a number, for values of size 1
SMALLEST = {8: 2.0**-42, 4: 2.0**-19}
SCATTER = {8: 4, 4: 2}  # smallest steps that round-off is measured at
RESOLVED = 1_000.0  # a slope stands this far above round-off where kinks are looked for
APART = 30.0  # and slopes at a kink lie so many times round-off apart


class Line:
    """A function seen along one direction: how Σ c∘y moves as x does.

    Parameters
    ----------
    function : callable
        Takes the inputs, returns a list of Variables.
    inputs : sequence of Variable
    position : int
        Of the input that moves.
    cotangents : sequence of Variable
    direction : ndarray, of the shape of the input
    """

    def __init__(
        self,
        function: Callable[..., Sequence[Variable]],
        inputs: Sequence[Variable],
        position: int,
        cotangents: Sequence[Variable],
        direction: Array,
    ) -> None:
        self._function, self._inputs = function, inputs
        self._cotangents = [values_of(cotangent) for cotangent in cotangents]
        self._variable, self._direction = inputs[position], direction
        self.dtype = inputs[position].dtype
        moving = np.abs(values_of(self._variable)[direction != 0])
        largest = float(moving.max(initial=0.0))
        self.scale = 2.0 ** math.floor(math.log2(max(1.0, largest)))
        self.middle = self.at(0.0)[0]

    def at(self, step: float) -> tuple[list[Array], float]:
        """Return the outputs, one step away, and how far that is once x is rounded."""
        before = self._variable._value
        start = np.asarray(before)
        changed = np.asarray(start + step * self._direction, self.dtype)
        moved = (changed.astype(np.float64) - start)[self._direction != 0]
        along = self._direction[self._direction != 0]
        taken = float(moved @ along / (along @ along)) if along.size else 0.0
        self._variable._value = float(changed) if isinstance(before, float) else changed
        try:
            with no_grad(), np.errstate(all="ignore"):
                return [values_of(output) for output in self._function(*self._inputs)], taken
        finally:
            self._variable._value = before

    def between(self, there: list[Array], here: list[Array]) -> float:
        """Return how far Σ c∘y moves from one place to another."""
        with np.errstate(all="ignore"):
            moves = zip(self._cotangents, there, here, strict=True)
            return sum(float(np.sum(c * (far - near))) for c, far, near in moves)

    def size(self) -> float:
        """Return Σ |c∘y|: what rounding errors are in proportion to."""
        with np.errstate(all="ignore"):
            pairs = zip(self._cotangents, self.middle, strict=True)
            return sum(float(np.sum(np.abs(c * y))) for c, y in pairs)


@dataclass(frozen=True)
class Sweep(Printed):
    """Slopes along one direction for steps from large to small.

    Attributes
    ----------
    steps : tuple of float
    left, central, right : tuple of float
        Slopes by one-sided and central differences.
    truncation, roundoff : tuple of float
        Estimates of the two errors of the central ones.
    best : int or None
        The step where their sum is least; None where no step gives a slope.
    kind : {"smooth", "kink", "edge"}
        What the function is here: at an edge of its domain one side, or none, has a value.
    near : float or None
        A kink that lies within this distance, and not here.
    """

    steps: tuple[float, ...]
    left: tuple[float, ...]
    central: tuple[float, ...]
    right: tuple[float, ...]
    truncation: tuple[float, ...]
    roundoff: tuple[float, ...]
    best: int | None
    kind: str
    near: float | None

    @property
    def slope(self) -> float:
        """The slope that the best step gives."""
        return math.nan if self.best is None else self.central[self.best]

    @property
    def uncertainty(self) -> float:
        """Both errors of the best step."""
        return math.nan if self.best is None else self.error(self.best)

    def error(self, place: int) -> float:
        """Return the sum of both errors of a step."""
        return self.truncation[place] + self.roundoff[place]

    def __str__(self) -> str:
        lines = ["  step      D(h)           truncation  round-off"]
        for place, step in enumerate(self.steps):
            mark = "  ← best" if place == self.best else ""
            lines.append(
                f"  {step:<8.1e}  {self.central[place]:<13.7g}  {self.truncation[place]:<10.1e}  "
                f"{self.roundoff[place]:.1e}{mark}"
            )
        return "\n".join(lines)


def sweep(line: Line) -> Sweep:
    """Measure slopes along a line for all steps, and say which of them can be believed."""
    itemsize = 4 if line.dtype.itemsize < 8 else 8
    steps: list[float] = []
    slopes: list[tuple[float, float, float]] = []
    step = LARGEST[itemsize]
    while step >= SMALLEST[itemsize]:
        (low, down), (high, up) = line.at(-step * line.scale), line.at(step * line.scale)
        if up > 0 > down:
            steps.append(step * line.scale)
            slopes.append(
                (
                    line.between(line.middle, low) / -down,
                    line.between(high, low) / (up - down),
                    line.between(high, line.middle) / up,
                )
            )
        step /= FACTOR
    values = np.array(slopes, np.float64).reshape(-1, 3)
    taken = np.array(steps)
    return _judged(values, taken, line)


def _judged(slopes: Array, steps: Array, line: Line) -> Sweep:
    left, central, right = slopes.T
    with np.errstate(all="ignore"):
        gap = right - left
        floor = 2 * float(np.finfo(line.dtype).eps) * line.size()
        # Of the smallest steps one sees nothing but rounding.
        few = SCATTER[4 if line.dtype.itemsize < 8 else 8]
        scatter = np.abs(gap[-few:]) * steps[-few:]
        noise = max([floor, *scatter[np.isfinite(scatter)]])
        kinked = _kinked(gap, noise / steps)
        noise = max(noise, _smallest_move(slopes, steps, kinked))
        truncation = np.full(len(steps), np.inf)
        truncation[1:] = np.abs(np.diff(central)) / (FACTOR**2 - 1)
        roundoff = noise / steps
        sides = np.abs(np.concatenate((left, right)))
        steep = float(np.max(sides[np.isfinite(sides)], initial=0.0))
        resolved = np.flatnonzero(steep > RESOLVED * roundoff)
        finest = int(resolved[-1]) if len(resolved) else None
    kind = "smooth"
    one_sided = np.isnan(left) != np.isnan(right)
    if one_sided[len(steps) // 2 :].all() or not np.isfinite(central).any():
        kind = "edge"
    elif finest is not None and kinked[finest]:
        kind = "kink"
    total = np.where(kinked | ~np.isfinite(central), np.inf, truncation + roundoff)
    best = int(np.argmin(total)) if len(total) and np.isfinite(total).any() else None
    near = None
    if kind == "smooth" and kinked[: finest or 0].any():
        near = float(steps[np.flatnonzero(kinked[:finest])[-1]])
    slopes_told = _floats(left), _floats(central), _floats(right)
    return Sweep(
        _floats(steps), *slopes_told, _floats(truncation), _floats(roundoff), best, kind, near
    )


def _floats(numbers: Any) -> tuple[float, ...]:
    return tuple(map(float, numbers))


def _smallest_move(slopes: Array, steps: Array, kinked: Any) -> float:
    """Return what the function moved by last before steps became too small to move it at all.

    Then it is rounded somewhere inside to a multiple of about that. A function that is flat near
    a kink does not move either, but that shows at larger steps: on one side it never moves.
    """
    moving = np.flatnonzero((slopes != 0).any(1))
    last = int(moving[-1]) if len(moving) else -1
    both_sides = (slopes[: last + 1, 0] != 0) & (slopes[: last + 1, 2] != 0)
    near_kink = kinked[max(0, last - 2) : last + 1].any() or not both_sides.any()
    if last in (-1, len(steps) - 1) or near_kink or not np.isfinite(slopes[last]).all():
        return 0.0
    return float(np.abs(slopes[last]).max() * steps[last])


def _kinked(gap: Array, roundoff: Array) -> Any:
    """Tell at which steps the two sides stay apart: curvature would shrink with the step.

    From step to step the gap of a kink stays what it is; that of a curve becomes a quarter, and
    that of rounding errors four times as much, with any sign.
    """
    kinked = np.zeros(len(gap), bool)
    for place in range(2, len(gap)):
        last = gap[place - 2 : place + 1]
        if not np.isfinite(last).all() or abs(last[2]) <= APART * roundoff[place]:
            continue
        ratios = last[1:] / last[:-1]
        kinked[place] = bool((ratios > 0.5).all() and (ratios < 2.0).all())
        if kinked[place]:
            kinked[place - 2 : place] = True
    return kinked
