"""Tables as plain text."""

from collections.abc import Iterable, Sequence

__all__ = ["plain_table"]


def plain_table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """Return a table without a frame, columns as wide as what is in them.

    Parameters
    ----------
    titles : sequence of str
    rows : iterable of sequences of str
    right : str
        Titles, with commas, of the columns whose texts stand on the right.

    Examples
    --------
    >>> print(plain_table(["run", "epochs"], [["first", "3"], ["second", "12"]], right="epochs"))
     run      epochs
    ─────────────────
     first         3
     second       12
    """
    import io

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False)
    on_the_right = right.split(",")
    for title in titles:
        table.add_column(title, justify="right" if title in on_the_right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    text = io.StringIO()
    Console(file=text, width=400, color_system=None, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip())
