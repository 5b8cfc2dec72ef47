"""What is drawn as one: the elements of a layer, a stage, a block that repeats.

A group is a stretch of the execution order, so groups can be placed like elements: whatever one
group needs of another was computed before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile

from tinygrad_cnn.explain.folding import Element, Item, Repeat, unfold

Path = tuple[str, ...]
FEWEST = 4  # elements in a frame; fewer say by their names what they belong to


@dataclass(eq=False)
class Group:
    """Elements in a frame.

    Attributes
    ----------
    title : str
        The path of the layer, or those of the first and last block.
    path : tuple of str
        What the scopes of its elements begin with.
    times : int
        How often it comes; `members` are those of the first time.
    members : list of Element or Group
    """

    title: str
    path: Path
    times: int = 1
    members: "list[Element | Group]" = field(default_factory=list)

    def elements(self) -> list[Element]:
        """Return the elements inside, also of groups inside."""
        return [e for m in self.members for e in ([m] if isinstance(m, Element) else m.elements())]


def grouped(items: Sequence[Item]) -> list[Element | Group]:
    """Group folded elements by their scopes and by the blocks that repeat.

    Examples
    --------
    >>> from tinygrad_cnn import explain, nn, zeros
    >>> from tinygrad_cnn.explain.folding import fold
    >>> inner = nn.Linear(2, 2), nn.Tanh(), nn.ReLU(), nn.Sigmoid()
    >>> net = nn.Sequential(nn.Sequential(*inner), nn.Linear(2, 3))
    >>> members = grouped(fold(explain.dump(net(zeros(1, 2)))))
    >>> [member.title if isinstance(member, Group) else member.scope for member in members]
    ['0', '1']
    """
    members = _grouped(items, ())
    drawn = len(_flat(members))
    # A frame around nearly everything says little, and keeps the drawing in one column.
    while any(_spans(member, drawn) for member in members):
        members = [
            inner
            for member in members
            for inner in (
                member.members if isinstance(member, Group) and _spans(member, drawn) else [member]
            )
        ]
    return members


def _spans(member: Element | Group, drawn: int) -> bool:
    if isinstance(member, Element) or member.times > 1:
        return False
    return len(member.elements()) > max(8, drawn / 2)


def _flat(members: Iterable[Element | Group]) -> list[Element]:
    return Group("", (), 1, list(members)).elements()


def _grouped(items: Iterable[Item], path: Path) -> list[Element | Group]:
    found: list[Element | Group] = []
    for component, run in groupby(items, lambda item: _path(item)[len(path) :][:1]):
        members = list(run)
        if not component:
            found += [_repeated(m) if isinstance(m, Repeat) else m for m in members]
            continue
        inner = _grouped(members, path + component)
        if len(inner) == 1 or len(_flat(inner)) < FEWEST:
            found += inner
        else:
            below = path + component
            found.append(Group(".".join(below), below, 1, inner))
    return found


def _path(item: Item) -> Path:
    if isinstance(item, Element):
        return tuple(item.scope.split(".")) if item.scope else ()
    return _shared(unfold((item,)))


def _shared(elements: Iterable[Element]) -> Path:
    """Return what all scopes begin with."""
    together = zip(*map(_path, elements), strict=False)
    return tuple(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, together))


def _repeated(repeat: Repeat) -> Group:
    elements = list(unfold((repeat,)))
    size = len(elements) // repeat.times
    first, last = _shared(elements[:size]), _shared(elements[-size:])
    ends = [".".join(path) for path in (first, last)]
    if first == last:  # layers that are numbered one by one
        ends = [elements[0].scope, elements[-1].scope]
    title = " … ".join(ends) if ends[0] != ends[1] else ends[0]
    return Group(title, first, repeat.times, _grouped(repeat.items, first))
