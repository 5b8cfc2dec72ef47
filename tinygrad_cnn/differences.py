"""Central differences: how the outputs of a function move when one element of an input does."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.graph import Shape, no_grad
from tinygrad_cnn.variable import Variable

Array = npt.NDArray[np.float64]
Index = tuple[int, ...]

FINER = 10.0  # the second look at a suspicious element is this many times closer


def values_of(variable: Variable) -> Array:
    """Return the values of a Tensor or Scalar as a new float64 array."""
    return np.array(variable._value, np.float64)


@dataclass(frozen=True)
class Difference:
    """One element of one input: the gradient by backward() and by differences."""

    input: str
    index: Index
    analytic: float
    numeric: float

    @property
    def difference(self) -> float:
        """How far the two are apart; infinite where one of them is no number."""
        apart = abs(self.analytic - self.numeric)
        return math.inf if math.isnan(apart) else apart

    def __str__(self) -> str:
        index = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return (
            f"{self.input}{index}: backward() gives {self.analytic:.9g}, differences give "
            f"{self.numeric:.9g}, apart by {self.difference:.3g}"
        )


@dataclass(frozen=True)
class InputReport:
    """What was found for one input."""

    input: str
    shape: Shape
    checked: int
    excluded: int
    failures: tuple[Difference, ...]
    worst: Difference | None


class Probe:
    """The function seen from one input: how Σ c∘y moves when one element of it does."""

    def __init__(
        self,
        function: Callable[..., Sequence[Variable]],
        inputs: Sequence[Variable],
        position: int,
        cotangents: Sequence[Variable],
    ) -> None:
        self._function, self._inputs = function, inputs
        self._cotangents = [values_of(cotangent) for cotangent in cotangents]
        self._variable = inputs[position]
        self.value = values_of(self._variable)
        self._middle = self._run()

    def _run(self) -> list[Array]:
        with no_grad():
            return [values_of(output) for output in self._function(*self._inputs)]

    def _at(self, index: Index, number: float) -> list[Array]:
        # The input gets a changed copy, and its own value back: aliases never see a change.
        before = self._variable._value
        changed = np.array(before, order="K")
        changed[index] = number
        self._variable._value = float(changed) if isinstance(before, float) else changed
        try:
            return self._run()
        finally:
            self._variable._value = before

    def _moved(self, there: list[Array], here: list[Array]) -> float:
        with np.errstate(invalid="ignore"):
            moves = zip(self._cotangents, there, here, strict=True)
            return sum(float(np.sum(c * (far - near))) for c, far, near in moves)

    def slopes(self, index: Index, step: float) -> tuple[float, float, float]:
        """Return the slope to the left, the central one, and the one to the right."""
        middle = float(self.value[index])
        step *= max(1.0, abs(middle))
        low, high = middle - step, middle + step
        left, right = self._at(index, low), self._at(index, high)
        return (
            self._moved(self._middle, left) / (middle - low),
            self._moved(right, left) / (high - low),
            self._moved(right, self._middle) / (high - middle),
        )


def compare(
    name: str,
    analytic: Array,
    probe: Probe,
    epsilon: float,
    tolerances: tuple[float, float],
) -> InputReport:
    """Compare the gradient of one input, element by element, with what a probe measures."""
    rtol, atol = tolerances
    checked, failures, worst, excluded = 0, [], None, 0
    for index in np.ndindex(analytic.shape):
        numeric = _numeric(probe, index, epsilon, float(analytic[index]), tolerances)
        if numeric is None:
            excluded += 1
            continue
        checked += 1
        found = Difference(name, index, float(analytic[index]), numeric)
        if worst is None or found.difference > worst.difference:
            worst = found
        if not found.difference <= atol + rtol * abs(numeric):
            failures.append(found)
    return InputReport(name, analytic.shape, checked, excluded, tuple(failures), worst)


def _numeric(
    probe: Probe, index: Index, epsilon: float, analytic: float, tolerances: tuple[float, float]
) -> float | None:
    """Measure one derivative; None at a kink."""
    rtol, atol = tolerances
    left, central, right = probe.slopes(index, epsilon)
    gap, steep = abs(right - left), max(abs(left), abs(right))
    calm = gap <= 1e-4 * steep + 1e-6
    if calm and abs(analytic - central) <= atol + rtol * abs(central):
        return central
    # A second look from nearby: curvature shrinks with the step, a kink does not. Nor does
    # the edge of a domain, where one side has no value at all.
    closer_left, closer, closer_right = probe.slopes(index, epsilon / FINER)
    closer_gap = abs(closer_right - closer_left)
    if math.isnan(closer_gap):
        return central if math.isnan(analytic) else None
    if closer_gap > 0.3 * gap and closer_gap > 10 * (atol + rtol * steep):
        return None
    return central if calm else closer
