"""Both granularities of one number: as a graph of scalars, and as tensors that run again."""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.creation import tensor
from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.explain.derivation.chain import Chain
from tinygrad_cnn.explain.derivation.evaluation import evaluate
from tinygrad_cnn.explain.derivation.expression import Array, Expression, Number, plus
from tinygrad_cnn.explain.derivation.forms import Equation
from tinygrad_cnn.explain.derivation.notation import Notation
from tinygrad_cnn.explain.derivation.scalars import ScalarGraph, ScalarLeaves
from tinygrad_cnn.explain.recording import Recording, Step, record
from tinygrad_cnn.gradients import grad
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.scalar import Scalar

__all__ = ["Expanded", "Expansion", "Partial", "Share"]


class Partial(NamedTuple):
    """A derivative of the expanded number, by both granularities."""

    name: str
    value: float
    scalar: float
    tensor: float


class Share(NamedTuple):
    """What one element adds to the number: an equation for each time that it read the value."""

    step: Step
    equations: list[Equation]


class Expanded(NamedTuple):
    """What both granularities found.

    Attributes
    ----------
    formula : Expression
    result : Scalar
        The number as scalars compute it.
    recording : Recording
        Of the scalars.
    tensor : float
        The number as tensors compute it.
    bounds : tuple of float
        How far rounding takes the number as tensors compute it, and as it was recorded.
    partials : list of Partial
    """

    formula: Expression
    result: Scalar
    recording: Recording
    tensor: float
    bounds: tuple[float, float]
    partials: list[Partial]


class Expansion:
    """One number of a recorded run, as scalars and as tensors.

    Parameters
    ----------
    chain : Chain
    left : Array
        The value or error signal that the number is of.
    key : int
        Of the value.
    shares : list of Share
        The elements that the number came from: the one that made a value, or all that sent an
        error signal.
    output : int or None
        Which output of the element the value is; None of an error signal.
    """

    def __init__(
        self, chain: Chain, left: Array, key: int, shares: list[Share], output: int | None
    ) -> None:
        self.chain, self.left, self.key = chain, left, key
        self.shares, self.output = shares, output
        self.leaves = ScalarLeaves()

    @property
    def label(self) -> str:
        """The elements, by their labels."""
        return ", ".join(share.step.label for share in self.shares)

    def run(self, place: Shape) -> Expanded:
        """Expand, run both, and walk both back."""
        graphs = [ScalarGraph(self.chain, share.step, self.leaves) for share in self.shares]
        formulas = [plus(*(each.at(place) for each in share.equations)) for share in self.shares]
        with record() as recording:
            result: Any = None
            for graph, formula in zip(graphs, formulas, strict=True):
                each = graph.scalar(formula)
                result = each if result is None else result + each
            if not isinstance(result, Scalar) or not result.requires_grad:
                raise GraphError(
                    f"zoom: a number that depends on others is expanded; got {self.left.name}"
                    f"{list(place)}, which is {float(self.left.data[place]):g} whatever they are"
                )
            result.backward(retain_graph=True)
        value, eps, partials = self.tensors(place)
        written = (g.written_out(f) for g, f in zip(graphs, formulas, strict=True))
        whole = plus(*written)
        bounds = [
            2.0 * float(evaluate(whole, {}, unit).error) + unit * abs(float(result))
            for unit in (eps, self.chain.unit(self.key))
        ]
        return Expanded(plus(*formulas), result, recording, value, (bounds[0], bounds[1]), partials)

    # -- tensors ---------------------------------------------------------------------------

    def tensors(self, place: Shape) -> tuple[float, float, list[Partial]]:
        """Run the elements again on what was recorded.

        Returns the number, the distance of 1 from the next in its type, and its derivatives.
        """
        variables: dict[int, Any] = {}
        outputs, received = list[Any](), list[Any]()
        signals: dict[Array, Any] = {}
        for share in self.shares:
            for kept in share.step.inputs:
                variables.setdefault(kept.key, _variable(kept.value, kept.requires_grad))
            made = _again(share.step, [variables[kept.key] for kept in share.step.inputs])
            for kept, output in zip(share.step.outputs, made, strict=False):
                signal = self.chain.signal(kept.key)
                if signal is not None and output.requires_grad:
                    outputs.append(output)
                    received.append(_like(output, signal.data))
                    signals[signal] = received[-1]
        sources = {
            self.chain.array(key): variable
            for key, variable in variables.items()
            if variable.requires_grad
        }
        if self.output is None:
            sources |= signals
            (number_of,) = grad(outputs, variables[self.key], received, create_graph=True)
        else:
            number_of = made[self.output]
        seed = np.zeros(number_of.shape)
        seed[place] = 1.0
        leaves = list(sources)
        found = grad(
            number_of, [sources[each] for each in leaves], _like(number_of, seed), allow_unused=True
        )
        derivatives = dict(zip(leaves, found, strict=True))
        partials = []
        for (array, index), leaf in self.leaves.scalars.items():
            mine = 0.0 if leaf.grad is None else float(leaf.grad)
            theirs = _at(derivatives.get(array), index)
            name = Notation().reference(array, tuple(map(Number, index)))
            partials.append(Partial(name, float(leaf), mine, theirs))
        partials += [each for array in leaves for each in self.elsewhere(array, derivatives)]
        return _at(number_of, place), float(np.finfo(number_of.dtype).eps), partials

    def elsewhere(self, array: Array, derivatives: dict[Array, Any]) -> list[Partial]:
        """Return the largest derivative by a number that took no part, where it is not 0."""
        found = derivatives[array]
        rest = np.array(0.0 if found is None else found.numpy() if found.shape else float(found))
        for source, index in self.leaves.scalars:
            if source is array and rest.shape:
                rest[index] = 0.0
        if not rest.shape or not rest.any():
            return []
        index = tuple(map(int, np.unravel_index(np.argmax(np.abs(rest)), rest.shape)))
        name = Notation().reference(array, tuple(map(Number, index)))
        return [Partial(name, float(array.data[index]), 0.0, float(rest[index]))]


def _again(step: Step, inputs: list[Any]) -> tuple[Any, ...]:
    """Run an element like the one that was recorded; return its outputs."""
    kind, settings = ELEMENTS[step.name], dict(step.settings)
    if step.name == "dropout":  # with the mask that was drawn it is its own adjoint
        kind, inputs = ELEMENTS["dropout_grad"], [*inputs, tensor(step.outputs[1].value)]
        settings.pop("rule", None)
    settings.setdefault("running", ())  # statistics that training changes are left alone
    element = kind.__new__(kind)
    vars(element).update(settings)
    made = element(*inputs)
    return made if isinstance(made, tuple) else (made,)


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
