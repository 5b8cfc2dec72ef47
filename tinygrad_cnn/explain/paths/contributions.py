"""Who asked for these maps? δ of joined values by the elements that read them.

In a DenseNet each layer reads the maps of all layers before it, joined by *concatenate*. δ of a
layer's maps is therefore a sum over all later layers of its block, and a table of depth by depth
says how much each of them sent. A small number right of the diagonal is a connection that hardly
matters; a row of them, a layer whose maps nobody uses.

::

                 read by layer 2   layer 3   layer 4
    input              0.8           0.5       0.4
    layer 1            0.9           0.3       0.2
    layer 2                          0.7       0.5

A concatenation only passes on, so what goes through it keeps the name of who sent it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.explain.paths.tagged_walk import walk_with_tags, walkable_elements
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.graph import Node
from tinygrad_cnn.variable import Variable

__all__ = ["ContributionMatrix", "contribution_matrices"]

Array = npt.NDArray[np.float64]

JOINS = "concatenate"


@dataclass(frozen=True)
class ContributionMatrix(Printed):
    """δ of the values that one group of concatenations joins, by who sent it.

    Attributes
    ----------
    sources : tuple of str
        What made each of the joined values, in execution order.
    readers : tuple of str
        The elements that read them, alone or joined.
    norms : ndarray, shape (sources, readers)
        ‖part of δ of the source that the reader sent‖; 0 where it does not read it.
    totals : ndarray, shape (sources,)
        ‖δ‖ of each source: at most the sum of its row, less where parts cancel.
    """

    sources: tuple[str, ...]
    readers: tuple[str, ...]
    norms: Array
    totals: Array

    @property
    def shares(self) -> Array:
        """Each row divided by its sum."""
        sums = self.norms.sum(1, keepdims=True)
        return np.divide(self.norms, sums, out=np.zeros_like(self.norms), where=sums > 0)

    def __str__(self) -> str:
        letters = [f"r{k}" for k in range(1, len(self.readers) + 1)]
        table = [("δ of what was made by", "‖δ‖", *letters)]
        for source, total, row in zip(self.sources, self.totals, self.norms, strict=True):
            table.append((source, f"{total:.2g}", *(f"{x:.2g}" if x else "·" for x in row)))
        named = (f"  {letter} = {name}" for letter, name in zip(letters, self.readers, strict=True))
        return "\n".join(["‖part of δ‖ by the element that sent it", *text_table(table), *named])


def contribution_matrices(result: Variable) -> tuple[ContributionMatrix, ...]:
    """Tell, for each group of joined values, how much of δ each of their readers sent.

    Parameters
    ----------
    result : Scalar or Tensor of one element
        Usually a loss, not yet walked back from, or with ``retain_graph=True``.

    Returns
    -------
    tuple of ContributionMatrix
        One for each group of values that concatenations join, directly or one after the other,
        such as a dense block; in execution order.

    Raises
    ------
    DTypeError
        If it is no Scalar or Tensor.
    GraphError
        If the graph was freed, the result is not one number, or nothing in it is concatenated.

    References
    ----------
    .. [1] G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely connected convolutional
       networks", CVPR 2017, section 5 and figure 5 (there for weights, here for δ).

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    >>> y = tg.concatenate((x, x.tanh()), 1)
    >>> y = tg.concatenate((y, y.exp()), 1)
    >>> (matrix,) = contribution_matrices(y.sum())
    >>> matrix.sources, matrix.readers
    (('x', 'tanh', 'exp'), ('tanh', 'exp', 'sum'))
    >>> (matrix.norms > 0).tolist()
    [[True, True, True], [False, True, True], [False, False, True]]
    """
    elements = walkable_elements("contribution_matrices", result)
    groups = _groups(elements)
    if not groups:
        raise GraphError(
            "contribution_matrices: it is about values that are joined; got a graph of "
            f"{len(elements)} elements without a concatenation"
        )

    def new_tag(element: FunctionElement, position: int, tag: int) -> int:
        return tag if element.name == JOINS else element.order

    sources = [node for group in groups for node in group]
    found = walk_with_tags(result, elements, sources, new_tag, lambda e: e.name != JOINS)
    labels = {element.order: _label(element) for element in elements}
    return tuple(_matrix(group, found, labels) for group in groups)


def _matrix(
    group: list[Node], found: dict[Node, dict[int, Variable]], labels: dict[int, str]
) -> ContributionMatrix:
    parts = [
        {tag: np.asarray(part._value, np.float64) for tag, part in found.get(node, {}).items()}
        for node in group
    ]
    tags = sorted({tag for each in parts for tag in each})
    norms = [[_norm(each[tag]) if tag in each else 0.0 for tag in tags] for each in parts]
    totals = [_norm(np.sum(list(each.values()), axis=0)) if each else 0.0 for each in parts]
    sources = (n.name or (_label(n.creator) if n.creator is not None else "input") for n in group)
    readers = (labels.get(tag, "the result itself") for tag in tags)
    return ContributionMatrix(tuple(sources), tuple(readers), np.array(norms), np.array(totals))


def _norm(value: Array) -> float:
    return float(np.sqrt(np.square(value).sum()))


def _label(element: FunctionElement) -> str:
    return f"{element.scope}.{element.name}" if element.scope else element.name


def _groups(elements: Iterable[FunctionElement]) -> list[list[Node]]:
    """Return the values that concatenations join, those of one chain together."""
    leader: dict[Node, Node] = {}  # towards the one that stands for a group

    def leader_of(node: Node) -> Node:
        while (above := leader.setdefault(node, node)) is not node:
            leader[node] = leader[above]  # half the way for the next one who asks
            node = above
        return node

    for element in elements:
        if element.name == JOINS:
            joined = [n for n, w in zip(element.inputs, element.wanted, strict=True) if w]
            made = (node for reference in element.outputs if (node := reference()) is not None)
            for node in (*joined, *made):
                leader[leader_of(node)] = leader_of(joined[0])
    groups: dict[Node, list[Node]] = {}
    for node in sorted(leader, key=_age):
        if node.creator is None or node.creator.name != JOINS:
            groups.setdefault(leader_of(node), []).append(node)
    return list(groups.values())


def _age(node: Node) -> int:
    return 0 if node.creator is None else node.creator.order
