"""How many paths of the chain rule lead from each leaf to a value, in whole numbers of any size.

The chain rule says ``δ(x) = Σ over all paths from x to the loss, Π of the derivatives along the
path``. Nobody computes that sum path by path: two readers of each value in a row of n values
make 2ⁿ paths. A walk in topological order adds up where paths meet, once for each value, and so
does counting: the paths from a value are those from each of its readers, added up.
"""

import math
from dataclasses import dataclass

from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.paths.value_labels import labels_of
from tinygrad_cnn.explain.recording import Kept, Step
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.variable import Variable

__all__ = ["PathCount", "PathCounts", "carries_signal", "count_paths", "written_count"]


@dataclass(frozen=True)
class PathCount:
    """The number of paths from a leaf to the result."""

    name: str
    shape: tuple[int, ...]
    paths: int


@dataclass(frozen=True)
class PathCounts(Printed):
    """What :func:`count_paths` counted, for each leaf; ``print`` shows a table."""

    leaves: tuple[PathCount, ...]

    def __getitem__(self, name: str) -> int:
        """Return the paths from a leaf of this name."""
        return next(leaf.paths for leaf in self.leaves if leaf.name == name)

    def __str__(self) -> str:
        table = [("leaf", "shape", "paths to the result")]
        for leaf in self.leaves:
            shape = "x".join(map(str, leaf.shape)) or "scalar"
            table.append((leaf.name, shape, written_count(leaf.paths)))
        return "\n".join(["paths of the chain rule, element by element", *text_table(table)])


def count_paths(result: Variable | GraphDump) -> PathCounts:
    """Count the paths of the chain rule from each leaf that wants a gradient to a value.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss; it need not have been recorded or walked back from.

    Returns
    -------
    PathCounts
        Exact, whatever their size.

    Raises
    ------
    DTypeError, GraphError
        If it is no value of a graph, or no element computed it.

    Notes
    -----
    A path goes from element to element; the many products inside an element count as one step.
    n residual blocks in a row make 2ⁿ paths [1]_.

    References
    ----------
    .. [1] A. Veit, M. Wilber, S. Belongie, "Residual networks behave like ensembles of
       relatively shallow networks", NIPS 2016, section 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(1.0, requires_grad=True, name="x")
    >>> y = x
    >>> for _ in range(30):
    ...     y = y + y
    >>> print(count_paths(y))
    paths of the chain rule, element by element
      leaf  shape   paths to the result
      x     scalar  1,073,741,824
    """
    graph = graph_of("count_paths", result)
    paths = {graph.result.key: 1}
    leaves: dict[int, Kept] = {}
    for step in reversed(graph.steps):
        outgoing = sum(paths.get(kept.key, 0) for kept in step.outputs)
        for position, kept in enumerate(step.inputs):
            if outgoing and carries_signal(step, position):
                paths[kept.key] = paths.get(kept.key, 0) + outgoing
                if kept.is_leaf:
                    leaves[kept.key] = kept
    labels = labels_of(graph)
    first_read = [key for key in labels if key in leaves]
    return PathCounts(
        tuple(PathCount(labels[key], leaves[key].shape, paths[key]) for key in first_read)
    )


def carries_signal(step: Step, position: int) -> bool:
    """Tell whether an error signal goes from an element to one of its inputs."""
    symbol = step.rule.declared_symbol(position)
    return step.inputs[position].requires_grad and symbol in step.rule.backward


def written_count(count: int) -> str:
    """Write a number of paths; long ones with their magnitude."""
    if count < 10**12:
        return f"{count:,}"
    power = count.bit_length() - 1
    if count == 1 << power:
        return f"2^{power} = {count:,}" if count < 10**24 else f"2^{power}"
    return f"{count:,}" if count < 10**24 else f"about 10^{_decimal_magnitude(count)}"


def _decimal_magnitude(count: int) -> int:
    # math.log10 takes whole numbers of any size; str() refuses those of over 4,300 digits.
    return int(math.log10(count))
