"""Poolings of windows and rectangles, and their adjoints."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.geometry import Window

from .case import Case

# N, H, W, C, window; each window holds a pixel
POOL = (
    (2, 6, 8, 3, Window(2, 2, 2, 2)),
    (1, 5, 5, 16, Window(5, 5)),
    (2, 7, 9, 1, Window(3, 3, 2, 2, 1, 1)),  # overlapping windows
    (1, 6, 7, 4, Window(3, 2, 1, 2, 1, 0)),
    (3, 5, 4, 5, Window(1, 1, 2, 2)),
    (1, 7, 6, 9, Window(2, 3, 2, 1, 1, 2, 3, 2)),  # gaps between the taps
    (2, 5, 6, 2, Window(2, 3, 2, 2, eh=1, ew=1)),  # the last windows reach beyond
    (2, 7, 5, 65, Window(2, 2, 2, 2)),  # a row and a column that no window reaches
    (1, 6, 6, 20, Window(2, 3, 2, 3)),
    (2, 5, 6, 3, Window(2, 2)),  # four taps: overlapping, dilated, and some outside
    (1, 6, 7, 17, Window(2, 2, 2, 3, dh=2, dw=3)),
    (1, 5, 4, 4, Window(2, 2, 2, 2, 1, 1)),
    (0, 4, 4, 2, Window(2, 2, 2, 2)),
)
# N, H, W, C, rows, columns: lines (first, end, size)
RECTANGLES = (
    (2, 6, 4, 3, [(0, 2, 2), (2, 4, 2), (4, 6, 2)], [(0, 2, 2), (2, 4, 2)]),
    (1, 5, 7, 9, [(0, 2, 3), (1, 4, 3), (3, 5, 3)], [(0, 3, 1), (2, 5, 1), (4, 7, 1)]),
    (1, 3, 2, 1, [(0, 1, 1), (2, 3, 1)], [(0, 1, 1), (0, 2, 2), (1, 2, 1)]),  # gaps, repeats
    (3, 2, 2, 5, [(0, 2, -7)], [(0, 2, 1)]),
    (0, 2, 2, 1, [(0, 2, 2)], [(0, 2, 2)]),
)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, h, w, c, window in POOL:
        oh, ow = window.output_size(h, w)
        label = f"N{n} {h}x{w} C{c} {tuple(window)}"
        x, grad = values(n, h, w, c).round(), values(n, oh, ow, c)  # rounded: there are ties
        taps, size = _taps(window, h, w, (oh, ow)), window.kh * window.kw
        small, large = ((grad.shape, dtype),), ((x.shape, dtype),)
        for last in (False, True):
            both = (*small, (grad.shape, np.intp))
            yield Case("max_pool2d_forward", f"{label} {last}", (x, window, last), both)
            both = (*small, (grad.shape, np.uint8))
            yield Case("max_pool2d_places", f"{label} {last}", (x, window, last), both)
        winners = _drawn(rng, taps, grad.shape)
        yield Case("max_pool2d_scatter", label, (grad, winners), large, terms=size)
        yield Case("max_pool2d_gather", label, (x, winners), small)
        places = _places(winners, window, h, w)
        arguments = (grad, places, window)
        yield Case("max_pool2d_places_grad", label, arguments, large, terms=size)
        yield Case("max_pool2d_places_gather", label, (x, places, window), small)
        largest = _largest(x, taps, grad.shape)
        for split in (False, True):
            for operation, signal, result in (
                ("max_pool2d_share", grad, large),
                ("max_pool2d_collect", values(*x.shape), small),
            ):
                arguments = (signal, x, largest, window, split)
                yield Case(operation, f"{label} {split}", arguments, result, terms=size)
        for p in (1.0, 2.0, 3.5):
            named = f"{label} p {p}"
            yield Case("lp_pool2d_forward", named, (x, p, window), small, terms=size)
            norms = np.abs(values(n, oh, ow, c)) + np.abs(largest) + dtype(0.5)
            arguments = (grad, x, norms, p, window)
            yield Case("lp_pool2d_grad_input", named, arguments, large, terms=size)
        laid = (n, c, oh, ow, size)
        yield Case("windows_forward", label, (x, window), ((laid, dtype),))
        yield Case("windows_grad_input", label, (values(*laid), window), large, terms=size)
    for n, h, w, c, *spans in RECTANGLES:
        label = f"N{n} {h}x{w} C{c} {spans}"
        rows, columns = (np.array(span, np.intp) for span in spans)
        x, grad = values(n, h, w, c), values(n, len(rows), len(columns), c)
        small, large = ((grad.shape, dtype),), ((x.shape, dtype),)
        terms = max(end - first for first, end, _ in spans[0]) * w
        yield Case("mean_pool2d_forward", label, (x, rows, columns), small, terms=terms)
        yield Case("mean_pool2d_grad_input", label, (grad, rows, columns), large, terms=terms)


def _taps(window: Window, h: int, w: int, size: tuple[int, int]) -> list[list[list[int]]]:
    """Return for each output the indices row·W + column of the pixels under its window."""
    kh, kw, sh, sw, ph, pw, dh, dw = window[:8]
    rows = [[r for r in range(i * sh - ph, i * sh - ph + kh * dh, dh) if 0 <= r < h]
            for i in range(size[0])]  # fmt: skip
    columns = [[q for q in range(j * sw - pw, j * sw - pw + kw * dw, dw) if 0 <= q < w]
               for j in range(size[1])]  # fmt: skip
    return [[[r * w + q for r in under for q in across] for across in columns] for under in rows]


def _drawn(rng: Any, taps: list[list[list[int]]], shape: tuple[int, ...]) -> np.ndarray:
    """Draw for each output any pixel under its window."""
    winners = np.empty(shape, np.intp)
    for n, i, j, c in np.ndindex(shape):
        winners[n, i, j, c] = rng.choice(taps[i][j])
    return winners


def _places(winners: np.ndarray, window: Window, h: int, w: int) -> np.ndarray:
    """Return u·KW + v for indices row·W + column."""
    i, j = (np.arange(size)[:, None] for size in winners.shape[1:3])
    rows, columns = winners // w - i[:, None] * window.sh, winners % w - j * window.sw
    u, v = (rows + window.ph) // window.dh, (columns + window.pw) // window.dw
    return (u * window.kw + v).astype(np.uint8)


def _largest(x: np.ndarray, taps: list[list[list[int]]], shape: tuple[int, ...]) -> np.ndarray:
    flat = x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])
    out = np.empty(shape, x.dtype)
    for i, j in np.ndindex(shape[1:3]):
        out[:, i, j] = flat[:, taps[i][j]].max(1)
    return out
