"""A recorded run in DOT, the language of Graphviz, for those who want to draw it their own way.

Nothing here needs Graphviz: :func:`~tinygrad_cnn.explain.svg` draws without it.
"""

from collections.abc import Iterable

from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.rendering.groups import Group
from tinygrad_cnn.explain.rendering.plan import Card, Plan, Value
from tinygrad_cnn.explain.story import number_text
from tinygrad_cnn.variable import Variable

__all__ = ["dot"]


def dot(result: Variable | GraphDump, folded: bool = True) -> str:
    r"""Write the graph behind a value in DOT: clusters are layers and repeated blocks.

    Parameters
    ----------
    result, folded
        As of :func:`~tinygrad_cnn.explain.svg`.

    Returns
    -------
    str
        One ``digraph``.

    Raises
    ------
    DTypeError, GraphError
        As :func:`~tinygrad_cnn.explain.svg` does.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.5, requires_grad=True, name="x")
    >>> print(dot(x.exp()))
    digraph "composite function" {
      node [shape=box, style=rounded, fontname="monospace", fontsize=10];
      edge [fontname="monospace", fontsize=8];
      leaf1_0 [label="x\nscalar", tooltip="x scalar", shape=ellipse];
      element1 [label="exp\nscalar", tooltip="exp: y = exp(x)", penwidth=2];
      leaf1_0 -> element1 [tooltip="x scalar"];
    }
    <BLANKLINE>
    """
    graph = graph_of("dot", result)
    plan = Plan(graph, folded)
    lines = [
        f"digraph {quoted(graph.title or 'composite function')} {{",
        '  node [shape=box, style=rounded, fontname="monospace", fontsize=10];',
        '  edge [fontname="monospace", fontsize=8];',
        *_cluster(plan, plan.top, "  "),
        *(f"  {line}" for line in _edges(plan)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    r"""Write a text as a DOT string: in quotes, line ends as ``\n``.

    Examples
    --------
    >>> print(quoted('a "b" \\ c'))
    "a \"b\" \\ c"
    """
    for letter, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", " ")):
        text = text.replace(letter, written)
    return f'"{text}"'


def _cluster(plan: Plan, group: Group, indent: str) -> Iterable[str]:
    for value in plan.owners.get(group, []):
        yield f"{indent}{_leaf(value)} [{_attributes(plan.cards[value])}, shape=ellipse];"
    for member in group.members:
        if isinstance(member, Group):
            first = member.elements()[0].place + 1
            times = f" ×{member.times}" if member.times > 1 else ""
            yield f"{indent}subgraph cluster{first}_{len(indent) // 2} {{"
            yield f"{indent}  label={quoted(member.title + times)};"
            yield from _cluster(plan, member, f"{indent}  ")
            yield f"{indent}}}"
            continue
        card = plan.cards[member.place]
        yield f"{indent}{_element(member.place)} [{_attributes(card)}];"
        for value, chip in zip(plan.chips.get(member.place, ()), card.chips, strict=True):
            tooltip = quoted(chip.hint)
            label = f"label={quoted(chip.text)}, tooltip={tooltip}, shape=plaintext, fontsize=8"
            yield f"{indent}{_leaf(value)} [{label}];"


def _attributes(card: Card) -> str:
    bold = ", penwidth=2" if card.result else ""
    return f"label={quoted(chr(10).join(card.lines))}, tooltip={quoted(card.hint)}{bold}"


def _edges(plan: Plan) -> Iterable[str]:
    for place, values in plan.reads.items():
        chips = plan.chips.get(place, ())
        for slot, value in enumerate(values):
            tail = _element(value[0]) if plan.made[value] else _leaf(value)
            norm = plan.norm(value, (place, slot))
            hint = plan.hint(value)
            if norm is not None:
                hint += f", ‖δ‖ {number_text(norm)}"
            dotted = ", style=dotted, arrowhead=none" if value in chips else ""
            yield f"{tail} -> {_element(place)} [tooltip={quoted(hint)}{dotted}];"


def _element(place: int) -> str:
    return f"element{place + 1}"


def _leaf(value: Value) -> str:
    return f"leaf{value[0] + 1}_{value[1]}"
