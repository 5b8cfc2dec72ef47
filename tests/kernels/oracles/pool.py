"""Pooling, by asking NumPy about the pixels under each window."""

from collections.abc import Iterator
from typing import Any

import numpy as np


def taps(window: Any, image: tuple[int, ...], out: tuple[int, ...]) -> Iterator[Any]:
    """Yield for each output (i, j) the places k of its taps that lie inside, rows, columns."""
    k, (h, w) = np.arange(window.kh * window.kw), image[1:3]
    for i, j in np.ndindex(out[1:3]):
        rows = i * window.sh - window.ph + k // window.kw * window.dh
        columns = j * window.sw - window.pw + k % window.kw * window.dw
        inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
        yield i, j, k[inside], rows[inside], columns[inside]


def max_pool2d_forward(x, window, last, out, winners):
    out, winners = np.empty(out.shape), np.empty(winners.shape, np.intp)
    for i, j, _, rows, columns in taps(window, x.shape, out.shape):
        flat = x[:, rows, columns]
        backwards = flat.shape[1] - 1 - flat[:, ::-1].argmax(1)
        best = backwards if last else flat.argmax(1)  # a NaN counts as largest
        out[:, i, j] = np.take_along_axis(flat, best[:, None], 1)[:, 0]
        winners[:, i, j] = (rows * x.shape[2] + columns)[best]
    return out, winners


def max_pool2d_scatter(values, winners, out):
    n, h, w, c = out.shape
    result = np.zeros((n, h * w, c))
    batch, channel = np.arange(n)[:, None, None, None], np.arange(c)
    np.add.at(result, (batch, winners, channel), values)
    return result.reshape(out.shape)


def max_pool2d_gather(x, winners, out):
    n, h, w, c = x.shape
    batch, channel = np.arange(n)[:, None, None, None], np.arange(c)
    return x.reshape(n, h * w, c)[batch, winners, channel]


def max_pool2d_places(x, window, last, out, places):
    out, places = np.empty(out.shape), np.empty(places.shape, np.uint8)
    for i, j, k, rows, columns in taps(window, x.shape, out.shape):
        flat = x[:, rows, columns]
        backwards = flat.shape[1] - 1 - flat[:, ::-1].argmax(1)
        best = backwards if last else flat.argmax(1)
        out[:, i, j] = np.take_along_axis(flat, best[:, None], 1)[:, 0]
        places[:, i, j] = k[best]
    return out, places


def max_pool2d_places_grad(grad, places, window, out):
    result = np.zeros(out.shape)
    for i, j, k, rows, columns in taps(window, out.shape, grad.shape):
        won = places[:, i, j][:, None] == k[:, None]
        result[:, rows, columns] += np.where(won, grad[:, i, j][:, None], 0.0)
    return result


def max_pool2d_places_gather(x, places, window, out):
    result = np.zeros(out.shape)
    for i, j, k, rows, columns in taps(window, x.shape, out.shape):
        won = places[:, i, j][:, None] == k[:, None]
        result[:, i, j] = np.where(won, x[:, rows, columns], 0.0).sum(1)
    return result


def shares(x, y, i, j, rows, columns, split):
    """Return (N, m, C): the share of each pixel under a window in its error signal."""
    under, largest = x[:, rows, columns], y[:, i, j][:, None]
    wins = (under == largest) | (np.isnan(under) & np.isnan(largest))
    return wins, wins.sum(1) if split else np.ones(wins.shape[::2])


def max_pool2d_share(grad, x, y, window, split, out):
    result = np.zeros(out.shape)
    for i, j, _, rows, columns in taps(window, x.shape, y.shape):
        wins, count = shares(x, y, i, j, rows, columns, split)
        part = np.where(wins, (grad[:, i, j] / count)[:, None], 0.0)
        result[:, rows, columns] += part  # no pixel stands twice under one window
    return result


def max_pool2d_collect(signal, x, y, window, split, out):
    result = np.zeros(out.shape)
    for i, j, _, rows, columns in taps(window, x.shape, y.shape):
        wins, count = shares(x, y, i, j, rows, columns, split)
        result[:, i, j] = np.where(wins, signal[:, rows, columns], 0.0).sum(1) / count
    return result


def mean_pool2d_forward(x, rows, columns, out):
    result = np.empty(out.shape)
    for i, j in np.ndindex(len(rows), len(columns)):
        rectangle = x[:, rows[i, 0] : rows[i, 1], columns[j, 0] : columns[j, 1]]
        result[:, i, j] = rectangle.sum((1, 2)) / (rows[i, 2] * columns[j, 2])
    return result


def mean_pool2d_grad_input(grad, rows, columns, out):
    result = np.zeros(out.shape)
    for i, j in np.ndindex(len(rows), len(columns)):
        share = grad[:, i : i + 1, j : j + 1] / (rows[i, 2] * columns[j, 2])
        result[:, rows[i, 0] : rows[i, 1], columns[j, 0] : columns[j, 1]] += share
    return result


def lp_pool2d_forward(x, p, window, out):
    result = np.empty(out.shape)
    for i, j, _, rows, columns in taps(window, x.shape, out.shape):
        result[:, i, j] = (np.abs(x[:, rows, columns]) ** p).sum(1) ** (1 / p)
    return result


def lp_pool2d_grad_input(grad, x, y, p, window, out):
    result = np.zeros(out.shape)
    for i, j, _, rows, columns in taps(window, x.shape, y.shape):
        under, norm = x[:, rows, columns], y[:, i, j][:, None]
        slope = np.sign(under) * (np.abs(under) / norm) ** (p - 1)
        signal = grad[:, i, j][:, None]
        result[:, rows, columns] += np.where(under == 0, 0.0, signal * slope)
    return result


def windows_forward(x, window, out):
    result = np.zeros(out.shape)
    pooled = (len(x), *out.shape[2:4])
    for i, j, k, rows, columns in taps(window, x.shape, pooled):
        result[:, :, i, j, k] = x[:, rows, columns].transpose(0, 2, 1)
    return result


def windows_grad_input(grad, window, out):
    result = np.zeros(out.shape)
    pooled = (len(grad), *grad.shape[2:4])
    for i, j, k, rows, columns in taps(window, out.shape, pooled):
        result[:, rows, columns] += grad[:, :, i, j, k].transpose(0, 2, 1)
    return result


ORACLES = {
    function.__name__: function
    for function in (
        max_pool2d_forward,
        max_pool2d_scatter,
        max_pool2d_gather,
        max_pool2d_places,
        max_pool2d_places_grad,
        max_pool2d_places_gather,
        max_pool2d_share,
        max_pool2d_collect,
        mean_pool2d_forward,
        mean_pool2d_grad_input,
        lp_pool2d_forward,
        lp_pool2d_grad_input,
        windows_forward,
        windows_grad_input,
    )
}
