"""The geometry of elements without a window: sums, products, norms, and what moves numbers."""

import math

import numpy as np

from tinygrad_cnn.explain.sight.dependence import (
    Dependence,
    Link,
    Moved,
    Product,
    Read,
    Turned,
    of_element,
    of_everything,
    value_by_value,
)


@of_element("affine", "affine_relu", "affine_sigmoid", "affine_tanh", "squared_distances")
def affine(read: Read) -> Product:
    """Link each example with its outputs, and each row of the weight with its output."""
    inner, outer = read.shapes
    if read.input:
        return read.links(Link(0, len(outer) - 1)) if inner else of_everything(read)
    return read.links(*(Link(axis, axis) for axis in range(len(inner) - 1)))


@of_element("matmul")
def product(read: Read) -> Product:
    """Link the matrices of two stacks, rows with rows or columns with columns."""
    inner, outer = read.shapes
    missing, last = len(outer) - len(inner), len(inner) - 2 + read.input
    stack = [a for a in range(len(inner) - 2) if inner[a] == outer[a + missing]]
    return read.links(*(Link(axis, axis + missing) for axis in (*stack, last)))


@of_element("sum", "mean", "max", "min", "max_shared", "min_shared")
def over_axes(read: Read) -> Product:
    """Link what is not summed over."""
    inner, _ = read.shapes
    axes, keepdim = read.settings["axes"], read.settings["keepdim"]
    left = [axis for axis in range(len(inner)) if axis not in axes]
    return read.links(*(Link(a, a if keepdim else k) for k, a in enumerate(left)))


@of_element("softmax", "log_softmax")
def of_a_row(read: Read) -> Product:
    """Link rows: each number of a row depends on all of it."""
    inner, _ = read.shapes
    return read.links(*(Link(a, a) for a in range(len(inner)) if a != read.settings["dim"]))


@of_element("batch_norm", "batch_norm_relu")
def batch_norm(read: Read) -> Product:
    """Link channels: through mean and variance, a number depends on its channel's whole batch."""
    return read.links(Link(1 if read.input == 0 else 0, 0 if read.output else 1))


@of_element("batch_norm_inference")
def batch_norm_inference(read: Read) -> Dependence:
    """Link numbers: mean and variance are given."""
    return value_by_value(read) if read.input == 0 else read.links(Link(0, 1))


@of_element("local_response_norm")
def local_response_norm(read: Read) -> Product:
    """Link a channel with the n channels around it."""
    inner, _ = read.shapes
    size = read.settings["size"]
    near, far = np.ogrid[: inner[1], : inner[1]]
    first = far - size // 2
    others = [Link(axis, axis) for axis in range(len(inner)) if axis != 1]
    return read.links(*others, Link(1, 1, (near >= first) & (near < first + size)))


@of_element(
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy_with_logits",
    "multi_margin_loss",
    "rbf_loss",
    "hinge_loss",
    "mse_loss",
    "squared_error",
    "l1_loss",
)
def loss(read: Read) -> Dependence:
    """Link examples, and pixels, where a loss is told of each; else it depends on everything."""
    inner, outer = read.shapes
    if inner == outer:
        return value_by_value(read)
    if read.input == 0 and outer and outer == (*inner[:1], *inner[2:]):  # without the classes
        return read.links(Link(0, 0), *(Link(axis + 1, axis) for axis in range(1, len(outer))))
    return of_everything(read)


# -- the same numbers at other places ------------------------------------------------------


@of_element("reshape")
def reshaped(read: Read) -> Moved:
    """Say that numbers keep their order."""
    return Moved(*read.shapes, np.arange(math.prod(read.shapes[1])).reshape(read.shapes[1]))


@of_element("transpose")
def transposed(read: Read) -> Product:
    """Link axes in another order."""
    return read.links(*(Link(old, new) for new, old in enumerate(read.settings["axes"])))


@of_element("index")
def picked(read: Read) -> Dependence:
    """Say what a key picks; an array of places is not kept, and may pick anything."""
    if "key" not in read.settings:
        return of_everything(read)
    inner, outer = read.shapes
    return Moved(inner, outer, np.arange(math.prod(inner)).reshape(inner)[read.settings["key"]])


@of_element("place")
def put(read: Read) -> Dependence:
    """Say where a key puts each number; what it picks, turned around."""
    if "key" not in read.settings:
        return of_everything(read)
    inner, outer = read.shapes
    picks = np.arange(math.prod(outer)).reshape(outer)[read.settings["key"]]
    return Turned(Moved(outer, inner, picks))


@of_element("windows")
def laid_out(read: Read) -> Moved:
    """Say which pixel stands below each tap of a window; of padding, none."""
    inner, outer = read.shapes
    w = read.settings["window"]
    row = np.arange(outer[2])[:, None] * w.sh + np.arange(w.kh) * w.dh - w.ph  # (OH, KH)
    column = np.arange(outer[3])[:, None] * w.sw + np.arange(w.kw) * w.dw - w.pw
    row, column = row[:, None, :, None], column[None, :, None, :]  # (OH, OW, KH, KW)
    inside = (row >= 0) & (row < inner[2]) & (column >= 0) & (column < inner[3])
    image = np.arange(math.prod(inner[:2])).reshape(*inner[:2], 1, 1, 1, 1)
    places = np.where(inside, (image * inner[2] + row) * inner[3] + column, -1)
    return Moved(inner, outer, places.reshape(outer))


@of_element("concatenate")
def joined(read: Read) -> Product:
    """Link each part with its stretch of the whole."""
    inner, outer = read.shapes
    axis = read.settings["dim"]
    begin = sum(part.shape[axis] for part in read.step.inputs[: read.input])
    place, whole = np.ogrid[: inner[axis], : outer[axis]]
    others = [Link(a, a) for a in range(len(inner)) if a != axis]
    return read.links(*others, Link(axis, axis, place + begin == whole))


@of_element("pad")
def surrounded(read: Read) -> Product:
    """Link what lies within the border."""
    inner, outer = read.shapes
    links = []
    for axis, (before, _) in enumerate(read.settings["widths"]):
        place, whole = np.ogrid[: inner[axis], : outer[axis]]
        links.append(Link(axis, axis, place + before == whole))
    return read.links(*links)


@of_element("stack_scalars")
def stacked(read: Read) -> Moved:
    """Say that scalar k stands at place k."""
    (count,) = read.shapes[1]
    return Moved((), (count,), np.where(np.arange(count) == read.input, 0, -1))


@of_element("unstack_scalars")
def unstacked(read: Read) -> Moved:
    """Say that scalar k came from place k."""
    return Moved(read.shapes[0], (), np.array(read.output))
