"""Tables of plain text: cells in columns as wide as their longest."""

from collections.abc import Collection, Sequence

__all__ = ["text_table"]


def text_table(
    rows: Sequence[Sequence[str]], right: Collection[int] = (), indent: str = "  "
) -> list[str]:
    """Return the lines of a table, two blanks between columns.

    Parameters
    ----------
    rows : sequence of sequence of str
        All with as many cells.
    right : collection of int
        Columns, from 0, whose cells end below each other, as numbers do.

    indent : str
        What stands in front of each line.

    Examples
    --------
    >>> text_table([("leaf", "paths"), ("x", "8")], right=[1])
    ['  leaf  paths', '  x         8']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        indent
        + "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
