"""Pictures are readable: no box on another, no edge through a box, a page that can be turned."""

import math
from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cnn import models
from tinygrad_cnn.explain.rendering.boxes import Arrow, Box, Point
from tinygrad_cnn.explain.rendering.columns import columns
from tinygrad_cnn.explain.rendering.drawing import Picture, picture
from tinygrad_cnn.explain.rendering.layout import layout

from .runs import RUNS, structure

Rectangle = tuple[float, float, float, float]


def along(points: list[Point]) -> Iterator[Point]:
    """Points on a way, as it is drawn: straight, or in a curve from one column to another."""
    for (x, y), (u, v) in pairwise(points):
        middle = (y + v) / 2
        straight = math.isclose(x, u, abs_tol=0.05) or math.isclose(y, v, abs_tol=0.05)
        for k in range(21):
            t = k / 20
            if straight:
                yield x + t * (u - x), y + t * (v - y)
            else:
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
                yield (a + b) * x + (c + d) * u, a * y + (b + c) * middle + d * v


def overlap(one: Rectangle, two: Rectangle) -> bool:
    return (
        one[0] < two[2] - 0.01
        and two[0] < one[2] - 0.01
        and one[1] < two[3] - 0.01
        and two[1] < one[3] - 0.01
    )


def inside(point: Point, box: Rectangle) -> bool:
    return box[0] + 0.1 < point[0] < box[2] - 0.1 and box[1] + 0.1 < point[1] < box[3] - 0.1


def assert_readable(drawn: Picture) -> None:
    boxes = [(c.x, c.y, c.x + c.width + c.aside, c.y + c.height) for c in drawn.cards]
    frames = [(f.x, f.y, f.x + f.width, f.y + f.height) for f in drawn.frames]
    for one, two in combinations(boxes, 2):
        assert not overlap(one, two)
    for one, two in combinations(frames, 2):
        within = any(
            a[0] <= b[0] and a[1] <= b[1] and b[2] <= a[2] and b[3] <= a[3]
            for a, b in ((one, two), (two, one))
        )
        assert within or not overlap(one, two)
    for box in boxes:
        for frame in frames:
            assert not overlap(box, frame) or inside((box[0], box[1]), frame)
            # The title of a frame is in nobody's way.
            assert not overlap(box, (frame[0], frame[1], frame[2], frame[1] + 18))
    for edge in drawn.edges:
        for point in along(edge.points):
            assert not any(inside(point, box) for box in boxes), edge.hint
    for box in (*boxes, *frames):
        assert box[0] >= -0.01
        assert box[1] >= -0.01
        assert box[2] <= drawn.width + 0.01
        assert box[3] <= drawn.height + 0.01


@pytest.mark.parametrize("name", models.names())
def test_the_picture_of_a_twin_is_readable(name: str) -> None:
    assert_readable(picture(structure(name)))


@pytest.mark.parametrize("name", RUNS)
def test_the_picture_of_a_run_is_readable(name: str) -> None:
    assert_readable(picture(RUNS[name]()))


def test_resnet_1202_fits_on_a_page() -> None:
    drawn = picture(structure("resnet1202", twin=False))
    assert_readable(drawn)
    assert len(drawn.cards) < 60
    assert drawn.width < 2000
    assert 0.5 < drawn.height / drawn.width < 1


@pytest.mark.parametrize(
    "name", ["googlenet", "densenet121", "resnet50", "se_resnet50", "xception"]
)
def test_a_deep_network_has_the_shape_of_a_page(name: str) -> None:
    drawn = picture(structure(name, twin=False))
    assert 0.4 < drawn.height / drawn.width < 1.6
    if name != "densenet121":  # every box with every other: 429 of them take long
        assert_readable(drawn)


