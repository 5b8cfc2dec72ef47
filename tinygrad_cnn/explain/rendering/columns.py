"""A long drawing in several columns, as equal in height as the places to cut allow."""

from collections.abc import Sequence


def columns(
    tops: Sequence[float], bottoms: Sequence[float], cuts: Sequence[int], count: int
) -> list[int]:
    """Return the column of each layer.

    Parameters
    ----------
    tops, bottoms : sequence of float
        Where layers begin and end.
    cuts : sequence of int
        Layers that a column may end with.
    count : int
        The most columns.

    Examples
    --------
    >>> columns([0, 10, 20, 30], [9, 19, 29, 39], [0, 1, 2], 2)
    [0, 0, 1, 1]
    """
    # The lowest height at which so many columns hold it all, by halving.
    low, high = 0.0, max(bottoms, default=0.0)
    while count > 1 and high - low > 1.0:
        middle = (low + high) / 2
        fits = _filled(cuts, tops, bottoms, middle)[-1] < count
        # A column that cannot be cut may be higher than what was asked for.
        low, high = (low, middle) if fits else (middle, high)
    return _filled(cuts, tops, bottoms, high) if count > 1 else [0] * len(tops)


def _filled(
    cuts: Sequence[int], tops: Sequence[float], bottoms: Sequence[float], height: float
) -> list[int]:
    """Fill columns one after the other, cut only below certain layers."""
    found: list[int] = []
    column = first = begun = 0
    for end in (*cuts, len(tops) - 1):
        if begun < first and bottoms[end] - tops[begun] > height:
            column, begun = column + 1, first
        found += [column] * (end + 1 - first)
        first = end + 1
    return found
