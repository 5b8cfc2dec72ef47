"""The values of a run by name, and walks back over its graph as long as it is there."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.creation import tensor
from tinygrad_cnn.errors import DTypeError, GraphError, unknown_name
from tinygrad_cnn.explain.derivation.value_names import NamedValues
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import Kept, Recording, Step, settings_of
from tinygrad_cnn.explain.sight.dependence import Dependence, dependence
from tinygrad_cnn.graph import Node
from tinygrad_cnn.hooks import unobserved
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.variable import Variable
from tinygrad_cnn.walk import signals_at

Array = npt.NDArray[Any]
Run = Variable | GraphDump | Recording


class RunValues(NamedValues):
    """The values of a run; errors name the operation that asks.

    Parameters
    ----------
    operation : str
    run : Scalar, Tensor, Recording or GraphDump

    Raises
    ------
    GraphError
        If nothing was recorded.
    DTypeError
        If it is no run.
    """

    def __init__(self, operation: str, run: Run) -> None:
        self.operation = operation
        if isinstance(run, Recording):
            if not run.steps:
                raise GraphError(
                    f"{operation}: a recording has elements; got one in which nothing ran. Run "
                    "the network inside 'with tg.explain.record():'"
                )
            run = GraphDump(list(run.steps), run.steps[-1].outputs[0])
        elif not isinstance(run, Variable | GraphDump):
            raise DTypeError(
                f"{operation}: it is told of a run, by its last value, its recording or its dump; "
                f"got {type(run).__name__}"
            )
        super().__init__(graph_of(operation, run))
        self._keeps_settings = any(step.settings for step in self.graph.steps)
        last = self.graph.result
        if last.name is None and last.shape:  # scores or maps, and no loss
            step = self.made[last.key][0]
            self.names[last.key] = step.scope or step.label

    # -- by name ---------------------------------------------------------------------------

    def computed(self, of: str | Variable) -> Kept:
        """Return the value that an element or layer computed.

        Raises
        ------
        UnknownNameError
            If there is none of that name; the message lists those there are.
        """
        return self._found(of, list(self.made))

    def read(self, of: str | Variable) -> Kept:
        """Return a value that the run began with: an image, a parameter.

        Raises
        ------
        UnknownNameError
            If there is none of that name; the message lists those there are.
        """
        numbers = [key for key, kept in self.values.items() if np.dtype(kept.dtype).kind == "f"]
        return self._found(of, [key for key in numbers if key not in self.made])

    def _found(self, of: str | Variable, keys: list[int]) -> Kept:
        if isinstance(of, Variable):
            for key in keys:
                if self.node_or_none(key) is of.node:
                    return self.values[key]
        for key in keys:
            if self.names[key] == of:
                return self.values[key]
        for key in reversed(keys):  # a layer is what its last element made of it
            made = self.made.get(key)
            if made is not None and not made[1] and of in (made[0].label, made[0].scope):
                return self.values[key]
        wanted = (of.name or type(of).__name__) if isinstance(of, Variable) else of
        first = [key for key in keys if key not in self.made or not self.made[key][1]]
        raise unknown_name(self.operation, wanted, [self.names[key] for key in first])

    def image(self) -> Kept:
        """Return what the run began with: the first value that is read, and is no parameter."""
        first = [step.inputs[0] for step in self.graph.steps if step.inputs]
        given = [kept for kept in first if kept.key not in self.made]
        unnamed = [kept for kept in given if not kept.is_parameter or "." not in (kept.name or "")]
        return (unnamed or given)[0]

    # -- geometry --------------------------------------------------------------------------

    def dependence(self, step: Step, input: int, output: int) -> Dependence:
        """Return how an output of an element depends on one of its inputs."""
        return dependence(step, self._settings(step), input, output)

    def _settings(self, step: Step) -> Mapping[str, Any]:
        if self._keeps_settings:  # those of an element that has none are kept too
            return step.settings
        for output in step.outputs:
            node = self.node_or_none(output.key)
            if node is not None and node.creator is not None:
                return settings_of(node.creator)
        raise GraphError(
            f"{self.operation}: windows and axes are those of the elements that ran; got "
            f"{step.label}, which is gone. Keep the loss, or record with "
            'tg.explain.record(keep="arrays")'
        )

    # -- the graph -------------------------------------------------------------------------

    def node_or_none(self, key: int) -> Node | None:
        """Return the place of a value in the graph, if it is still there."""
        reference = self.values[key]._node
        return None if reference is None else reference()

    def require_graph(self, key: int) -> str:
        """Return why the graph behind a value cannot be walked back; nothing if it can."""
        kept = self.values[key]
        if not kept.requires_grad:
            return f"{self.names[key]} depends on nothing that requires a gradient"
        node = self.node_or_none(key)
        if node is None:
            return "the graph is gone; keep the loss, and ask before it is let go"
        if node.freed or (node.creator is not None and node.creator.freed):
            return (
                "the graph was freed by backward(); ask before it, or walk back with "
                "backward(retain_graph=True)"
            )
        return ""

    def signals(self, seeds: Mapping[int, Array], wanted: Sequence[int]) -> dict[int, Array]:
        """Walk back from error signals at some values; return those of others, by key.

        The graph stays, and no ``.grad`` is written.
        """
        with unobserved():
            roots = [(self.stands_for(key), self.signal_of(key, seeds[key])) for key in seeds]
            found = signals_at([self._node(key) for key in wanted], roots, True, False)
        at = {key: found.get(self._node(key)) for key in wanted}
        return {key: np.asarray(each._value) for key, each in at.items() if each is not None}

    def _node(self, key: int) -> Node:
        node = self.node_or_none(key)
        if node is None:
            raise GraphError(f"{self.operation}: {self.require_graph(key)}")
        return node

    def stands_for(self, key: int) -> Variable:
        """Return a variable at a value's place: a walk asks for the place alone."""
        kind = Scalar if self.values[key].device == "scalar" else Tensor
        return kind.wrap(None, self._node(key))

    def signal_of(self, key: int, numbers: Array, requires_grad: bool = False) -> Variable:
        """Return numbers as an error signal of a value: of its kind and type."""
        kept = self.values[key]
        if kept.device == "scalar":
            return Scalar(float(numbers), requires_grad=requires_grad)
        return tensor(np.asarray(numbers, kept.dtype), requires_grad=requires_grad)


def is_maps(kept: Kept) -> bool:
    """Return whether a value is maps of numbers, shape (N, C, H, W)."""
    return len(kept.shape) == 4 and 0 not in kept.shape and np.dtype(kept.dtype).kind == "f"
