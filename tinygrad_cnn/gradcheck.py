"""Gradient checker: what backward() says against what differences say.

A derivative is a limit, so it can be measured without knowing any rule: change one element
of one input a little, in both directions, and see how far the outputs move. That takes two
evaluations for each element, which is why nobody trains this way, and why it is the judge
of those who do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.checked_function import (
    cotangents_of,
    differentiable,
    grad_or_zeros,
    gradients_by_backward,
    label_of,
    left_as_they_are,
    name_of,
    names_of,
    refuse_inputs,
)
from tinygrad_cnn.differences import Difference, InputReport, Probe, compare
from tinygrad_cnn.errors import GradcheckError
from tinygrad_cnn.graph import enable_grad, is_recording, no_grad
from tinygrad_cnn.variable import Variable

__all__ = ["Difference", "GradcheckReport", "InputReport", "gradcheck", "gradgradcheck"]


SHOWN = 10  # failures that a printed report lists


@dataclass(frozen=True)
class GradcheckReport:
    """What :func:`gradcheck` found.

    Parameters
    ----------
    function : str
        Name of the function, and of the element that made its first output.
    inputs : tuple of InputReport
        One for each input that requires a gradient.
    """

    function: str
    inputs: tuple[InputReport, ...]

    @property
    def passed(self) -> bool:
        """Whether no checked element differs, and not every element was excluded."""
        return not self.failures and (self.checked > 0 or self.excluded == 0)

    @property
    def checked(self) -> int:
        """Elements that were compared."""
        return sum(found.checked for found in self.inputs)

    @property
    def excluded(self) -> int:
        """Elements at a kink or tie, where the slopes of the two sides differ."""
        return sum(found.excluded for found in self.inputs)

    @property
    def failures(self) -> tuple[Difference, ...]:
        """Elements that differ, the worst one first."""
        failures = [difference for found in self.inputs for difference in found.failures]
        return tuple(sorted(failures, key=lambda one: -one.difference))

    @property
    def worst(self) -> Difference | None:
        """The element whose two gradients lie furthest apart; a failure if there is one."""
        found = self.failures or [one.worst for one in self.inputs if one.worst is not None]
        return max(found, key=lambda one: one.difference, default=None)

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        if not self.passed and not self.failures:
            verdict = "FAILED, nothing could be compared: draw the inputs away from kinks and ties"
        lines = [
            f"gradcheck: {self.function}: {verdict}; {self.checked} elements compared, "
            f"{len(self.failures)} differ, {self.excluded} excluded (kink or tie)"
        ]
        wide = max([len("input"), *(len(found.input) for found in self.inputs)])
        tall = max([len("shape"), *(len(str(found.shape)) for found in self.inputs)])
        head = f"{'input':<{wide}}  {'shape':<{tall}}"
        lines.append(f"  {head}  checked  excluded  differ  largest difference")
        for found in self.inputs:
            largest = f"{found.worst.difference:.1e}" if found.worst is not None else "-"
            lines.append(
                f"  {found.input:<{wide}}  {found.shape!s:<{tall}}  {found.checked:>7}  "
                f"{found.excluded:>8}  {len(found.failures):>6}  {largest:>18}"
            )
        lines += [f"  {failure}" for failure in self.failures[:SHOWN]]
        if len(self.failures) > SHOWN:
            lines.append(f"  and {len(self.failures) - SHOWN} more")
        return "\n".join(lines)


def gradcheck(
    function: Callable[..., Any],
    *inputs: Variable,
    epsilon: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    generator: np.random.Generator | None = None,
    raises: bool = True,
) -> GradcheckReport:
    """Compare the gradients of a function with central differences, at every element.

    Parameters
    ----------
    function : callable
        Takes the inputs; returns a Tensor, a Scalar or a tuple of them. Integer outputs
        have no gradient and are left out. It must give equal results for equal inputs.
    *inputs : Tensor of float64, or Scalar
        Leaves. Those with ``requires_grad=True`` are checked.
    epsilon : float
        Step of the differences, times the size of the element where that is above 1.
    rtol, atol : float
        Two gradients agree when they are closer than ``atol + rtol * |numeric|``.
    generator : numpy.random.Generator, optional
        Draws the error signals of the outputs; by default one with a fixed seed.
    raises : bool
        Raise where gradients differ, or where every element lies at a kink or tie, so that
        nothing was compared. Otherwise look at ``passed`` of the report.

    Returns
    -------
    GradcheckReport
        Counts and the largest differences; ``print`` shows a table.

    Raises
    ------
    GradcheckError
        If gradients differ; the message is the report, the worst element first.
    DTypeError
        If an input or output is not float64: differences of float32 values show nothing.
    GraphError
        If an input is not a leaf.
    OptionError
        If no input requires a gradient.

    Notes
    -----
    With a random error signal c for the outputs y (never all ones, which would hide errors
    that only move gradients about), each element of each input is measured as::

        ∂(Σ c∘y)/∂x_k ≈ Σ c ∘ (y(x_k + ε) - y(x_k - ε)) / 2ε

    Where the slopes to the left and to the right stay apart as ε shrinks, x_k stands on a
    kink (ReLU at 0) or a tie (two largest values). No derivative exists there, only a
    convention, so the element is counted as excluded and not compared.

    Values, gradients and versions of the inputs are afterwards what they were before.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[1.0, -2.0, 0.0]], dtype="float64", requires_grad=True, name="x")
    >>> print(tg.gradcheck(tg.functional.relu, x))  # doctest: +ELLIPSIS
    gradcheck: relu (element 'relu'): passed; 2 elements compared, 0 differ, 1 excluded ...
      input  shape   checked  excluded  differ  largest difference
      x      (1, 3)        2         1       0 ...
    """
    refuse_inputs("gradcheck", inputs)
    with left_as_they_are(inputs):
        outputs = differentiable("gradcheck", function(*inputs))
        cotangents = cotangents_of(outputs, generator or np.random.default_rng(0))
        names = names_of(inputs)
        analytic = gradients_by_backward(inputs, outputs, cotangents)
        report = GradcheckReport(
            label_of(function, outputs),
            tuple(
                compare(
                    names[position],
                    analytic[position],
                    Probe(
                        lambda *given: differentiable("gradcheck", function(*given)),
                        inputs,
                        position,
                        cotangents,
                    ),
                    epsilon,
                    (rtol, atol),
                )
                for position, variable in enumerate(inputs)
                if variable.requires_grad
            ),
        )
    if raises and not report.passed:
        raise GradcheckError(str(report))
    return report


def gradgradcheck(
    function: Callable[..., Any],
    *inputs: Variable,
    epsilon: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    generator: np.random.Generator | None = None,
    raises: bool = True,
) -> GradcheckReport:
    """Compare second derivatives with central differences of the first ones.

    Checked is the *gradient function*, from the inputs and the error signals of the outputs
    to the error signals of the inputs, which ``backward(create_graph=True)`` records.

    Parameters
    ----------
    function, *inputs, epsilon, rtol, atol, generator, raises
        As in :func:`gradcheck`.

    Returns
    -------
    GradcheckReport
        The error signals of the outputs are listed as further inputs, ``δ(output 0)`` ...

    Raises
    ------
    GradcheckError, DTypeError, GraphError, OptionError
        As in :func:`gradcheck`.

    Notes
    -----
    For ``g(x, δ) = δ · ∂y/∂x`` it measures ``∂(Σ c∘g)/∂x`` and ``∂(Σ c∘g)/∂δ``.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.3, requires_grad=True, name="x")
    >>> tg.gradgradcheck(tg.Scalar.tanh, x).passed
    True
    """
    refuse_inputs("gradcheck", inputs)
    generator = generator or np.random.default_rng(0)
    with left_as_they_are(inputs), no_grad():
        outputs = differentiable("gradcheck", function(*inputs))
    cotangents = cotangents_of(outputs, generator)
    for position, cotangent in enumerate(cotangents):
        cotangent.requires_grad = True
        cotangent.name = f"δ(output {position})"
    wanted = [position for position, x in enumerate(inputs) if x.requires_grad]

    def gradient(*given: Variable) -> tuple[Variable, ...]:
        values, signals = given[: len(inputs)], given[len(inputs) :]
        recorded = is_recording()
        for value in values:
            value.grad = None
        with enable_grad():
            results = differentiable("gradcheck", function(*values))
        for result, signal in zip(results, signals, strict=True):
            if result.requires_grad:
                result.backward(signal, retain_graph=True, create_graph=recorded)
        grads = tuple(grad_or_zeros(values[position]) for position in wanted)
        for value in values:
            value.grad = None
        return grads

    gradient.__name__ = f"gradient of {name_of(function)}"
    return gradcheck(
        gradient,
        *inputs,
        *cotangents,
        epsilon=epsilon,
        rtol=rtol,
        atol=atol,
        generator=generator,
        raises=raises,
    )
