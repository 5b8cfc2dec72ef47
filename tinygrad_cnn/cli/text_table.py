"""Tables as plain text, the same on a terminal and in a file."""

import io
from collections.abc import Iterable, Sequence

__all__ = ["text_table"]


def text_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()
) -> str:
    """Return rows under headings; no line is broken.

    Parameters
    ----------
    columns : sequence of str
    rows : iterable of sequence of str
    numbers : sequence of str
        The columns that stand to the right.

    Examples
    --------
    >>> print(text_table(["file", "pages"], [["a.txt", "5"], ["long.txt", "100"]], ["pages"]))
     file       pages
    ──────────────────
     a.txt          5
     long.txt     100
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for title in columns:
        table.add_column(title, justify="right" if title in numbers else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    text = io.StringIO()
    Console(file=text, width=1000, color_system=None, markup=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip())
