"""A gradient check that says why: a wrong rule, too few digits, or no derivative at all.

``gradcheck`` takes one step and one tolerance. Where it fails, three things may be the matter,
and they are not the same: backward() may be **wrong**; differences of numbers with so many
digits may not be able to tell, because of their **precision**; or the point may be a **kink**
or a tie, where no derivative exists. This report measures each derivative with all steps, so
that it knows how far its own figures can be trusted, and gives a verdict for each input.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_cnn.checked_function import (
    cotangents_of,
    differentiable,
    gradients_by_backward,
    label_of,
    left_as_they_are,
    names_of,
    refuse_inputs,
)
from tinygrad_cnn.differences import Array, Index, values_of
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.paths import aligned
from tinygrad_cnn.explain.step_sweep import Line, Sweep, sweep
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.variable import Variable

__all__ = ["ElementCheck", "GradcheckExplanation", "InputCheck", "explain_gradcheck"]

OPERATION = "explain_gradcheck"
DOUBTED = 10.0  # differences are believed up to so many times their estimated error
VERDICTS = ("rule wrong", "precision", "kink", "right")  # the first that applies
COMPARED = ("right", "precision", "rule wrong")  # what an element that has a derivative may be
HEAD = (
    *("input", "shape", "type", "verdict", "compared", "kinks", "ties", "edges", "precision"),
    *("wrong", "worst", "apart", "ulps", "ulps told", "best step"),
)
TRIED = 16  # partners of a tie that are tried one by one


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
class GradcheckExplanation:
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
            [f"gradcheck of {self.function}: {self.verdict}", *aligned(table), *remarks, *sweeps]
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


def explain_gradcheck(
    function: Callable[..., Any],
    *inputs: Variable,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    limit: int = 100,
    generator: np.random.Generator | None = None,
) -> GradcheckExplanation:
    """Check gradients, and say of each input what a difference comes from.

    Parameters
    ----------
    function : callable
        Takes the inputs; returns a Tensor, a Scalar or a tuple of them, equal ones for equal
        inputs.
    *inputs : Tensor of any precision, or Scalar
        Leaves. Those with ``requires_grad=True`` are checked.
    rtol, atol : float
        Closer than ``atol + rtol * |numeric|`` two gradients agree.
    limit : int
        Elements of each input that are looked at one by one; of a larger one so many are drawn.
        All others are part of a random direction.
    generator : numpy.random.Generator, optional
        Draws error signals, elements and directions; by default one with a fixed seed.

    Returns
    -------
    GradcheckExplanation
        For each input "right", "rule wrong", "precision" (what differs is no more than rounding
        explains) or "kink" (nothing could be compared).

    Raises
    ------
    DTypeError, GraphError, OptionError
        As in :func:`tinygrad_cnn.gradcheck`, but that numbers may have any precision.

    Notes
    -----
    Each slope is measured with steps from 2⁻² to 2⁻⁴² (2⁻¹ to 2⁻¹⁹ in single precision), times the
    size of the element. With ``D(h) - D(h/4) ≈ 15 c h²/16`` from step to step, and the scatter
    η/h of the smallest ones, the best step is where ``c h² + η/h`` is least; a rule is called wrong
    where backward() lies further than ten times that from it. Where single precision cannot
    tell, the function is run again in double precision, if it can be.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[1.0, -2.0, 0.0]], dtype="float64", requires_grad=True, name="x")
    >>> report = explain_gradcheck(tg.functional.relu, x)
    >>> report.verdict, sorted(report.inputs[0].counts.items())
    ('right', [('kink', 1), ('right', 2)])
    """
    refuse_inputs(OPERATION, inputs, single=True)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise OptionError(f"{OPERATION}: limit is a positive number of elements; got {limit!r}")
    drawn = generator or np.random.default_rng(0)
    state = drawn.bit_generator.state
    with left_as_they_are(inputs):
        outputs = differentiable(OPERATION, function(*inputs), single=True)
        label = label_of(function, outputs)
        found = _examine(function, inputs, outputs, (rtol, atol), limit, drawn)
        single = any(v.requires_grad and v.dtype.itemsize < 8 for v in inputs)
        if single and any(each.verdict in ("precision", "rule wrong") for each in found):
            drawn.bit_generator.state = state
            verdicts = _in_double(function, inputs, (rtol, atol), limit, drawn)
            found = [replace(each, in_double=verdicts.get(each.input)) for each in found]
    return GradcheckExplanation(label, tuple(found))


def _in_double(function: Callable[..., Any], inputs: Sequence[Variable], *options: Any) -> Any:
    """Return the verdicts of the same function on doubles; none where it refuses them."""
    doubles = []
    for variable, name in zip(inputs, names_of(inputs), strict=True):
        twin: Any = variable.detach()
        if variable.dtype.kind == "f" and variable.dtype.itemsize < 8:
            twin = twin.double()
        twin = twin.requires_grad_(variable.requires_grad)
        twin.name = name
        doubles.append(twin)
    try:
        outputs = differentiable(OPERATION, function(*doubles))
    except TypeError:  # it mixes its inputs with numbers of single precision
        return {}
    return {each.input: each.verdict for each in _examine(function, doubles, outputs, *options)}


def _examine(
    function: Callable[..., Any],
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    tolerances: tuple[float, float],
    limit: int,
    generator: np.random.Generator,
) -> list[InputCheck]:
    cotangents = cotangents_of(outputs, generator)
    names = names_of(inputs)
    analytic = gradients_by_backward(inputs, outputs, cotangents)

    def run(*given: Variable) -> list[Variable]:
        return differentiable(OPERATION, function(*given), single=True)

    found = []
    for position, variable in enumerate(inputs):
        if variable.requires_grad:
            one = _Input(run, inputs, position, cotangents, analytic[position], tolerances)
            elements, direction = one.examine(limit, generator)
            facts = (names[position], variable.shape, str(variable.dtype))
            found.append(InputCheck(*facts, elements, direction))
    return found


class _Input:
    """One input under test."""

    def __init__(
        self,
        run: Callable[..., Sequence[Variable]],
        inputs: Sequence[Variable],
        position: int,
        cotangents: Sequence[Variable],
        analytic: Array,
        tolerances: tuple[float, float],
    ) -> None:
        self._facts = (run, inputs, position, cotangents)
        self._analytic, self._tolerances = analytic, tolerances
        self._values = values_of(inputs[position])
        self._eps = float(np.finfo(inputs[position].dtype).eps)

    def examine(
        self, limit: int, generator: np.random.Generator
    ) -> tuple[tuple[ElementCheck, ...], ElementCheck | None]:
        """Look at some elements one by one, and at all together."""
        indices = list(np.ndindex(self._analytic.shape))
        if len(indices) > limit:
            picked = generator.choice(len(indices), limit, replace=False)
            indices = [indices[k] for k in sorted(picked)]
        swept = {index: sweep(self._line(index)) for index in indices}
        kinks = [index for index, found in swept.items() if found.kind == "kink"]
        checks = tuple(
            ElementCheck(
                index,
                float(self._analytic[index]),
                found,
                self._verdict(float(self._analytic[index]), found, index, kinks),
                self._eps,
            )
            for index, found in swept.items()
        )
        return checks, self._along(generator, swept)

    def _line(self, *indices: Index) -> Line:
        direction = np.zeros(self._analytic.shape)
        for index in indices:
            direction[index] = 1.0
        return Line(*self._facts, direction)

    def _verdict(
        self, analytic: float, found: Sweep, index: Index | None, kinks: Sequence[Index] = ()
    ) -> str:
        if found.kind == "kink" and index is not None:
            return "tie" if self._is_tie(index, kinks) else "kink"
        if found.kind != "smooth":
            return found.kind
        rtol, atol = self._tolerances
        apart = abs(analytic - found.slope)
        if apart <= atol + rtol * abs(found.slope):
            return "right"
        return "precision" if apart <= DOUBTED * found.uncertainty else "rule wrong"

    def _is_tie(self, index: Index, kinks: Sequence[Index]) -> bool:
        """Tell whether the kink is gone once equal elements move together: they were tied."""
        equal = [k for k in kinks if k != index and self._values[k] == self._values[index]]
        groups: list[tuple[Index, ...]] = [(index, other) for other in equal[:TRIED]]
        if len(equal) > 1:
            groups.append((index, *equal))
        return any(sweep(self._line(*group)).kind == "smooth" for group in groups)

    def _along(
        self, generator: np.random.Generator, swept: dict[Index, Sweep]
    ) -> ElementCheck | None:
        """Check all elements at once, along a random direction that leaves kinks alone."""
        direction = generator.choice([-1.0, 1.0], self._analytic.shape)
        direction = direction * generator.uniform(0.5, 1.5, self._analytic.shape)
        for index, found in swept.items():
            if found.kind != "smooth":
                direction[index] = 0.0
        if not direction.any():
            return None
        found = sweep(Line(*self._facts, direction))
        moving = direction != 0
        analytic = float(self._analytic[moving] @ direction[moving])
        return ElementCheck(None, analytic, found, self._verdict(analytic, found, None), self._eps)
