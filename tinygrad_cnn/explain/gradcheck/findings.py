"""What a gradient check found: verdicts for elements, for inputs, and how they are told."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tinygrad_cnn.differences import Index
from tinygrad_cnn.explain.gradcheck.step_sweep import Sweep
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.graph import Shape

__all__ = ["ElementCheck", "GradcheckExplanation", "InputCheck"]

DOUBTED = 10.0  # differences are believed up to so many times their estimated error
VERDICTS = ("rule wrong", "precision", "kink", "right")  # the first that applies
COMPARED = ("right", "precision", "rule wrong")  # what an element that has a derivative may be
HEAD = (
    *("input", "shape", "type", "verdict", "compared", "kinks", "ties", "edges", "precision"),
    *("wrong", "worst", "apart", "ulps", "ulps told", "best step"),
)


@dataclass(frozen=True)
class ElementCheck:
    """One element of an input, or a random direction: backward() against differences.

    Attributes
    ----------
    index : tuple of int or None
        None for the random direction.
    analytic : float
        By backward().
    sweep : Sweep
        Slopes by differences, for all steps.
    verdict : {"right", "precision", "rule wrong", "kink", "tie", "edge"}
    eps : float
        Machine epsilon of the input's type.
    """

    index: Index | None
    analytic: float
    sweep: Sweep
    verdict: str
    eps: float

    @property
    def apart(self) -> float:
        """How far the two lie apart; infinite where one is no number."""
        apart = abs(self.analytic - self.sweep.slope)
        return math.inf if math.isnan(apart) else apart

    @property
    def ulps(self) -> float:
        """The same, in units in the last place of the input's type."""
        return self.apart / self._unit()

    @property
    def ulps_told(self) -> float:
        """How many of these units the differences can tell at best."""
        return self.sweep.uncertainty / self._unit()

    def _unit(self) -> float:
        size = max(abs(self.analytic), abs(self.sweep.slope))
        if not 0 < size < math.inf:
            return math.nan
        return max(self.eps * 2.0 ** math.floor(math.log2(size)), 5e-324)

    @property
    def within(self) -> bool:
        """Whether backward() lies between the slopes of both sides, as a sub-gradient does."""
        place = self.sweep.best if self.sweep.best is not None else -1
        sides = sorted((self.sweep.left[place], self.sweep.right[place]))
        slack = DOUBTED * self.sweep.roundoff[place] + 1e-6 * max(map(abs, sides))
        return sides[0] - slack <= self.analytic <= sides[1] + slack


@dataclass(frozen=True)
class InputCheck:
    """What was found for one input."""

    input: str
    shape: Shape
    dtype: str
    elements: tuple[ElementCheck, ...]
    direction: ElementCheck | None  # all elements at once, but those at kinks and ties
    in_double: str | None = None  # the verdict of the same function in double precision

    @property
    def counts(self) -> Counter[str]:
        """Number of elements by verdict."""
        return Counter(element.verdict for element in self.elements)

    @property
    def verdict(self) -> str:
        """The gravest that applies to an element; "kink" where nothing could be compared."""
        verdicts = {each.verdict for each in self.elements}
        if self.direction is not None:
            verdicts.add(self.direction.verdict)
        if "rule wrong" in verdicts and self.in_double not in ("right", "kink"):
            return "rule wrong"
        if verdicts & {"precision", "rule wrong"}:
            return "precision"
        return "right" if "right" in verdicts or not self.elements else "kink"

    @property
    def worst(self) -> ElementCheck | None:
        """The compared element that lies furthest from its differences, a wrong one first.

        The random direction, where that alone is wrong.
        """
        compared = [e for e in self.elements if e.verdict in COMPARED]
        if self.direction is not None and self.direction.verdict == "rule wrong":
            compared.append(self.direction)
        return max(
            compared,
            key=lambda e: (e.verdict == "rule wrong", e.index is not None, e.apart),
            default=None,
        )


@dataclass(frozen=True)
class GradcheckExplanation(Printed):
    """What :func:`explain_gradcheck` found; ``print`` shows a table and the sweep that decided."""

    function: str
    inputs: tuple[InputCheck, ...]

    @property
    def verdict(self) -> str:
        """The gravest of all inputs."""
        return next(v for v in VERDICTS if any(each.verdict == v for each in self.inputs))

    def __str__(self) -> str:
        table: list[tuple[str, ...]] = [HEAD]
        remarks: list[str] = []
        sweeps: list[str] = []
        for found in self.inputs:
            counts, worst = found.counts, found.worst
            compared = sum(counts[verdict] for verdict in COMPARED)
            figures: tuple[str, ...] = ("",) * 5
            if worst is not None and worst.sweep.best is not None:
                figures = (
                    _place(worst),
                    f"{worst.apart:.1e}",
                    _units(worst.ulps),
                    _units(worst.ulps_told),
                    f"{worst.sweep.steps[worst.sweep.best]:.0e}",
                )
            columns = (compared, *(counts[k] for k in ("kink", "tie", "edge", "precision")))
            shape = "x".join(map(str, found.shape)) or "scalar"
            named = (found.input, shape, found.dtype, found.verdict, *map(str, columns))
            table.append((*named, str(counts["rule wrong"]), *figures))
            remarks += list(_remarks(found))
            decides = found.verdict == self.verdict and self.verdict in ("rule wrong", "precision")
            if worst is not None and decides and not sweeps:
                given = f"backward() gives {worst.analytic:.7g}, differences"
                sweeps += [f"{found.input} {_place(worst)}: {given}", str(worst.sweep)]
        return "\n".join(
            [f"gradcheck of {self.function}: {self.verdict}", *text_table(table), *remarks, *sweeps]
        )


def _place(check: ElementCheck) -> str:
    return "all, at random" if check.index is None else str(list(check.index))


def _units(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.0e}"


def _remarks(found: InputCheck) -> Sequence[str]:
    remarks = []
    elements, counts = found.elements, found.counts
    excluded = [e for e in elements if e.verdict in ("kink", "tie")]
    if outside := [e for e in excluded if not e.within]:
        remarks.append(
            f"{found.input}: at {len(outside)} of {len(excluded)} kinks and ties backward() lies "
            "outside the slopes of both sides: it is no sub-gradient there"
        )
    near = [e.sweep.near for e in elements if e.sweep.near is not None]
    if near:
        remarks.append(
            f"{found.input}: a kink lies within {max(near):.0e} of {len(near)} elements; larger "
            "steps reach over it"
        )
    if found.in_double is not None:
        remarks.append(f"{found.input}: the same in double precision: {found.in_double}")
    elif counts["precision"]:
        remarks.append(
            f"{found.input}: differences cannot tell; with inputs of double precision they might"
        )
    if found.direction is not None and found.direction.verdict == "rule wrong":
        remarks.append(
            f"{found.input}: along a random direction backward() gives "
            f"{found.direction.analytic:.7g}, differences give {found.direction.sweep.slope:.7g}"
        )
    return remarks
