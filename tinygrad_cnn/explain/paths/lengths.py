"""δ by the length of its way: a residual network as many networks, short ones and long ones.

Each residual block offers two ways, ``y = F(x) + x``: the branch F and the shortcut. A path to a
weight in front of n blocks takes some of the branches and passes the others by, so there are
``C(n, l)`` paths through l branches, 2ⁿ in all. How much of δ came by those of each length? δ is
carried as a polynomial ``Σ_l δ_l t^l`` through one walk; each branch multiplies by t. At t = 1
it is the δ that backward() leaves.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.device import require_variables
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.explain.paths.counts import written_count
from tinygrad_cnn.explain.paths.tagged_walk import walk_with_tags, walkable_elements
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.graph import Node
from tinygrad_cnn.variable import Variable

__all__ = ["LengthSplit", "LengthSplits", "split_by_length"]

Array = npt.NDArray[np.float64]
Branch = tuple[int, int]  # the order of an addition, and which of its inputs is the branch

ADDITIONS = ("add", "add_relu")
BAR = 40  # characters of the longest bar


@dataclass(frozen=True)
class LengthSplit(Printed):
    """δ of one value, by how many residual branches it passed.

    Attributes
    ----------
    value : str
    paths : tuple of int
        Number of paths through 0, 1, 2 … branches.
    parts : tuple of ndarray, each of the shape of the value
        What came by the paths of each length; they add up to δ.
    """

    value: str
    paths: tuple[int, ...]
    parts: tuple[Array, ...]

    @property
    def total(self) -> Array:
        """δ: the sum of the parts."""
        return np.sum(self.parts, axis=0)

    @property
    def norms(self) -> tuple[float, ...]:
        """Euclidean norms of the parts."""
        return tuple(float(np.sqrt(np.square(part).sum())) for part in self.parts)

    @property
    def mean_length(self) -> float:
        """Branches passed, on average over the norms of the parts."""
        norms = np.array(self.norms)
        return float(np.arange(len(norms)) @ norms / norms.sum()) if norms.sum() else 0.0

    def __str__(self) -> str:
        norms, largest = self.norms, max(self.norms) or 1.0
        table = [("branches", "paths", "‖δ part‖", "share of Σ‖·‖", "")]
        for length, (count, norm) in enumerate(zip(self.paths, norms, strict=True)):
            if count:
                share = norm / (sum(norms) or 1.0)
                bar = "█" * round(BAR * norm / largest)
                table.append(
                    (str(length), written_count(count), f"{norm:.3g}", f"{share:.1%}", bar)
                )
        total = float(np.sqrt(np.square(self.total).sum()))
        return "\n".join(
            [
                f"δ of {self.value} by residual branches passed: ‖δ‖ {total:.3g}, "
                f"{self.mean_length:.1f} branches on average by norm, "
                f"{self._mean_by_count():.1f} by number of paths",
                *text_table(table),
            ]
        )

    def _mean_by_count(self) -> float:
        return sum(k * count for k, count in enumerate(self.paths)) / (sum(self.paths) or 1)


@dataclass(frozen=True)
class LengthSplits(Printed):
    """What :func:`split_by_length` found, for each value; ``print`` shows tables."""

    splits: tuple[LengthSplit, ...]
    blocks: int  # residual additions behind the result

    def __str__(self) -> str:
        return "\n\n".join([f"{self.blocks} residual additions", *map(str, self.splits)])


def split_by_length(
    result: Variable,
    values: Variable | Sequence[Variable],
    is_branch: Callable[[FunctionElement, int], bool] | None = None,
) -> LengthSplits:
    """Split δ of values by the number of residual branches that it came through.

    Parameters
    ----------
    result : Scalar or Tensor of one element
        Usually a loss, not yet walked back from, or with ``retain_graph=True``.
    values : Scalar or Tensor, or sequence of them
        What it was computed from: parameters, or values on the way.
    is_branch : callable, optional
        ``is_branch(element, position)`` tells whether what goes to this input of an element has
        passed one branch more. By default, at each sum of two values that both depend on a third:
        the summand that is more elements away from where the network begins.

    Returns
    -------
    LengthSplits

    Raises
    ------
    DTypeError
        If something is no Scalar or Tensor.
    GraphError
        If the graph was freed, the result is not one number, or it does not depend on a value.
    OptionError
        If there are no values.

    Notes
    -----
    One walk, in which an element runs once for each length that has come to it: the parts of a
    net of n blocks cost about n/2 walks, and not 2ⁿ. A hook on a value is not called.

    References
    ----------
    .. [1] A. Veit, M. Wilber, S. Belongie, "Residual networks behave like ensembles of
       relatively shallow networks", NIPS 2016, section 3 and figure 6.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(1.0, requires_grad=True, name="x")
    >>> y = x
    >>> for _ in range(2):
    ...     y = y + y * 0.5
    >>> split = split_by_length(y, x).splits[0]
    >>> split.paths, [part.item() for part in split.parts], split.total.item()
    ((1, 2, 1), [1.0, 1.0, 0.25], 2.25)
    """
    elements = walkable_elements("split_by_length", result)
    given: list[Any] = [values]
    if isinstance(values, Iterable) and not isinstance(values, Variable):
        given = list(values)
    require_variables("split_by_length", *given)
    if not given:
        raise OptionError("split_by_length: it splits δ of some values; got none")
    nodes = {value.node for value in given}
    branches = residual_branches(elements) if is_branch is None else set[Branch]()

    def new_tag(element: FunctionElement, position: int, tag: int) -> int:
        taken = (
            (element.order, position) in branches
            if is_branch is None
            else is_branch(element, position)
        )
        return tag + bool(taken)

    found = walk_with_tags(result, elements, nodes, new_tag)
    counts = _paths(result.node, elements, new_tag)
    splits = []
    for place, value in enumerate(given):
        parts, called = found.get(value.node), value.name or f"value {place}"
        if parts is None:
            raise GraphError(
                "split_by_length: the result depends on each value; got no error signal for "
                f"{called} of shape {value.shape}"
            )
        count = counts[value.node]
        lengths = range(max(count) + 1)
        arrays = (
            np.array(parts[k]._value, np.float64) if k in parts else np.zeros(value.shape)
            for k in lengths
        )
        splits.append(LengthSplit(called, tuple(count[k] for k in lengths), tuple(arrays)))
    return LengthSplits(tuple(splits), len(branches))


def residual_branches(elements: Iterable[FunctionElement]) -> set[Branch]:
    """Find the residual additions, and which of the two summands comes from the branch.

    Both summands depend on one value that error signals reach; the one that is further from the
    beginning comes through the branch, the other by the shortcut.
    """
    depth: dict[Node, int] = {}
    behind: dict[Node, int] = {}  # a set of nodes, as the bits of a whole number
    branches: set[Branch] = set()
    for element in elements:
        wanted = [n for n, w in zip(element.inputs, element.wanted, strict=True) if w]
        for node in wanted:
            behind.setdefault(node, 1 << len(behind))
        if element.name in ADDITIONS and len(wanted) == 2:
            one, other = wanted
            depths = depth.get(one, 0), depth.get(other, 0)
            if behind[one] & behind[other] and depths[0] != depths[1]:
                branches.add((element.order, int(depths[1] > depths[0])))
        below = 0
        for node in wanted:
            below |= behind[node]
        for reference in element.outputs:
            made = reference()
            if made is not None:
                depth[made] = 1 + max((depth.get(node, 0) for node in wanted), default=0)
                behind[made] = below | 1 << len(behind)
    return branches


def _paths(
    result: Node, elements: list[FunctionElement], new_tag: Callable[..., int]
) -> dict[Node, Counter[int]]:
    """Count the paths from each node to the result, by their tag."""
    counts: dict[Node, Any] = {result: Counter({0: 1})}
    for element in reversed(elements):
        outgoing: Counter[int] = Counter()
        for reference in element.outputs:
            node = reference()
            if node is not None and node in counts:
                outgoing.update(counts[node])
        for position, (node, wanted) in enumerate(zip(element.inputs, element.wanted, strict=True)):
            if wanted:
                here = counts.setdefault(node, Counter())
                for tag, count in outgoing.items():
                    here[new_tag(element, position, tag)] += count
    return counts
