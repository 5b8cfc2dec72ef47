"""Arrays as pictures: colours stand for numbers, and files can be read by others."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.explain.rendering.array_picture import Scale, legend, shrunk, tiled
from tinygrad_cnn.explain.rendering.png_file import data_uri, png


def test_signed_scales_are_white_at_0_blue_below_and_red_above() -> None:
    scale = Scale.of("signed", [np.array([-1.0, 4.0])])
    below, zero, above = scale.pixels(np.array([[-4.0, 0.0, 4.0]]))[0].astype(int)
    assert zero[:3].min() > 240
    assert below[2] - below[0] > 50
    assert above[0] - above[2] > 50


@pytest.mark.parametrize("kind", ["sequential", "grey"])
def test_more_is_brighter(kind: str) -> None:
    scale = Scale.of(kind, [np.linspace(-3.0, 5.0, 9)])
    pixels = scale.pixels(np.linspace(-3.0, 5.0, 9)[None])[0]
    luminance = pixels[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(luminance) > 5).all()


@pytest.mark.parametrize(
    ("kind", "array", "text"),
    [
        ("signed", [-0.5, 0.25], "blue -0.5 · white 0 · red 0.5"),
        ("sequential", [1.0, 2.0], "dark 1 · yellow 2"),
        ("grey", [0.0, 1.0], "black 0 · white 1"),
        ("signed", [0.0, 0.0], "0 everywhere"),
        ("sequential", [3.0], "3 everywhere"),
        ("sequential", [], "0 everywhere"),
        ("signed", [1.0, np.nan, np.inf], "blue -1 · white 0 · red 1 · black: not finite (2)"),
        ("grey", [np.nan], "0 everywhere · red: not finite (1)"),
    ],
)
def test_a_scale_names_itself(kind: str, array: list[float], text: str) -> None:
    scale = Scale.of(kind, [np.array(array)])
    assert str(scale) == text
    assert text in legend(scale)


@pytest.mark.parametrize("kind", ["signed", "sequential", "grey"])
def test_what_is_not_finite_has_a_colour_that_no_number_has(kind: str) -> None:
    scale = Scale(kind, -1.0, 1.0)
    missing = scale.pixels(np.array([[np.nan, np.inf, -np.inf]]))[0]
    numbers = {tuple(p) for p in scale.pixels(np.linspace(-1, 1, 1000)[None])[0]}
    if kind == "grey":
        assert len({tuple(p) for p in missing}) == 1
    assert not numbers & {tuple(p) for p in missing}


@given(st.floats(-1e308, 1e308), st.floats(-1e308, 1e308))
def test_the_widest_scale_has_both_ends(one: float, other: float) -> None:
    scale = Scale.of("sequential", [np.array([one, other])])
    first, last = scale.pixels(np.array([[min(one, other), max(one, other)]]))[0].astype(int)
    if scale.low / 2 < scale.high / 2:
        assert tuple(first) != tuple(last)
    assert first[3] == last[3] == 255


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_shrunk_maps_hold_the_peak_of_each_block(h: int, w: int, longest: int, seed: int) -> None:
    array = np.random.default_rng(seed).normal(size=(2, h, w))
    small = shrunk(array, longest)
    assert max(small.shape[1:]) <= longest
    block = -(-max(h, w) // longest)
    for channel, row, column in np.ndindex(small.shape):
        rows = slice(row * block, (row + 1) * block)
        part = array[channel, rows, column * block : (column + 1) * block]
        assert small[channel, row, column] == part.flat[np.abs(part).argmax()]


def test_tiles_stand_in_rows_with_clear_gaps() -> None:
    shade = Scale("grey", 0.0, 2.0)
    tiles = [shade.pixels(np.full((2, 3), value)) for value in (0.0, 1.0, 2.0)]
    sheet = tiled(tiles, columns=2, zoom=2, gap=1)
    assert sheet.shape == (4 + 1 + 4, 6 + 1 + 6, 4)
    assert not sheet[4].any()  # the gap
    assert not sheet[:, 6].any()
    assert not sheet[5:, 7:].any()  # no fourth tile
    assert [int(sheet[0, 0, 0]), int(sheet[0, 7, 0]), int(sheet[5, 0, 0])] == [0, 128, 255]


def test_others_read_the_file() -> None:
    from matplotlib.image import imread

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4)).astype(np.uint8)
    assert np.array_equal(np.rint(imread(io.BytesIO(png(pixels))) * 255), pixels)
    head, body = data_uri(pixels).split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == png(pixels)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Scale.of("hot", []), OptionError, "signed, sequential, grey; got 'hot'"),
        (lambda: Scale("grey", 0, 1).pixels(np.zeros(3)), ShapeError, r"got \(3,\)"),
        (lambda: shrunk(np.zeros(3), 4), ShapeError, r"got \(3,\)"),
        (lambda: shrunk(np.zeros((2, 3)), 0), OptionError, "one row is left; got 0"),
        (lambda: tiled([], 1), ShapeError, "got none"),
        (
            lambda: tiled([np.zeros((1, 1, 4)), np.zeros((1, 2, 4))], 1),
            ShapeError,
            re.escape("got (1, 1, 4), (1, 2, 4)"),
        ),
        (lambda: tiled([np.zeros((1, 1, 4))], 0), OptionError, "got 0, 1 and 1"),
        (lambda: png(np.zeros((1, 1, 4))), ShapeError, r"got float64 of \(1, 1, 4\)"),
        (lambda: png(np.zeros((0, 1, 4), np.uint8)), ShapeError, r"got uint8 of \(0, 1, 4\)"),
    ],
)
def test_refusals(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
