"""Where the boxes of a graph stand and how its edges run: a layered drawing, top to bottom.

The method of Sugiyama, Tagawa and Toda (1981), Methods for visual understanding of hierarchical
system structures, IEEE Trans. Systems, Man and Cybernetics 11(2), in four steps:

1. each box goes below all boxes that it reads from (longest path);
2. an edge over several layers gets a place in each layer on its way, so it meets no box;
3. layers are ordered by the mean place of their neighbours (barycentre), sweeping down and up,
   and the order with the fewest crossings is kept;
4. boxes move as near to their neighbours as their order allows: least squares, by pooling
   adjacent violators.

A long drawing is cut where a single value crosses, and goes on in a further column
(:mod:`~tinygrad_cnn.explain.rendering.columns`): in so many that it is about as wide as a page.
"""

import math
from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tinygrad_cnn.explain.rendering.boxes import Arrow, Box, Drawing, Key, Point
from tinygrad_cnn.explain.rendering.columns import columns

BESIDE, BELOW = 18.0, 26.0  # least distance between boxes of a layer, between layers
PORTS = 12.0  # between edges that enter one box
VIA = 5.0  # half the width that an edge keeps free on its way past boxes
GUTTER, TURN = 46.0, 12.0  # between columns; room above and below them for the edge that goes on
SWEEPS = 12
MOST = 12  # columns


def layout(
    boxes: Mapping[Key, Box], arrows: Sequence[Arrow], page: tuple[float, float] | None = None
) -> Drawing:
    """Place boxes and arrows, which make no circle, with the upper left corner at (0, 0).

    Parameters
    ----------
    boxes : mapping
    arrows : sequence of Arrow
    page : (float, float), optional
        Width and height: a longer drawing goes on in further columns, so that it fits; or has the
        shape of the page, where it is larger.

    Examples
    --------
    >>> box = Box(20, 20, 10)
    >>> drawing = layout({"a": box, "b": box}, [Arrow("y", "a", "b")])
    >>> drawing.places, drawing.width, drawing.height
    ({'a': (20.0, 0.0), 'b': (20.0, 36.0)}, 40.0, 46.0)
    """
    return _Layers(boxes, arrows).drawing(page)


