"""What windows are to send back, and what they send with a fault: written out in NumPy.

It shares no code with the engine and its kernels. A sum over taps of the kernel is all there is:
tap (u, v) of a window at (i, j) reads pixel (i s + u d - p, j s + v d - p).
"""

from typing import Any

import numpy as np

from tinygrad_cnn.explain.faults.watching import Array, Visit

Sent = dict[int, Array]


def _lifted(array: Array) -> Array:
    """Return rows as images one pixel high."""
    return array[:, :, None] if array.ndim == 3 else array


def _padded(x: Array, w: Any, value: float = 0.0) -> Array:
    rows, columns = (w.ph, max(w.ph + w.eh, 0)), (w.pw, max(w.pw + w.ew, 0))
    return np.pad(x, ((0, 0), (0, 0), rows, columns), constant_values=value)


def _tap(padded: Array, u: int, v: int, w: Any, size: tuple[int, int]) -> Array:
    """Return, as a view, the pixels that one tap reads in all windows."""
    down, across = u * w.dh, v * w.dw
    rows = slice(down, down + w.sh * (size[0] - 1) + 1, w.sh)
    return padded[:, :, rows, across : across + w.sw * (size[1] - 1) + 1 : w.sw]


def _grouped(array: Array, groups: int, axis: int) -> Array:
    shape = array.shape
    return array.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def to_image(delta: Array, weight: Array, w: Any, shape: tuple[int, ...]) -> Array:
    """Return δ(x) of a convolution: Σ δ(z)[i, j] w[u, v] at the pixel that the tap read."""
    out = _padded(np.zeros(shape), w)
    signals, filters = _grouped(delta, w.groups, 1), _grouped(weight, w.groups, 0)
    for u, v in np.ndindex(weight.shape[2:]):
        part = np.einsum("ngoij,goc->ngcij", signals, filters[..., u, v], optimize=True)
        seen = _tap(out, u, v, w, delta.shape[2:])
        seen += part.reshape(seen.shape)
    return out[:, :, w.ph : w.ph + shape[2], w.pw : w.pw + shape[3]]


def to_filters(delta: Array, x: Array, w: Any, shape: tuple[int, ...]) -> Array:
    """Return ∇w of a convolution: Σ δ(z)[i, j] x at the pixel that the tap read."""
    padded, out = _padded(x, w), np.empty(shape)
    signals = _grouped(delta, w.groups, 1)
    for u, v in np.ndindex(shape[2:]):
        seen = _grouped(_tap(padded, u, v, w, delta.shape[2:]), w.groups, 1)
        part = np.einsum("ngoij,ngcij->goc", signals, seen, optimize=True)
        out[..., u, v] = part.reshape(shape[:2])
    return out


def moved(array: Array, flat: bool) -> Array:
    """Return images one place further down and right, or rows one further right."""
    out = np.zeros_like(array)
    if flat:
        out[..., 1:] = array[..., :-1]
    else:
        out[..., 1:, 1:] = array[..., :-1, :-1]
    return out


def convolution(visit: Visit, delta: Array, fault: str | None) -> Sent:
    """Return what a convolution sends."""
    w, flip = visit.element.window, visit.element.flip  # type: ignore[attr-defined]
    flat = visit.inputs[0].ndim == 3
    x, weight, delta = (_lifted(array) for array in (visit.inputs[0], visit.inputs[1], delta))
    slid = weight[:, :, ::-1, ::-1] if flip else weight
    if fault == "kernel_not_turned":
        slid = slid[:, :, ::-1, ::-1]
    if fault == "stride_forgotten_in_delta":
        one = w._replace(sh=1, sw=1)
        dense = np.zeros((*delta.shape[:2], *one.output_size(*x.shape[2:])))
        dense[:, :, : delta.shape[2], : delta.shape[3]] = delta
        to_x = to_image(dense, slid, one, x.shape)
    else:
        to_x = to_image(delta, slid, w, x.shape)
    if fault == "padding_off_by_one_in_delta":
        to_x = moved(to_x, flat)
    seen = moved(x, flat) if fault == "padding_off_by_one_in_weight_gradient" else x
    to_weight = to_filters(delta, seen, w, weight.shape)
    if flip != (fault == "weight_gradient_turned"):
        to_weight = to_weight[:, :, ::-1, ::-1]
    sent = {0: to_x, 1: to_weight}
    if flat:
        sent = {position: array[:, :, 0] for position, array in sent.items()}
    if len(visit.inputs) > 2:
        sent[2] = bias(np.moveaxis(delta, 1, -1), fault)
    return sent


