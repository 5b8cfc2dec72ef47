"""A gradient check that says why: a wrong rule, too few digits, or no derivative at all.

``gradcheck`` takes one step and one tolerance. Where it fails, three things may be the matter,
and they are not the same: backward() may be **wrong**; differences of numbers with so many
digits may not be able to tell, because of their **precision**; or the point may be a **kink**
or a tie, where no derivative exists. This report measures each derivative with all steps, so
that it knows how far its own figures can be trusted, and gives a verdict for each input.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
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
from tinygrad_cnn.errors import DTypeError, OptionError
from tinygrad_cnn.explain.gradcheck.findings import (
    DOUBTED,
    ElementCheck,
    GradcheckExplanation,
    InputCheck,
)
from tinygrad_cnn.explain.gradcheck.step_sweep import Line, Sweep, sweep
from tinygrad_cnn.variable import Variable

__all__ = ["explain_gradcheck"]

OPERATION = "explain_gradcheck"
TRIED = 16  # partners of a tie that are tried one by one


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
    if not callable(function):
        raise DTypeError(
            f"{OPERATION}: a function of the inputs is checked; got {type(function).__name__}. "
            "Write explain_gradcheck(lambda x: x.tanh(), x)"
        )
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
