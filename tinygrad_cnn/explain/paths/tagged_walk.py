"""The walk backward with tags: error signals that stay apart, by how they came.

Each element's backward is linear in δ. So δ may be cut into parts, each part sent on alone, and
at the end the parts add up to what an ordinary walk brings. What tells the parts apart is a
*tag*, which changes as a part passes an element: a count of branches taken splits δ by the
length of the way, the name of the last reader splits it by who asked.
"""

from collections.abc import Callable, Collection
from typing import Any

from tinygrad_cnn import hooks
from tinygrad_cnn.device import require_variables
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.graph import Node, elements_behind, no_grad
from tinygrad_cnn.kernels.stand_in import is_stand_in
from tinygrad_cnn.variable import Variable

Parts = dict[int, Variable]  # by their tag
NewTag = Callable[[FunctionElement, int, int], int]  # of (element, position of input, tag before)


def walkable_elements(operation: str, result: Any) -> list[FunctionElement]:
    """Return the elements behind a number whose graph can be walked, or refuse it."""
    require_variables(operation, result)
    if not result.requires_grad or result.creator is None:
        raise GraphError(
            f"{operation}: it walks back from a computed value that requires a gradient; got "
            f"{result.name or 'a leaf'} of shape {result.shape}"
        )
    if result._size() != 1 or is_stand_in(result._value):
        raise GraphError(
            f"{operation}: it starts from one number, usually a loss; got shape {result.shape} on "
            f"{result.device!r}. Reduce it with sum() or mean()"
        )
    elements = elements_behind(result.node)
    if result.node.freed or any(e.freed or e.rests_on_freed for e in elements):
        raise GraphError(
            f"{operation}: it walks the graph once more; got one that a walk has freed. Call "
            f"backward(retain_graph=True), or {operation} before backward()"
        )
    for element in elements:
        for _, _, version, count in element._saved.values():
            if version.count != count:
                element.refuse_changed()
    return elements


def walk_with_tags(
    result: Variable,
    elements: list[FunctionElement],
    wanted: Collection[Node],
    new_tag: NewTag,
    joins: Callable[[FunctionElement], bool] = lambda element: False,
) -> dict[Node, Parts]:
    """Walk back from a number and return δ of some nodes in parts.

    Parameters
    ----------
    result : Variable
        The walk starts here, with 1 and the tag 0.
    elements : list of FunctionElement
        Those behind it, in execution order.
    wanted : collection of Node
    new_tag : callable
        ``new_tag(element, position, tag)`` is the tag of what goes to an input.
    joins : callable
        Whether what comes to an element is added up first, to one part of tag 0: right where
        the tags that go out do not depend on those that come in, and cheaper.

    Returns
    -------
    dict of Node to dict of int to Variable
        Without the nodes that no error signal reached.
    """
    parts: dict[Node, Parts] = {result.node: {0: result._ones()}}
    found: dict[Node, Parts] = {}
    with no_grad(), hooks.unobserved():
        for element in reversed(elements):
            arrived = []
            for reference in element.outputs:
                node = reference()
                arrived.append({} if node is None else parts.pop(node, {}))
                if node is not None and node in wanted and arrived[-1]:
                    found[node] = arrived[-1]
            if joins(element):
                arrived = [{0: added_up(each)} if each else {} for each in arrived]
            for tag in sorted({tag for each in arrived for tag in each}):
                incoming = element.propagate(tuple(each.get(tag) for each in arrived))
                sent = zip(element.inputs, incoming, strict=True)
                for position, (node, signal) in enumerate(sent):
                    if signal is not None:
                        there = parts.setdefault(node, {})
                        add_part(there, new_tag(element, position, tag), signal)
    return found | {node: parts[node] for node in wanted if node in parts}


def add_part(parts: Parts, tag: int, signal: Variable) -> None:
    """Add a signal to those that are there, in memory of its own."""
    present: Any = parts.get(tag)
    parts[tag] = signal if present is None else present + signal


def added_up(parts: Parts) -> Variable:
    """Return the sum of all parts."""
    total, *others = parts.values()
    for other in others:
        total = total + other  # type: ignore[operator]  # Scalar and Tensor add
    return total
