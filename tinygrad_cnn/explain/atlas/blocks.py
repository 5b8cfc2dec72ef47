"""Elements of a block stand together: those of layers with one path but for its last part."""

from collections.abc import Iterator, Sequence

from tinygrad_cnn.explain.atlas.plates import Plate

__all__ = ["blocks_of", "caption_of", "parents_of"]


def blocks_of(plates: Sequence[Plate]) -> Iterator[tuple[str, list[int]]]:
    """Yield the path of each block, and the places of its elements; in execution order.

    A block is what lies below a numbered part of a path, ``layer1.0``, or below a named one.
    Elements that lie in none have the empty path.
    """
    parents = parents_of(plates)
    current: str | None = None
    places: list[int] = []
    for place, plate in enumerate(plates):
        inside = plate.scope if plate.scope in parents else _parent(plate.scope)
        path = _cut(inside)
        if path != current and places:
            yield current or "", places
            places = []
        current = path
        places.append(place)
    if places:
        yield current or "", places


def parents_of(plates: Sequence[Plate]) -> set[str]:
    """Return the paths that have layers below them."""
    return {_parent(plate.scope) for plate in plates if plate.scope}


def caption_of(plate: Plate, block: str, parents: set[str]) -> str:
    """Return what an element is called within its block: by its layer, where that has a name."""
    if not plate.scope or plate.scope in parents:
        return plate.element
    name = plate.scope.removeprefix(f"{block}.")
    return f"{name} {plate.element}" if name.isdigit() else name


def _parent(scope: str) -> str:
    return scope.rpartition(".")[0]


def _cut(path: str) -> str:
    """Return a path up to its first number: ``layer1.0.gate`` lies in ``layer1.0``."""
    parts = path.split(".")
    for place, part in enumerate(parts):
        if part.isdigit():
            return ".".join(parts[: place + 1])
    return path