def test_a_tall_frame_is_cut_too_and_what_leaves_it_meets_its_border() -> None:
    drawn = picture(structure("densenet121", twin=False))
    (block,) = (frame for frame in drawn.frames if frame.title == "features.denseblock3")
    inside = [
        frame for frame in drawn.frames if frame.title.startswith("features.denseblock3.denselayer")
    ]
    assert len(inside) == 24
    assert len({round(frame.x) for frame in inside}) == 4
    inner = [
        (edge.points[0], edge.points[-1])
        for edge in drawn.edges
        if all(block.x < x < block.x + block.width for x, _ in edge.points)
        and all(block.y - 1 < y < block.y + block.height + 1 for _, y in edge.points)
    ]
    starts, ends = zip(*inner, strict=True)
    assert any(y == pytest.approx(block.y) for _, y in starts)
    assert any(y == pytest.approx(block.y + block.height) for _, y in ends)
    # From the border it goes on, without a gap, to the element inside.
    first = next(end for start, end in inner if start[1] == pytest.approx(block.y))
    assert any(math.dist(first, start) < 0.01 for start in starts)


def test_a_cut_goes_through_one_value_also_where_two_read_it() -> None:
    box = Box(50, 50, 60)
    boxes = dict.fromkeys([f"{k}{part}" for k in range(6) for part in "ab"], box)
    arrows = [Arrow(f"{k}a", f"{k}a", f"{k}b") for k in range(6)]
    for k in range(1, 6):  # as in a dense block, what the one makes the next two read
        arrows.append(Arrow(f"{k - 1}b", f"{k - 1}b", f"{k}a"))
        arrows.append(Arrow(f"{k - 1}b", f"{k - 1}b", f"{k}b", 1))
    drawing = layout(boxes, arrows, (500.0, 400.0))
    columns_used = {round(x) for x, _ in drawing.places.values()}
    assert len(columns_used) > 1
    assert drawing.height < 700


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_boxes_of_any_graph_stand_apart_below_what_they_read(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    sizes = st.floats(1, 80)
    boxes = {
        k: Box(data.draw(sizes), data.draw(sizes), data.draw(sizes), late=data.draw(st.booleans()))
        for k in range(count)
    }
    arrows = []
    for k in range(1, count):
        makers = data.draw(st.lists(st.integers(0, k - 1), max_size=3))
        arrows += [Arrow(f"value {m}", m, k, slot) for slot, m in enumerate(makers)]
    page = data.draw(st.sampled_from([None, (600.0, 200.0)]))
    drawing = layout(boxes, arrows, page)
    places = {
        k: (x - boxes[k].left, y, x + boxes[k].right, y + boxes[k].height)
        for k, (x, y) in drawing.places.items()
        if isinstance(k, int)
    }
    assert places.keys() == boxes.keys()
    for one, two in combinations(places.values(), 2):
        assert not overlap(one, two)
    for arrow, points in drawing.routes.items():
        assert points[0][1] == pytest.approx(places[int(str(arrow.tail))][3])
        assert points[-1][1] == pytest.approx(places[int(str(arrow.head))][1])
        for point in along(points):
            assert not any(inside(point, box) for box in places.values())
    assert all(box[0] > -0.01 and box[2] < drawing.width + 0.01 for box in places.values())
    assert all(box[1] > -0.01 and box[3] < drawing.height + 0.01 for box in places.values())


def test_a_chain_is_straight_and_its_detour_is_not_in_the_way() -> None:
    box = Box(30, 30, 20)
    boxes = dict.fromkeys("abcd", box)
    arrows = [Arrow("a", "a", "b"), Arrow("b", "b", "c"), Arrow("c", "c", "d")]
    drawing = layout(boxes, [*arrows, Arrow("a", "a", "d", 1)])
    assert len({round(x, 3) for x, _ in drawing.places.values()}) == 1
    assert max(x for x, _ in drawing.routes[Arrow("a", "a", "d", 1)]) > drawing.places["b"][0] + 30


@pytest.mark.parametrize(
    ("heights", "cuts", "count", "expected"),
    [
        ([10] * 6, range(5), 3, [0, 0, 1, 1, 2, 2]),
        ([10] * 6, [0], 3, [0, 1, 1, 1, 1, 1]),
        ([10] * 6, [], 3, [0] * 6),
        ([10] * 6, range(5), 1, [0] * 6),
        ([50, 10, 10, 10], range(3), 2, [0, 1, 1, 1]),
    ],
)
def test_columns_are_as_equal_as_cuts_allow(
    heights: list[float], cuts: list[int], count: int, expected: list[int]
) -> None:
    tops = [float(sum(heights[:k])) for k in range(len(heights))]
    bottoms = [top + height for top, height in zip(tops, heights, strict=True)]
    assert columns(tops, bottoms, list(cuts), count) == expected