class _Layers:
    """The layers while they are worked on."""

    def __init__(self, boxes: Mapping[Key, Box], arrows: Sequence[Arrow]) -> None:
        self.boxes, self.arrows = dict(boxes), arrows
        self.layer = self._longest_paths()
        self.chains = {arrow: self._chain(arrow) for arrow in arrows}
        self.layers: list[list[Key]] = [[] for _ in range(max(self.layer.values(), default=-1) + 1)]
        self.rest = self._rests()
        # The longest way is drawn to the left, so its chips and detours find room to the right.
        for key in sorted(self.layer, key=lambda key: -self.rest[key]):
            self.layers[self.layer[key]].append(key)
        self.above: dict[Key, list[tuple[Key, Key]]] = {key: [] for key in self.boxes}
        self.below: dict[Key, list[tuple[Key, Key]]] = {key: [] for key in self.boxes}
        links = {(arrow.value, *link) for arrow, c in self.chains.items() for link in pairwise(c)}
        for value, upper, lower in sorted(links, key=lambda link: self._age(link)):
            self.above[lower].append((upper, value))
            self.below[upper].append((lower, value))
        self.main = self._main_ways()
        self._order()
        self.axis = self._coordinates()

    # -- 1, 2: layers ----------------------------------------------------------------

    def _longest_paths(self) -> dict[Key, int]:
        """Return the layer of each box. Boxes come in an order that arrows do not go against."""
        readers: dict[Key, list[Key]] = {key: [] for key in self.boxes}
        makers: dict[Key, list[Key]] = {key: [] for key in self.boxes}
        for arrow in self.arrows:
            readers[arrow.tail].append(arrow.head)
            makers[arrow.head].append(arrow.tail)
        layer: dict[Key, int] = {}
        waiting = {key: len(found) for key, found in makers.items()}
        ready = [key for key, count in waiting.items() if not count]
        while ready:
            key = ready.pop()
            layer[key] = max((layer[maker] + 1 for maker in makers[key]), default=0)
            for reader in readers[key]:
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready.append(reader)
        last = max(layer.values(), default=0)
        for key, box in self.boxes.items():
            if box.late and readers[key]:
                layer[key] = min(layer[reader] for reader in readers[key]) - 1
            elif box.rank == "last":
                layer[key] = last
        return layer

    def _chain(self, arrow: Arrow) -> list[Key]:
        """Return the boxes an arrow passes; on its way, a place that its value has to itself."""
        chain: list[Key] = [arrow.tail]
        for layer in range(self.layer[arrow.tail] + 1, self.layer[arrow.head]):
            via = ("via", arrow.tail, arrow.value, layer)
            self.layer[via] = layer
            self.boxes[via] = Box(VIA, VIA, 0.0)
            chain.append(via)
        return [*chain, arrow.head]

    def _age(self, link: tuple[Key, Key, Key]) -> tuple[int, int]:
        if not hasattr(self, "_ages"):
            self._ages = {key: k for k, key in enumerate(self.boxes)}
        return self._ages[link[1]], self._ages[link[2]]

    def _rests(self) -> dict[Key, int]:
        """Return how many boxes can follow each one; places on the way of an edge have none."""
        rest = {key: -1 if _is_via(key) or box.late else 0 for key, box in self.boxes.items()}
        for arrow in sorted(self.arrows, key=lambda arrow: -self.layer[arrow.tail]):
            if not self.boxes[arrow.tail].late:
                rest[arrow.tail] = max(rest[arrow.tail], rest[arrow.head] + 1)
        return rest

    def _main_ways(self) -> set[tuple[Key, Key]]:
        """Return the links that are to run straight: along the longest way, and past boxes.

        Where three or more meet or part, none is the main one.
        """
        coming: dict[Key, list[Arrow]] = {}
        going: dict[Key, dict[Key, None]] = {}
        for arrow in self.arrows:
            coming.setdefault(arrow.head, []).append(arrow)
            going.setdefault(arrow.tail, {})[arrow.head] = None
        main: set[tuple[Key, Key]] = set()
        for arrow, chain in self.chains.items():
            links = list(pairwise(chain))
            main.update(link for link in links if _is_via(link[0]) and _is_via(link[1]))
            others = coming[arrow.head]
            last = min(others, key=lambda a: (-self.layer[a.tail], self.boxes[a.tail].late, a.slot))
            heads = going[arrow.tail]
            longest = max(heads, key=lambda key: self.rest[key])
            if arrow == last and len(others) < 3 and longest == arrow.head and len(heads) < 3:
                main.update(links)
        return main

    # -- 3: order --------------------------------------------------------------------

    def _order(self) -> None:
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(SWEEPS):
            if not fewest:
                break
            down = sweep % 2 == 0
            near = self.above if down else self.below
            layers = self.layers if down else self.layers[::-1]
            for before, layer in pairwise(layers):
                places = {key: k for k, key in enumerate(before)}
                own = {key: k for k, key in enumerate(layer)}

                def mean(key: Key, places=places, own=own, near=near) -> float:  # type: ignore[no-untyped-def]
                    found = [places[other] for other, _ in near[key]]
                    return sum(found) / len(found) if found else own[key]

                layer.sort(key=mean)
            if (crossings := self._crossings()) < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _crossings(self) -> int:
        """Count pairs of links between neighbouring layers that cross."""
        total = 0
        for upper, lower in pairwise(self.layers):
            places = {key: k for k, key in enumerate(lower)}
            seen: list[int] = []
            for key in upper:
                ends = sorted(places[other] for other, _ in self.below[key])
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return total

    # -- 4: coordinates --------------------------------------------------------------

    def _coordinates(self) -> dict[Key, float]:
        axis: dict[Key, float] = {}
        for layer in self.layers:
            axis.update(self._apart(layer, dict.fromkeys(layer, 0.0), dict.fromkeys(layer, 1.0)))
        for sweep in range(2 * SWEEPS + 3):
            down = sweep % 2 == 0
            # In the end boxes stand straight below, or above, their main neighbours.
            straighten = sweep >= 2 * SWEEPS
            for layer in self.layers if down else self.layers[::-1]:
                wishes = {key: self._wanted(key, axis, down, straighten) for key in layer}
                wanted, weights = ({key: wish[k] for key, wish in wishes.items()} for k in (0, 1))
                axis.update(self._apart(layer, wanted, weights))
        self._align_entrance(axis)
        least = min((axis[key] - self.boxes[key].left for key in axis), default=0.0)
        return {key: x - least for key, x in axis.items()}

    def _align_entrance(self, axis: dict[Key, float]) -> None:
        """Put a single entrance that parts evenly above the single exit: frames stay in line."""
        first, last = (
            [key for key, box in self.boxes.items() if box.rank == rank]
            for rank in ("first", "last")
        )
        if len(first) == len(last) == len(self.layers[0]) == 1 and not any(
            upper == first[0] for upper, _ in self.main
        ):
            axis[first[0]] = axis[last[0]]

    def _wanted(
        self, key: Key, axis: Mapping[Key, float], down: bool, straighten: bool
    ) -> tuple[float, float]:
        """Return where a box would like to stand, straight below or above, and how much."""
        total = mass = 0.0
        # Both sides count; the side that was just placed counts more.
        for fresh, near in ((down, self.above), (not down, self.below)):
            for other, value in near[key]:
                upper, lower = (other, key) if near is self.above else (key, other)
                is_main = (upper, lower) in self.main
                if straighten and not (fresh and is_main):
                    continue
                offset = self.boxes[upper].leaves.get(value, 0.0)
                offset -= self.boxes[lower].enters.get(value, 0.0)
                wish = axis[other] + (offset if near is self.above else -offset)
                weight = (1.0 if fresh else 0.2) * (8.0 if is_main else 1.0)
                total += weight * wish
                mass += weight
        return (total / mass, mass) if mass else (axis[key], 0.01)

    def _apart(
        self, layer: Sequence[Key], wanted: Mapping[Key, float], weights: Mapping[Key, float]
    ) -> dict[Key, float]:
        """Return the places nearest to those wanted at which no boxes of a layer overlap."""
        offsets, at = [], 0.0
        for k, key in enumerate(layer):
            if k:
                at += self.boxes[layer[k - 1]].right + BESIDE + self.boxes[key].left
            offsets.append(at)
        pools: list[tuple[float, float, int]] = []  # mean, weight, how many
        for key, offset in zip(layer, offsets, strict=True):
            mean, weight, count = wanted[key] - offset, weights[key], 1
            while pools and pools[-1][0] > mean:
                other, mass, more = pools.pop()
                mean = (other * mass + mean * weight) / (mass + weight)
                weight, count = mass + weight, more + count
            pools.append((mean, weight, count))
        means = [mean for mean, _, count in pools for _ in range(count)]
        return {k: mean + o for k, mean, o in zip(layer, means, offsets, strict=True)}

    # -- the drawing -----------------------------------------------------------------

    def drawing(self, page: tuple[float, float] | None) -> Drawing:
        """Give each layer its height, each arrow its way, and cut what is too long."""
        tops, bottoms, y = [], [], 0.0
        for k, layer in enumerate(self.layers):
            height = max(self.boxes[key].height for key in layer)
            tops.append(y)
            bottoms.append(y + height)
            y += height + self._gap(k)
        places = {
            key: (self.axis[key], (tops[k] + bottoms[k] - self.boxes[key].height) / 2)
            for k, layer in enumerate(self.layers)
            for key in layer
        }
        column = self._columns(tops, bottoms, page)
        shifts, width, height = self._shifts(column, tops, bottoms)
        feet = {c: bottoms[k] + shifts[c][1] + TURN / 2 for k, c in enumerate(column)}
        enters = self._entrances()
        routes = {}
        for arrow, chain in self.chains.items():
            points: list[Point] = []
            for upper, lower in pairwise(chain):
                one, two = self.layer[upper], self.layer[lower]
                (dx, dy), (ex, ey) = shifts[column[one]], shifts[column[two]]
                x = self.axis[upper] + self.boxes[upper].leaves.get(arrow.value, 0.0) + dx
                if upper is chain[0]:
                    points.append((x, places[upper][1] + self.boxes[upper].height + dy))
                points.append((x, bottoms[one] + dy))
                end = self.axis[lower] + ex
                end += 0.0 if _is_via(lower) else enters[arrow]
                if column[one] != column[two]:
                    foot = feet[column[one]]
                    aside = ex - GUTTER / 2 + self._left(column, column[two])
                    points += [(x, foot), (aside, foot), (aside, TURN / 2), (end, TURN / 2)]
                points.append((end, tops[two] + ey))
                if lower is chain[-1]:
                    points.append((end, places[lower][1] + ey))
            routes[arrow] = points
        shown = {}
        for key, (x, y) in places.items():
            dx, dy = shifts[column[self.layer[key]]]
            if not _is_via(key):
                shown[key] = (x + dx, y + dy)
        for key in shown:  # what comes in or goes out meets the border
            if self.boxes[key].rank:
                shown[key] = (shown[key][0], 0.0 if self.boxes[key].rank == "first" else height)
        for arrow, points in routes.items():
            if self.boxes[arrow.tail].rank == "first":
                points[0] = (points[0][0], 0.0)
            if self.boxes[arrow.head].rank == "last":
                points.append((points[-1][0], height))
        return Drawing(shown, routes, width, height)

    def _gap(self, layer: int) -> float:
        """Return the room below a layer: more where edges have to go far to the side."""
        far = max(
            (
                abs(self.axis[other] - self.axis[key])
                for key in self.layers[layer]
                for other, _ in self.below[key]
            ),
            default=0.0,
        )
        return BELOW + min(40.0, max(0.0, far - 60.0) / 10)

    def _entrances(self) -> dict[Arrow, float]:
        """Return how far from its axis each arrow enters a box: in the order they come in."""
        coming: dict[Key, list[tuple[float, int, Arrow]]] = {}
        for arrow, chain in self.chains.items():
            start = self.axis[chain[-2]] + self.boxes[chain[-2]].leaves.get(arrow.value, 0.0)
            coming.setdefault(arrow.head, []).append((start, arrow.slot, arrow))
        enters = {}
        for key, found in coming.items():
            box = self.boxes[key]
            found.sort(key=lambda each: each[:2])
            apart = min(PORTS, 2 * min(box.left, box.right) / (len(found) + 1))
            # The main way enters at the axis, so that it is straight.
            links = [tuple(self.chains[arrow][-2:]) for _, _, arrow in found]
            main = [k for k, link in enumerate(links) if link in self.main]
            middle = main[0] if len(main) == 1 else (len(found) - 1) / 2
            for k, (_, _, arrow) in enumerate(found):
                enters[arrow] = box.enters.get(arrow.value, (k - middle) * apart)
        return enters

    # -- columns ---------------------------------------------------------------------

    def _columns(
        self, tops: Sequence[float], bottoms: Sequence[float], page: tuple[float, float] | None
    ) -> list[int]:
        """Return the column of each layer: a new one begins where one single value goes on."""
        whole = [0] * len(self.layers)
        if page is None or not whole or bottoms[-1] <= page[1]:
            return whole
        crossing: list[set[tuple[Key, Key]]] = [set() for _ in whole]
        for key in self.axis:
            crossing[self.layer[key]].update((key, value) for _, value in self.below[key])
        cuts = [k for k in range(len(whole) - 1) if len(crossing[k]) == 1]
        best, worst_fit = whole, math.inf
        for count in range(1, min(MOST, math.ceil(bottoms[-1] / page[1])) + 1):
            found = columns(tops, bottoms, cuts, count)
            _, width, height = self._shifts(found, tops, bottoms)
            # A page of this shape that it fits on is so many times larger.
            fit = max(1.0, width / page[0], height / page[1])
            if fit < worst_fit:
                best, worst_fit = found, fit
        return best

    def _left(self, column: Sequence[int], which: int) -> float:
        return min(
            x - self.boxes[key].left
            for key, x in self.axis.items()
            if column[self.layer[key]] == which
        )

    def _shifts(
        self, column: Sequence[int], tops: Sequence[float], bottoms: Sequence[float]
    ) -> tuple[list[Point], float, float]:
        """Return how far each column moves, and the size of them all."""
        shifts, at, deepest = [], 0.0, 0.0
        room = TURN if column and column[-1] else 0.0
        for which in range(column[-1] + 1 if column else 0):
            inside = [k for k, c in enumerate(column) if c == which]
            left = self._left(column, which)
            right = max(
                self.axis[key] + self.boxes[key].right for k in inside for key in self.layers[k]
            )
            shifts.append((at - left, room - tops[inside[0]]))
            deepest = max(deepest, bottoms[inside[-1]] - tops[inside[0]])
            at += right - left + GUTTER
        return shifts, max(0.0, at - GUTTER), deepest + 2 * room


def _is_via(key: Key) -> bool:
    return isinstance(key, tuple) and len(key) == 4 and key[0] == "via"
