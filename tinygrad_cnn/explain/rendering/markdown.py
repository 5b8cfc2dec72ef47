"""A recorded run as two tables in Markdown: forward, and backward in the order it was walked."""

from collections.abc import Iterable, Sequence

from tinygrad_cnn.explain.folding import Item, Repeat, fold, unfold
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.notes import notes
from tinygrad_cnn.explain.recording import Step
from tinygrad_cnn.explain.rendering.notebook import MarkdownText
from tinygrad_cnn.explain.story import Column, backward_columns, forward_columns, headline
from tinygrad_cnn.variable import Variable

__all__ = ["markdown"]


def markdown(result: Variable | GraphDump, folded: bool = True) -> str:
    """Write how a value was computed, and what came back, as tables.

    Parameters
    ----------
    result, folded
        As of :func:`~tinygrad_cnn.explain.svg`. Figures of a repeated block are those of the
        first time.

    Returns
    -------
    str
        Markdown, with the tables of GitHub.

    Raises
    ------
    DTypeError, GraphError
        As :func:`~tinygrad_cnn.explain.svg` does.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.5, requires_grad=True, name="x")
    >>> with tg.explain.record():
    ...     y = x.exp()
    >>> print(markdown(y).split("## Backward")[0].rstrip())
    # exp
    <BLANKLINE>
    composite function of 1 element: result 1.649
    <BLANKLINE>
    ## Forward
    <BLANKLINE>
    | # | element | shapes | rule |
    | ---: | --- | --- | --- |
    | 1 | exp | scalar → scalar | y = exp(x) = exp(0.5) = 1.649 |
    """
    graph = graph_of("markdown", result)
    items = fold(graph, 4 if folded else None)
    steps, kept = graph.steps, graph.recorded
    scalars = all(kept.device == "scalar" for step in steps for kept in step.outputs)
    title = graph.title or steps[-1].label
    lines = [f"# {_plain(title)}", "", headline(graph), "", "## Forward", ""]
    lines += _table(forward_columns(kept, scalars, ()), items, steps, backward=False)
    lines += ["", "## Backward", ""]
    if any(kept.requires_grad for step in steps for kept in step.outputs):
        lines += _table(backward_columns(kept, scalars, ()), items, steps, backward=True)
    else:
        lines.append("Nothing here requires a gradient.")
    if remarks := notes(steps, kept):
        lines += ["", *(f"* {_plain(remark)}" for remark in remarks)]
    return MarkdownText("\n".join(lines) + "\n")


def _table(
    columns: Sequence[Column], items: Sequence[Item], steps: Sequence[Step], backward: bool
) -> list[str]:
    titles = ["#", *(_plain(column.title) for column in columns)]
    rows = [_row(titles), _row(["---:", *["---"] * len(columns)])]
    return rows + list(_rows(columns, items, steps, backward))


def _rows(
    columns: Sequence[Column], items: Iterable[Item], steps: Sequence[Step], backward: bool
) -> Iterable[str]:
    for item in reversed(list(items)) if backward else items:
        if isinstance(item, Repeat):
            yield _row(["", f"**{_times(item)}:**", *[""] * (len(columns) - 1)])
            yield from _rows(columns, item.items, steps, backward)
            yield _row(["", f"**end of ×{item.times}**", *[""] * (len(columns) - 1)])
            continue
        step = steps[item.place]
        if not backward or any(kept.requires_grad for kept in step.outputs):
            cells = (_plain(column.cell(step)) for column in columns)
            yield _row([str(item.place + 1), *cells])


def _times(repeat: Repeat) -> str:
    """Say which elements come how often."""
    elements = list(unfold([repeat]))
    first, size = elements[0].place + 1, len(elements) // repeat.times
    return f"×{repeat.times}: {first} to {first + size - 1}, up to {elements[-1].place + 1}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Write a text so that Markdown takes no letter of it for its own."""
    for letter in "\\`*_[]<|":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("\n", " ")
