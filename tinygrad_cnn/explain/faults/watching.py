"""Watch a program compute a loss and walk back: every element with its values and signals.

Numbers alone are kept for the diagnosis: what each element read and computed, the error signals
that arrived at it and those that it sent on, as float64.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import hooks
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.elements.activated import ActivatedElement
from tinygrad_cnn.errors import DTypeError, GraphError
from tinygrad_cnn.graph import Node, elements_behind
from tinygrad_cnn.nn import Module
from tinygrad_cnn.variable import Variable

Array = npt.NDArray[Any]


def doubles(value: Any) -> Array:
    """Return a copy of numbers as float64; integers and truth values stay what they are."""
    array = np.asarray(value)
    return np.array(array, np.float64 if array.dtype.kind == "f" else array.dtype)


@dataclass
class Visit:
    """One element, as it was seen to run."""

    element: FunctionElement
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    read: tuple[Node, ...]
    made: tuple[Node, ...]
    single: bool  # whether it computed in single precision
    outgoing: tuple[Array | None, ...] = ()  # error signals of the outputs
    incoming: tuple[Array | None, ...] = ()  # and of the inputs

    @property
    def family(self) -> str:
        """The element's name without the activation behind it."""
        name, activation = self.element.name, self.activation
        return name if activation is None else name.removesuffix(f"_{activation}")

    @property
    def activation(self) -> str | None:
        """The activation that the element has behind it."""
        behind = isinstance(self.element, ActivatedElement)
        return self.element.activation.name if behind else None  # type: ignore[attr-defined]

    @property
    def place(self) -> str:
        """The element's name below the path of its layer."""
        scope = self.element.scope
        return f"{scope}.{self.element.name}" if scope else self.element.name

    def symbol(self, position: int) -> str:
        """Return what an input is called in the element's rule."""
        return self.element.rule.input_symbol(position)

    def signal_name(self, position: int) -> str:
        """Return what the error signal of an input is called: ∇w of a parameter, else δ(x)."""
        node = self.read[position]
        if node.is_leaf and node.name:
            return f"∇{node.name}"
        return f"δ({self.symbol(position)})"

    def sent(self) -> dict[int, Array]:
        """Return the error signals that the element sent, by the position of the input."""
        return {k: signal for k, signal in enumerate(self.incoming) if signal is not None}

    def receiving(self, outgoing: tuple[Array | None, ...]) -> "Visit":
        """Return the same run with other error signals arriving."""
        return replace(self, outgoing=outgoing)


@dataclass(frozen=True)
class Leaf:
    """A leaf that wants a gradient, and the one it had before."""

    variable: Variable
    gradient: Variable | None
    passes: int

    @classmethod
    def of(cls, variable: Variable) -> "Leaf":
        """Keep what is there now; a walk puts a sum in its place and does not change it."""
        return cls(variable, variable._grad, variable.grad_passes)

    def before(self) -> Array | None:
        """Return the gradient of before as numbers."""
        return None if self.gradient is None else doubles(self.gradient._value)

    def now(self) -> Array | None:
        """Return the gradient that is there now."""
        return None if self.variable._grad is None else doubles(self.variable._grad._value)

    def restore(self) -> None:
        """Put the gradient of before back."""
        self.variable._grad, self.variable.grad_passes = self.gradient, self.passes


@dataclass
class Watch:
    """What :func:`watch` saw: visits in execution order, and gradients that were left."""

    visits: list[Visit] = field(default_factory=list)
    result: Variable | None = None
    leaves: dict[Node, Leaf] = field(default_factory=dict)
    _by_order: dict[int, Visit] = field(default_factory=dict)

    def on_forward(
        self,
        element: FunctionElement,
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        effort: Any,
    ) -> None:
        """Keep values."""
        if not element.inputs:  # nothing that a gradient is wanted of
            return
        dtypes = [value.dtype for value in (*inputs, *outputs) if value.dtype.kind == "f"]
        visit = Visit(
            element,
            tuple(doubles(value._value) for value in inputs),
            tuple(doubles(value._value) for value in outputs),
            tuple(element.inputs),
            tuple(value.node for value in outputs),
            any(dtype.itemsize < 8 for dtype in dtypes),
        )
        self.visits.append(visit)
        self._by_order[element.order] = visit
        for variable, node in zip(inputs, element.inputs, strict=True):
            if node.is_leaf and node.requires_grad and node not in self.leaves:
                self.leaves[node] = Leaf.of(variable)

    def on_backward(
        self,
        element: FunctionElement,
        outgoing: tuple[Variable | None, ...],
        incoming: tuple[Variable | None, ...],
        effort: Any,
    ) -> None:
        """Keep error signals."""
        visit = self._by_order.get(element.order)
        if visit is not None:
            visit.outgoing, visit.incoming = _values(outgoing), _values(incoming)

    def restore(self) -> None:
        """Leave no gradients behind."""
        for leaf in self.leaves.values():
            leaf.restore()

    def walked(self) -> list[Visit]:
        """Return the visits that error signals came through, in backward order."""
        found = [visit for visit in self.visits if any(o is not None for o in visit.outgoing)]
        return sorted(found, key=lambda visit: -visit.element.order)


def _values(signals: tuple[Variable | None, ...]) -> tuple[Array | None, ...]:
    return tuple(None if signal is None else doubles(signal._value) for signal in signals)


def watch(program: Callable[[], Any], operation: str = "diagnose") -> Watch:
    """Run a program that returns a loss, walk back from it if it has not, and keep all it did.

    Raises
    ------
    DTypeError
        If it is no function, or returns no Tensor or Scalar.
    GraphError
        If nothing in it wants a gradient.
    """
    if not callable(program) or isinstance(program, Variable | Module):
        raise DTypeError(
            f"{operation}: it takes the function that computes the loss, to watch it run; got "
            f"{type(program).__name__}. Write diagnose(lambda: loss_function(network(x), labels))"
        )
    seen = Watch()
    with hooks.observe(seen):
        result = program()
        if not isinstance(result, Variable):
            raise DTypeError(
                f"{operation}: the function returns the loss, a Tensor or Scalar; got "
                f"{type(result).__name__}"
            )
        walked = any(visit.outgoing for visit in seen.visits)
        if not result.requires_grad or not seen.visits:
            raise GraphError(
                f"{operation}: the loss depends on a leaf with requires_grad=True; got one that "
                "does not"
            )
        if not walked:
            result.backward()
    seen.result = result
    behind = {element.order for element in elements_behind(result.node)}
    seen.visits = [visit for visit in seen.visits if visit.element.order in behind]
    return seen
