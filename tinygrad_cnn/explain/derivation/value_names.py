"""Names of the values of a run, as a reader would call them.

Those given, the path of a parameter (``C3.weight``), the layer that made it (``C3``), or the
element (``sigmoid``, with a number where there are several).
"""

from collections import Counter

import numpy as np

from tinygrad_cnn.errors import unknown_name
from tinygrad_cnn.explain.derivation.notation import number
from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.recording import Kept, Step

__all__ = ["NamedValues"]


class NamedValues:
    """The values of a run by their names.

    Parameters
    ----------
    graph : GraphDump

    Attributes
    ----------
    values : dict of int to Kept
        By their key, in the order they were read or made.
    made : dict of int to (Step, int)
        The element that made a value, and at which of its outputs.
    names : dict of int to str
    result : int
    """

    def __init__(self, graph: GraphDump) -> None:
        self.graph = graph
        self.values: dict[int, Kept] = {}
        self.made: dict[int, tuple[Step, int]] = {}
        for step in graph.steps:
            for kept in (*step.inputs, *step.outputs):
                self.values.setdefault(kept.key, kept)
            for position, kept in enumerate(step.outputs):
                self.made[kept.key] = step, position
        self.result = graph.result.key
        self.names = self._named()

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
                    name = f"{step.rule.output_symbol(position)}({name})"
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


def _constant(kept: Kept) -> str:
    """Return a single number that nobody named and that no gradient is wanted of, as text."""
    if kept.name or kept.shape or kept.requires_grad or not kept.is_leaf or kept.value is None:
        return ""
    return number(np.asarray(kept.value).item())
