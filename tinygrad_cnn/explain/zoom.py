"""Zoom: one number of a tensor element, expanded into scalar elements on the same engine.

::

    C3[0,2,4,5]  =  C3.bias[2] + C3.weight[2,0,0,0]·S2[0,0,4,5] + …      150 products of scalars

The index form of the element says which numbers meet. They become scalars, the formula runs on
them as a graph of its own, and is walked back. The tensor element runs again too, with an error
signal that is 1 at this number and 0 elsewhere. So there are two values and, for each number that
took part, two partial derivatives: one granularity of the engine checks the other.

Of a parameter, one number of its gradient is expanded: its partial derivatives by error signals
and inputs are second derivatives, for which the tensor engine walks back over its walk back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.creation import tensor
from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.errors import GraphError, KernelMismatchError, OptionError
from tinygrad_cnn.explain.derivation.chain import Chain
from tinygrad_cnn.explain.derivation.derivation import place_of, target_of
from tinygrad_cnn.explain.derivation.evaluation import evaluate
from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Expression,
    Number,
    Symbol,
    substituted,
)
from tinygrad_cnn.explain.derivation.forms import Equation
from tinygrad_cnn.explain.derivation.notation import Notation, number
from tinygrad_cnn.explain.derivation.scalars import ScalarGraph
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import Recording, Step, record
from tinygrad_cnn.explain.story import story
from tinygrad_cnn.gradients import grad
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.variable import Variable

SHOWN = 12  # partial derivatives in a printout


class Partial(NamedTuple):
    """A derivative of the expanded number, by both granularities."""

    name: str
    value: float
    scalar: float
    tensor: float


@dataclass
class Zoom:
    """One number as a graph of scalars; printing it shows the text.

    Attributes
    ----------
    name, label : str
        The number, and the element it is of.
    formula : str
        What it was expanded into.
    recorded, scalar, tensor : float
        The number as it was recorded, as scalars and as tensors of float64 compute it.
    partials : list of Partial
    result : Scalar
        The last scalar: its graph can be told, drawn or differentiated again.
    bounds : tuple of float
        How far rounding takes the number as tensors compute it, and as it was recorded, from
        what it is.
    """

    name: str
    label: str
    formula: str
    recorded: float
    scalar: float
    tensor: float
    partials: list[Partial]
    result: Scalar
    recording: Recording
    bounds: tuple[float, float]

    @property
    def allowed(self) -> float:
        """How far rounding takes two partial derivatives from each other, in float64."""
        largest = max((max(abs(p.scalar), abs(p.tensor)) for p in self.partials), default=0.0)
        return 4.0 * (len(self.recording.steps) + 4) * float(np.finfo(np.float64).eps) * largest

    def disagreements(self) -> list[Partial]:
        """Return the partial derivatives that differ by more than rounding explains."""
        allowed = self.allowed
        return [p for p in self.partials if not abs(p.scalar - p.tensor) <= allowed]

    @property
    def agrees(self) -> bool:
        """Whether the number itself is the same three times, but for rounding."""
        pairs = zip((self.tensor, self.recorded), self.bounds, strict=True)
        return all(abs(self.scalar - other) <= bound for other, bound in pairs)

    def check(self) -> "Zoom":
        """Refuse a number that differs, or whose partial derivatives do; return it else.

        Raises
        ------
        KernelMismatchError
            It names the first of them, and both numbers.
        """
        if not self.agrees:
            raise KernelMismatchError(
                f"zoom: scalars and tensors compute the same number; got {self.tensor:g} from "
                f"{self.label}, {self.recorded:g} as it was recorded, where scalars give "
                f"{self.name} = {self.scalar:g}"
            )
        for wrong in self.disagreements():
            raise KernelMismatchError(
                f"zoom: scalars and tensors have the same partial derivatives; got {wrong.tensor:g}"
                f" from {self.label} where scalars give ∂{self.name}/∂{wrong.name} = "
                f"{wrong.scalar:g}"
            )
        return self

    def story(self) -> str:
        """Tell the run of the scalar graph, element by element."""
        return story(self.result)

    def text(self) -> str:
        """Return plain text: the formula, both values, and the partial derivatives."""
        count = len(self.recording.steps)
        rows = [
            f"{self.name} of {self.label}, as {count} scalar elements",
            "",
            f"  {self.name} = {self.formula}",
            f"  scalars {number(self.scalar)} · tensors {number(self.tensor)} · recorded "
            f"{number(self.recorded)}",
            "",
        ]
        ordered = sorted(self.partials, key=lambda p: -abs(p.scalar))[:SHOWN]
        cells = [("∂ by", "value", "scalars", "tensors")]
        cells += [(p.name, number(p.value), number(p.scalar), number(p.tensor)) for p in ordered]
        widths = [max(len(row[column]) for row in cells) for column in range(4)]
        for name, *figures in cells:
            right = (f.rjust(w) for f, w in zip(figures, widths[1:], strict=True))
            rows.append(f"  {name.ljust(widths[0])}  {'  '.join(right)}")
        if len(self.partials) > len(ordered):
            rows.append(f"  … {len(self.partials) - len(ordered):,} more")
        wrong = self.disagreements()
        verdict = f"{len(wrong):,} of them DISAGREE" if wrong else "all agree"
        value = "" if self.agrees else "; the number itself DISAGREES"
        rows += ["", f"{len(self.partials):,} partial derivatives, {verdict}{value}"]
        return "\n".join(rows)

    def __str__(self) -> str:
        return self.text()


def zoom(result: Variable | GraphDump, of: str | Variable, index: int | Sequence[int] = ()) -> Zoom:
    """Expand one number of a recorded run into scalar elements, and run both.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss, computed and walked back inside ``record(keep="arrays")``.
    of : str or Variable
        The output of a layer or element (``"C3"``), of which a value is expanded; or a parameter
        (``"C3.weight"``) or another leaf, of which a number of the gradient is.
    index : int or sequence of int
        Which number.

    Returns
    -------
    Zoom

    Raises
    ------
    UnknownNameError, ShapeError, GraphError
        As :func:`derive`.
    OptionError
        If the element has no index form, draws numbers, or has a number of more terms than a
        graph of scalars is made for; or if several elements read the leaf.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    >>> w = tg.Tensor([[3.0, 4.0]], requires_grad=True, name="w")
    >>> with tg.explain.record(keep="arrays"):
    ...     loss = tg.functional.affine(x, w).sum()
    ...     loss.backward()
    >>> print(tg.explain.zoom(loss, "affine", (0, 0)))
    affine[0,0] of affine, as 3 scalar elements
    <BLANKLINE>
      affine[0,0] = Σ_{d<2} w[0,d]·x[0,d]
      scalars 11 · tensors 11 · recorded 11
    <BLANKLINE>
      ∂ by    value  scalars  tensors
      x[0,1]      2        4        4
      x[0,0]      1        3        3
      w[0,1]      4        2        2
      w[0,0]      3        1        1
    <BLANKLINE>
    4 partial derivatives, all agree
    """
    chain = Chain(graph_of("zoom", result), "zoom")
    kept = target_of("zoom", chain, of)
    place = place_of("zoom", chain.names[kept.key], kept.shape, index, 0)
    if kept.key in chain.made:
        step, position = chain.made[kept.key]
        form = chain.form(step)
        if position or form is None or form.forward is None:
            raise _no_form(step)
        left, equation = chain.array(kept.key), form.forward
    else:
        step, left, equation = _gradient(chain, kept.key)
    return _Expansion(chain, step, kept.key).run(left, equation, place)


def _no_form(step: Step) -> OptionError:
    return OptionError(
        f"zoom: it expands elements whose rule is written out as an index form; got {step.label}, "
        "which has none yet"
    )


def _gradient(chain: Chain, key: int) -> tuple[Step, Array, Equation]:
    """Return the element that reads a leaf, and what it sends back to it."""
    ways = chain.contributions(key)
    if len(ways) != 1 or len(ways[0].positions) != 1:
        labels = ", ".join(way.step.label for way in ways)
        raise OptionError(
            f"zoom: it expands the gradient of a leaf that is read once; got {chain.names[key]}, "
            f"read by {labels}"
        )
    step = ways[0].step
    form, signal = chain.form(step), chain.signal(key)
    equation = None if form is None else form.signals.get(ways[0].positions[0])
    if equation is None or signal is None:
        raise _no_form(step)
    return step, signal, equation


class _Expansion:
    """One number of one element, as scalars and as tensors."""

    def __init__(self, chain: Chain, step: Step, key: int) -> None:
        self.chain, self.step, self.key = chain, step, key
        self.graph = ScalarGraph(chain, step)

    def run(self, left: Array, equation: Equation, place: Shape) -> Zoom:
        """Expand, run both, and walk both back."""
        letters: dict[Symbol, Expression] = {
            letter: Number(k) for letter, k in zip(equation.letters, place, strict=True)
        }
        formula = substituted(equation.right, letters)
        if self.step.name == "dropout":
            raise OptionError(
                f"zoom: numbers that were drawn cannot be drawn again; got {self.step.label}"
            )
        with record() as recording:
            result = self.graph.scalar(formula)
            if not isinstance(result, Scalar) or not result.requires_grad:
                raise GraphError(
                    f"zoom: a number that depends on others is expanded; got {left.name}"
                    f"{list(place)}, which is {float(left.data[place]):g} whatever they are"
                )
            result.backward(retain_graph=True)
        value, eps, partials = self.tensors(place)
        written = Notation().write(formula)
        if len(written) > 160:
            written = f"{written[:157]} …"
        name = Notation().reference(left, tuple(map(Number, place)))
        facts = float(left.data[place]), float(result), value
        unit = self.chain.unit(self.key)
        bounds = tuple(
            2.0 * float(evaluate(formula, {}, each).error) + each * abs(facts[1])
            for each in (eps, unit)
        )
        return Zoom(
            name, self.step.label, written, *facts, partials, result, recording,
            (bounds[0], bounds[1]),
        )  # fmt: skip

    # -- tensors ---------------------------------------------------------------------------

    def tensors(self, place: Shape) -> tuple[float, float, list[Partial]]:
        """Run the element again on what was recorded.

        Returns the number, the distance of 1 from the next in its type, and its derivatives.
        """
        element = self.again()
        variables: dict[int, Any] = {}
        for kept in self.step.inputs:
            variables.setdefault(kept.key, _variable(kept.value, kept.requires_grad))
        output = element(*(variables[kept.key] for kept in self.step.inputs))
        output = output[0] if isinstance(output, tuple) else output
        sources = {
            self.chain.array(key): variable
            for key, variable in variables.items()
            if variable.requires_grad
        }
        number_of = output
        if self.key in variables:  # of a leaf: the gradient
            signal = self.chain.signal(self.step.outputs[0].key)
            received = _like(output, None if signal is None else signal.data)
            sources[signal] = received  # type: ignore[index]
            (number_of,) = grad(output, variables[self.key], received, create_graph=True)
        seed = np.zeros(number_of.shape)
        seed[place] = 1.0
        leaves = list(sources)
        found = grad(
            number_of, [sources[each] for each in leaves], _like(number_of, seed), allow_unused=True
        )
        derivatives = dict(zip(leaves, found, strict=True))
        partials = []
        for (array, index), leaf in self.graph.leaves.items():
            mine = 0.0 if leaf.grad is None else float(leaf.grad)
            theirs = _at(derivatives.get(array), index)
            name = Notation().reference(array, tuple(map(Number, index)))
            partials.append(Partial(name, float(leaf), mine, theirs))
        partials += [each for array in leaves for each in self.elsewhere(array, derivatives)]
        eps = float(np.finfo(number_of.dtype).eps)
        return _at(number_of, place), eps, partials

    def elsewhere(self, array: Array, derivatives: dict[Array, Any]) -> list[Partial]:
        """Return the largest derivative by a number that took no part, where it is not 0."""
        found = derivatives[array]
        rest = np.array(0.0 if found is None else found.numpy() if found.shape else float(found))
        for source, index in self.graph.leaves:
            if source is array and rest.shape:
                rest[index] = 0.0
        if not rest.shape or not rest.any():
            return []
        index = tuple(map(int, np.unravel_index(np.argmax(np.abs(rest)), rest.shape)))
        name = Notation().reference(array, tuple(map(Number, index)))
        return [Partial(name, float(array.data[index]), 0.0, float(rest[index]))]

    def again(self) -> Any:
        """Return an element like the one that was recorded."""
        kind = ELEMENTS[self.step.name]
        element = kind.__new__(kind)
        vars(element).update(self.step.settings)
        return element


def _variable(value: Any, requires_grad: bool = True) -> Any:
    """Return a recorded value in double precision, as a variable of the kind that it was."""
    if isinstance(value, float):
        return Scalar(value, requires_grad=requires_grad)
    array = np.asarray(value)
    if array.dtype.kind != "f":
        return tensor(array)
    return tensor(array.astype(np.float64), requires_grad=requires_grad)


def _like(output: Any, numbers: Any) -> Any:
    """Return an error signal of the kind and type of an output."""
    if not isinstance(output, Scalar):
        return tensor(np.asarray(numbers, output.dtype), requires_grad=True)
    return Scalar(float(numbers), requires_grad=True)


def _at(value: Any, index: Shape) -> float:
    if value is None:
        return 0.0
    return float(value) if not value.shape else float(value.numpy()[index])
