"""The chain of a derivation: which values lie between a loss and what it is derived by.

Values get the names that a reader knows: those given, the path of a parameter (``C3.weight``),
the layer that made it (``C3``), or the element (``sigmoid``, with a number where there are
several).
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.errors import GraphError, OptionError, unknown_name
from tinygrad_cnn.explain.derivation import (  # noqa: F401  # each enters its forms
    arrays,
    keys,
    losses,
    norms,
    pointwise,
    pooling,
    selections,
    windows,
)
from tinygrad_cnn.explain.derivation.expression import Array, as_array
from tinygrad_cnn.explain.derivation.forms import FORMS, IndexForm, Place
from tinygrad_cnn.explain.derivation.notation import number
from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.recording import Kept, Step


@dataclass
class Contribution:
    """What one element sends back to one value."""

    step: Step
    positions: list[int]  # of the value among its inputs
    signal: Kept


def _constant(kept: Kept) -> str:
    """Return a single number that nobody named and that no gradient is wanted of, as text."""
    if kept.name or kept.shape or kept.requires_grad or not kept.is_leaf or kept.value is None:
        return ""
    return number(np.asarray(kept.value).item())


def _output_symbol(symbols: tuple[str, ...], position: int) -> str:
    """Return the symbol of an output; a last ``"..."`` numbers the one before it."""
    if symbols[-1] == "..." and position >= len(symbols) - 2:
        return f"{symbols[-2]}{position - len(symbols) + 3}"
    return symbols[position]


class Chain:
    """Recorded values, with their names and error signals as arrays.

    Parameters
    ----------
    graph : GraphDump
        Of a run recorded with ``keep="arrays"``.
    operation : str
        What errors are said by.
    """

    def __init__(self, graph: GraphDump, operation: str = "derive") -> None:
        self.graph, self.operation = graph, operation
        self.values: dict[int, Kept] = {}
        self.made: dict[int, tuple[Step, int]] = {}
        for step in graph.steps:
            for kept in (*step.inputs, *step.outputs):
                self.values.setdefault(kept.key, kept)
            for position, kept in enumerate(step.outputs):
                self.made[kept.key] = step, position
        self.result = graph.result.key
        self.names = self._named()
        self._arrays: dict[int, Array] = {}
        self._signals: dict[int, Array | None] = {}
        self._forms: dict[int, IndexForm | None] = {}
        self._require_arrays()

    # -- names -----------------------------------------------------------------------------

    def _named(self) -> dict[int, str]:
        scopes = Counter(step.scope for step in self.graph.steps if step.scope)
        asked: dict[int, str] = {}
        for step in self.graph.steps:
            for position, kept in enumerate(step.inputs):
                if kept.key not in self.made:
                    own = kept.name or _constant(kept) or step.rule.input_symbol(position)
                    asked.setdefault(kept.key, "x" if own == "z" else own)
            for position, kept in enumerate(step.outputs):
                alone = step.scope if scopes[step.scope] == 1 else step.label
                name = kept.name or (alone if step.scope else self._behind_layer(step, scopes))
                if position:
                    name = f"{_output_symbol(step.rule.outputs, position)}({name})"
                asked[kept.key] = name
        if self.graph.result.name is None:
            asked[self.result] = "L"
        several, used = Counter(asked.values()), Counter[str]()
        names = {}
        for key, name in asked.items():
            used[name] += 1
            unique = several[name] == 1 or name == _constant(self.values[key])
            names[key] = name if unique else f"{name}#{used[name]}"
        return names

    def _behind_layer(self, step: Step, scopes: Counter[str]) -> str:
        """Return the name of an element outside of layers: ``sigmoid(C1)`` behind a layer."""
        before = self.made.get(step.inputs[0].key)
        if before is None or scopes[before[0].scope] != 1 or len(step.inputs) != 1:
            return step.name
        return f"{step.name}({before[0].scope})"

    def find(self, operation: str, name: object) -> Kept:
        """Return the value of a name, or refuse an unknown one."""
        wanted = str(name)
        if wanted.startswith("δ(") and wanted.endswith(")"):
            wanted = wanted[2:-1]
        for key, known in self.names.items():
            if known == wanted:
                return self.values[key]
        derivable = [known for key, known in self.names.items() if self.values[key].requires_grad]
        raise unknown_name(operation, name, derivable)

    # -- arrays ----------------------------------------------------------------------------

    def _require_arrays(self) -> None:
        if not self.graph.recorded or any(kept.value is None for kept in self.values.values()):
            how = "figures alone were kept" if self.graph.recorded else "nothing was recorded"
            raise OptionError(
                f"{self.operation}: its numbers are those of the run, so the run is recorded "
                f'with tg.explain.record(keep="arrays"); got a run of which {how}'
            )
        if self.signal(self.result) is None:
            raise GraphError(
                f"{self.operation}: error signals are those of a walk back inside the recording; "
                "got none. Call loss.backward() inside 'with tg.explain.record(keep=\"arrays\"):'"
            )

    def array(self, key: int) -> Array:
        """Return a recorded value."""
        if key not in self._arrays:
            self._arrays[key] = Array(self.names[key], as_array(self.values[key].value))
        return self._arrays[key]

    def signal(self, key: int) -> Array | None:
        """Return the error signal of a value: what its maker received, or what a leaf got."""
        if key not in self._signals:
            self._signals[key] = self._signal(key)
        return self._signals[key]

    def _signal(self, key: int) -> Array | None:
        kept, name = self.values[key], self.names[key]
        data: Any = None
        if key in self.made:
            step, position = self.made[key]
            received = step.outgoing[position] if step.outgoing else None
            data = None if received is None else received.value
        else:
            data = kept.gradient_itself()
            if data is None or kept.grad_passes != 1:  # .grad holds something else by now
                parts = [as_array(each.signal.value) for each in self.contributions(key)]
                data = sum(parts[1:], parts[0]) if parts else None
        if data is None:
            return None
        if kept.is_leaf:
            return Array(f"∂L/∂{name}", as_array(data), key, name, parameter=True)
        return Array(f"δ({name})", as_array(data), key, name)

    def contributions(self, key: int) -> list[Contribution]:
        """Return what each element that read a value sent back to it."""
        found = []
        for step in self.graph.steps:
            positions = [k for k, kept in enumerate(step.inputs) if kept.key == key]
            if positions and step.incoming is not None:
                signal = step.incoming[positions[0]]
                if signal is not None:
                    found.append(Contribution(step, positions, signal))
        return found

    def part(self, key: int, contribution: Contribution) -> Array:
        """Return what came to a value by one of several ways."""
        of = f"{self.names[key]}←{self._way(contribution.step)}"
        return Array(f"δ({of})", as_array(contribution.signal.value), None, of)

    def _way(self, step: Step) -> str:
        return self.names[step.outputs[0].key]

    def form(self, step: Step) -> IndexForm | None:
        """Return the index form of an element, if it has one."""
        if step.order not in self._forms:
            write = FORMS.get(step.name)
            inputs = [self.array(kept.key) for kept in step.inputs]
            outputs = [self.array(kept.key) for kept in step.outputs]
            signals = [self.signal(kept.key) for kept in step.outputs]
            place = Place(step, inputs, outputs, signals)
            self._forms[step.order] = None if write is None else write(place)
        return self._forms[step.order]

    # -- the way back ----------------------------------------------------------------------

    def between(self, key: int) -> list[int]:
        """Return the values on the ways from a value to the result, in execution order."""
        reached = {key}
        ordered = [key]
        for step in self.graph.steps:
            walked = step.outgoing is not None
            if walked and any(kept.key in reached for kept in step.inputs):
                for kept in step.outputs:
                    if self.signal(kept.key) is not None and kept.key not in reached:
                        reached.add(kept.key)
                        ordered.append(kept.key)
        return ordered

    def unit(self, key: int) -> float:
        """Return the distance of 1 from the next number in the type of a value."""
        dtype = np.dtype(self.values[key].dtype)
        return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0
