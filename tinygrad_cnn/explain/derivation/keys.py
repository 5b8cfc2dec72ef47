"""Index forms of what a key picks, and of what is put where it would pick.

Whole numbers and slices are arithmetic: ``y[k] = x[2·k+1]``. Arrays of places and masks become
tables, of which a formula reads one number for each axis: ``y[k'] = x[key0[k'],key1[k']]``.
"""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Condition,
    Expression,
    Number,
    Symbol,
    equals,
    expression,
    sum_over,
)
from tinygrad_cnn.explain.derivation.forms import (
    Equation,
    IndexForm,
    Letters,
    Place,
    form,
    letters_for,
    primed,
    sizes,
)
from tinygrad_cnn.graph import Shape


class _Key(NamedTuple):
    """A key in letters: of the whole array, of what is picked, and how each reads the other."""

    whole: Letters
    picked: Letters
    read: tuple[Expression, ...]  # index into the whole, in letters of what is picked
    over: tuple[tuple[Symbol, int], ...]  # letters of what is picked that nothing determines
    back: tuple[Expression, ...]  # index into what is picked, in letters of the whole
    where: tuple[Condition, ...]  # that a place of the whole is picked at all

    def pick(self, array: Array) -> Equation:
        """Read an array at the key."""
        return Equation(self.picked, array[self.read])

    def put(self, array: Array) -> Equation:
        """Add up what a key puts to each place."""
        return Equation(self.whole, sum_over(self.over, array.padded(*self.back), *self.where))


def _slices(parts: tuple[Any, ...], shape: Shape) -> _Key:
    """Write out a key of whole numbers and slices: one letter for each axis."""
    whole = letters_for(shape)
    rest = (slice(None),) * (len(shape) - len(parts))
    picked, read, back, where = [], list[Expression](), list[Expression](), []
    for letter, part, size in zip(whole, (*parts, *rest), shape, strict=True):
        if isinstance(part, int):
            read.append(Number(part % size))
            where.append(equals(letter, part % size))
            continue
        first, _, step = part.indices(size)
        picked.append(letter)
        read.append(letter * step + first)
        ahead = letter - first if step > 0 else first - letter
        back.append(ahead // abs(step))
        where.append(equals(ahead % abs(step), 0))
    return _Key(whole, tuple(picked), tuple(read), (), tuple(back), tuple(where))


def _tables(key: Any, shape: Shape) -> _Key:
    """Write out any key, by the places that it picks from each axis."""
    parts = key if isinstance(key, tuple) else (key,)
    places = np.indices(shape)[(slice(None), *parts)]
    whole, picked = letters_for(shape), primed(letters_for(places.shape[1:]))
    read = [
        _place(f"key{axis}", table, picked) if size != 1 else expression(0)
        for axis, (table, size) in enumerate(zip(places, shape, strict=True))
    ]
    found: dict[Symbol, Expression] = {
        letter: own
        for letter, own in zip(read, whole, strict=True)
        if isinstance(letter, Symbol) and read.count(letter) == 1
    }
    where = [equals(each, own) for each, own in zip(read, whole, strict=True) if each not in found]
    over = [pair for pair in sizes(picked, places.shape[1:]) if pair[0] not in found]
    back = tuple(found.get(letter, letter) for letter in picked)
    size_one = {letter for letter, size in over if size == 1}
    back = tuple(Number(0) if letter in size_one else letter for letter in back)
    return _Key(whole, picked, tuple(read), tuple(over), back, tuple(where))


def _place(name: str, table: Any, picked: Letters) -> Expression:
    """Return where a key reads along one axis: a letter, or a table of the letters it depends on.

    Along other axes the table says the same everywhere, and is read at their beginning.
    """
    index: list[Expression] = []
    for axis, (letter, size) in enumerate(zip(picked, table.shape, strict=True)):
        first = np.take(table, [0], axis) if size else table
        same = bool((table == first).all())
        table = first if same else table
        index.append(Number(0) if same else letter)
    own = [letter for letter in index if isinstance(letter, Symbol)]
    flat = table.reshape([size for size in table.shape if size != 1] if table.size else (0,))
    if len(own) == 1 and np.array_equal(flat, np.arange(flat.size)):
        return own[0]
    if not own and table.size:
        return Number(int(table.flat[0]))
    return Array(name, flat)[tuple(own)]


def _key_of(place: Place, shape: Shape) -> _Key:
    key = place.settings["key"]
    parts = key if isinstance(key, tuple) else (key,)
    if all(type(part) in (int, slice) for part in parts):
        return _slices(parts, shape)
    return _tables(key, shape)


@form("index")
def picked(place: Place) -> IndexForm:
    """Write out what a key picks, and δ put back there, repeated places added up."""
    key = _key_of(place, place.inputs[0].data.shape)
    form = IndexForm(key.pick(place.inputs[0]))
    if place.signals[0] is not None:
        form.signals[0] = key.put(place.signal())
    return form


@form("place")
def put(place: Place) -> IndexForm:
    """Write out values put where a key would pick them, and δ picked there."""
    key = _key_of(place, place.outputs[0].data.shape)
    form = IndexForm(key.put(place.inputs[0]))
    if place.signals[0] is not None:
        form.signals[0] = key.pick(place.signal())
    return form