def bias(delta: Array, fault: str | None) -> Array:
    """Return what a bias gets of error signals (..., O)."""
    rows = delta.reshape(-1, delta.shape[-1])
    if fault == "bias_gradient_of_one_place":
        return np.array(rows[0])
    total: Array = rows.sum(0)
    return total / len(rows) if fault == "bias_gradient_averaged" else total


def _taps(x: Array, w: Any, size: tuple[int, int]) -> Array:
    """Return the pixels under all windows: (taps, N, C, OH, OW)."""
    padded = _padded(x, w, -np.inf)
    return np.stack([_tap(padded, u, v, w, size) for u, v in np.ndindex(w.kh, w.kw)])


def maximum(visit: Visit, delta: Array, fault: str | None) -> Sent:
    """Return what maximum pooling sends."""
    (x,), w, size = visit.inputs, visit.element.window, delta.shape[2:]  # type: ignore[attr-defined]
    if fault == "max_to_first_place":
        out = np.zeros(x.shape)
        rows = np.maximum(np.arange(size[0]) * w.sh - w.ph, 0)
        columns = np.maximum(np.arange(size[1]) * w.sw - w.pw, 0)
        places: Any = (..., rows[:, None], columns)
        np.add.at(out, places, delta)
        return {0: out}
    out, taps = _padded(np.zeros(x.shape), w), _taps(x, w, size)
    last = getattr(visit.element, "ties", "first") == "last"
    winner = len(taps) - 1 - taps[::-1].argmax(0) if last else taps.argmax(0)
    for k, (u, v) in enumerate(np.ndindex(w.kh, w.kw)):
        seen = _tap(out, u, v, w, size)
        seen += delta if fault == "max_to_all_places" else delta * (winner == k)
    return {0: out[:, :, w.ph : w.ph + x.shape[2], w.pw : w.pw + x.shape[3]]}


def tied(visit: Visit) -> Array:
    """Return which pixels are a largest one of a window that has several."""
    x, w = visit.inputs[0], visit.element.window  # type: ignore[attr-defined]
    size = visit.outputs[0].shape[2:]
    taps = _taps(x, w, size)
    largest = taps == taps.max(0)
    several, out = largest.sum(0) > 1, _padded(np.zeros(x.shape), w)
    for k, (u, v) in enumerate(np.ndindex(w.kh, w.kw)):
        seen = _tap(out, u, v, w, size)
        seen += largest[k] & several
    inside: Array = out[:, :, w.ph : w.ph + x.shape[2], w.pw : w.pw + x.shape[3]] > 0
    return inside


def mean(visit: Visit, delta: Array, fault: str | None) -> Sent:
    """Return what averaging over spans of rows and columns sends."""
    x, spans = visit.inputs[0], visit.element.spans  # type: ignore[attr-defined]
    if delta.ndim == 2:
        delta = delta[:, :, None, None]
    shares = []
    for table, pixels in zip(spans, x.shape[2:], strict=True):
        places = np.arange(pixels)
        inside = (places >= table[:, :1]) & (places < table[:, 1:2])
        if fault == "mean_to_first_place":
            inside = places == table[:, :1]
        whole = fault in ("mean_to_first_place", "mean_without_share")
        shares.append(inside / (1 if whole else table[:, 2:3]))
    return {0: np.einsum("ncij,ih,jw->nchw", delta, *shares, optimize=True)}
