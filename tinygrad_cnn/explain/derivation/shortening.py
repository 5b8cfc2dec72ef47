"""Names and lines that stay readable in deep networks.

``features.denseblock3.denselayer2.conv1.weight`` three times in a line hides its formula. What
all names of a line begin with is written once, in its label, and ``…`` elsewhere::

    12  features.denseblock3.denselayer2.…conv1.conv2d:
        δ(…relu1)[n,c,r,q] = Σ_{o<20} δ(…conv1)[n,o,r,q]·…conv1.weight[o,c,0,0]

Long formulas continue on the next line, where brackets are least deep.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tinygrad_cnn.explain.derivation.expression import Value, walk
from tinygrad_cnn.explain.derivation.lines import Line

LEAST = 8  # letters that are worth leaving out
WIDTH = 110  # of a line of text
WHOLE = 100  # how deep in brackets something is that is kept whole
_PATH = re.compile(r"[\w.]*\w\.\w[\w.#]*")


def beginning_of(line: Line) -> str:
    """Return what the label of a line and all dotted names in it begin with; often nothing.

    Examples
    --------
    >>> from tinygrad_cnn.explain.derivation.expression import Array
    >>> import numpy as np
    >>> w, x = Array("layer3.0.conv1.weight", np.zeros(1)), Array("δ(layer3.0.relu1)", np.zeros(1))
    >>> beginning_of(Line("layer3.0.conv1.conv2d", x, (), w[0], 0.0))
    'layer3.0.'
    """
    arrays = [line.left] + [
        part.array
        for part in (walk(line.right) if line.right is not None else ())
        if isinstance(part, Value)
    ]
    names = [path.split(".") for array in arrays for path in _PATH.findall(array.name)]
    paths = [name[:-1] for name in names]
    if "." in line.label:
        names.append(line.label.split("."))
        paths.append(names[-1][:-2])  # of a layer at least its own name stays
    if len(paths) < 2:
        return ""
    first, *others = paths
    count = len(first)
    for other in others:
        same = (one == two for one, two in zip(first, other, strict=False))
        count = min(count, next((k for k, equal in enumerate(same) if not equal), len(other)))
    # What is left of a name begins with a word: not with the 1 of downsample.1.
    while count and any(len(path) > count and path[count].isdigit() for path in names):
        count -= 1
    beginning = "".join(f"{part}." for part in first[:count])
    return beginning if len(beginning) >= LEAST else ""


def unpaired(parts: list[str]) -> list[str]:
    r"""Return parts of a LaTeX formula without ``\left(`` whose ``\right)`` is in another part.

    Examples
    --------
    >>> print(*unpaired([r"a \left(b \left(c\right)", r"+ d\right)"]), sep="\n")
    a \biggl(b \left(c\right)
    + d\biggr)
    """
    marks = re.compile(r"\\(left|right)(?=[(|)])")
    found = []
    for part in parts:
        opened: list[int] = []
        alone: list[tuple[int, str]] = []
        for mark in marks.finditer(part):
            if mark[1] == "left":
                opened.append(mark.start())
            elif opened:
                opened.pop()
            else:
                alone.append((mark.start(), r"\right"))
        alone += [(at, r"\left") for at in opened]
        for at, word in sorted(alone, reverse=True):
            big = r"\biggl" if word == r"\left" else r"\biggr"
            part = part[:at] + big + part[at + len(word) :]
        found.append(part)
    return found


def shortened(name: str, beginning: str) -> str:
    """Return a name with … in place of a beginning, wherever a path in it has it."""
    if not beginning:
        return name
    return re.sub(rf"(?<![\w.]){re.escape(beginning)}", "…", name)


def broken(
    text: str,
    width: int,
    breaks: tuple[str, ...] = (" + ", " - ", "·"),
    deepest: int = WHOLE - 1,
) -> list[str]:
    """Return a long formula in parts, each but the first beginning with what joins it.

    Parts end where brackets are least deep, and no deeper than `deepest`; at sums rather than at
    products.

    Examples
    --------
    >>> broken("a·(b + c) + d·(e - f)", 14)
    ['a·(b + c)', '+ d·(e - f)']
    """
    if len(text) <= width:
        return [text]
    places = [place for place in _places(text, breaks) if place.depth <= deepest]
    parts, start, first = [], 0, 0
    while len(text) - start > width:
        while first < len(places) and places[first].at < start + width // 3:
            first += 1
        near: list[_Place] = []
        for place in places[first:]:
            if place.at > start + width and near:
                break
            near.append(place)
            if place.at > start + width:  # too long, but no longer than it has to be
                break
        if not near:
            break
        best = min(near, key=lambda place: (place.depth, place.rank, -place.at))
        parts.append(text[start : best.at].rstrip())
        start = best.at + (text[best.at] == " ")
    return [*parts, text[start:]]


class _Place(NamedTuple):
    """A spot where a line may be broken: how deep in brackets, at which mark."""

    at: int
    depth: int
    rank: int


def _places(text: str, breaks: tuple[str, ...]) -> Iterator[_Place]:
    """Yield the spots where a line may be broken, from left to right."""
    round_ones = square = braces = 0
    firsts = {mark[0] for mark in breaks} | {"}", ",", " "}
    for at, letter in enumerate(text):
        round_ones += (letter == "(") - (letter == ")")
        square += (letter == "[") - (letter == "]")
        braces += (letter == "{") - (letter == "}")
        if not at or letter not in firsts:
            continue
        # An index, a condition and half of a fraction are never broken. The range of a sum may
        # be, where nothing else is: between its conditions.
        depth = round_ones + WHOLE * (square + braces)
        for rank, mark in enumerate(breaks):
            if text.startswith(mark, at):
                yield _Place(at, depth, rank)
        if text.startswith("} ", at):
            yield _Place(at + 1, depth, len(breaks))
        if braces == 1 and not square and text.startswith((", ", " | "), at):
            yield _Place(at + 1, round_ones + WHOLE // 2, len(breaks))
