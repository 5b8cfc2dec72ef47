"""Which numbers depend on which: the geometry of every element, exact and in both directions.

Of most elements it is a product over axes. Of a convolution, output ``y[n,o,i,j]`` reads input
``x[n',c,r,q]`` where four conditions hold at once, one for each axis::

    n' = n      c in the group of o      r = i s + u d - p for some u      q likewise

So an element's geometry is written down as one table of truth values for each axis. A set of
outputs is led back through it to the inputs that they read, and a set of inputs ahead to the
outputs that read them. Gaps that dilation leaves stay gaps, and what hangs over the border of an
image is cut off. Elements that move numbers about (reshape, index) say where each one came from.

Strides, padding and dilation are those of the element's own window. An element that nobody
wrote a row for is taken to read everything: its geometry is too large, and never too small.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.elements.activation import ActivationElement
from tinygrad_cnn.elements.arithmetic import BinaryElement, UnaryElement
from tinygrad_cnn.elements.pool import PoolElement
from tinygrad_cnn.explain.recording import Step
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels.geometry import Window

Mask = npt.NDArray[np.bool_]


class Link(NamedTuple):
    """One axis of an input and one of an output; the table is (input places, output places).

    Without a table, place k belongs to place k.
    """

    input_axis: int
    output_axis: int
    table: Mask | None = None


class Product(NamedTuple):
    """Dependence by axes. An axis that no link names is read, or written, at all places."""

    input: Shape
    output: Shape
    links: tuple[Link, ...]

    def back(self, mask: Mask) -> Mask:
        """Return the inputs that some outputs read."""
        turned = [
            Link(link.output_axis, link.input_axis, None if link.table is None else link.table.T)
            for link in self.links
        ]
        return _led(mask, turned, self.input)

    def ahead(self, mask: Mask) -> Mask:
        """Return the outputs that read some inputs."""
        return _led(mask, list(self.links), self.output)


def _led(mask: Mask, links: list[Link], shape: Shape) -> Mask:
    """Lead a set of places through links, from their first axis to their second."""
    links = sorted(links)
    linked = {link.input_axis for link in links}
    summed = tuple(axis for axis in range(mask.ndim) if axis not in linked)
    rest: Mask = np.asarray(mask.any(axis=summed))
    for position, link in enumerate(links):
        if link.table is not None:
            moved = np.moveaxis(rest, position, -1).astype(np.float32)
            rest = np.moveaxis(moved @ link.table.astype(np.float32) > 0, -1, position)
    order = np.argsort([link.output_axis for link in links])
    rest = rest.transpose(order) if links else rest
    written = {link.output_axis for link in links}
    wide = tuple(shape[axis] if axis in written else 1 for axis in range(len(shape)))
    return np.broadcast_to(rest.reshape(wide), shape).copy()


class Moved(NamedTuple):
    """Dependence of an element that moves numbers: the flat place that each output came from."""

    input: Shape
    output: Shape
    places: npt.NDArray[np.intp]  # of the output's shape; -1 where it came from nowhere

    def back(self, mask: Mask) -> Mask:
        """Return the inputs that came to some outputs."""
        found = np.zeros(math.prod(self.input), bool)
        found[self.places[mask & (self.places >= 0)]] = True
        return found.reshape(self.input)

    def ahead(self, mask: Mask) -> Mask:
        """Return the outputs that some inputs came to."""
        if not mask.size:
            return np.zeros(self.output, bool)
        return np.where(self.places >= 0, mask.reshape(-1)[self.places], False)


class Turned(NamedTuple):
    """The dependence of an element that undoes another one: both directions exchanged."""

    of: Moved

    def back(self, mask: Mask) -> Mask:
        """Return the inputs that some outputs read."""
        return self.of.ahead(mask)

    def ahead(self, mask: Mask) -> Mask:
        """Return the outputs that read some inputs."""
        return self.of.back(mask)


Dependence = Product | Moved | Turned


@dataclass
class Read:
    """One input and one output of an element that ran, as a row of the table is asked of them."""

    step: Step
    settings: Mapping[str, Any]
    input: int
    output: int

    @property
    def shapes(self) -> tuple[Shape, Shape]:
        """Shape of the input and of the output."""
        return self.step.inputs[self.input].shape, self.step.outputs[self.output].shape

    def links(self, *links: Link) -> Product:
        """Return a dependence by axes."""
        return Product(*self.shapes, links)


Row = Callable[[Read], Dependence]
ROWS: dict[str, Row] = {}  # by the name of an element


def of_element(*names: str) -> Callable[[Row], Row]:
    """Enter the geometry of elements into the table."""

    def enter(row: Row) -> Row:
        ROWS.update(dict.fromkeys(names, row))
        return row

    return enter


def dependence(
    step: Step, settings: Mapping[str, Any], input: int = 0, output: int = 0
) -> Dependence:
    """Return how an output of an element depends on one of its inputs.

    Parameters
    ----------
    step : Step
    settings : mapping
        What the element was given besides its inputs: its window, axes, key.
    input, output : int

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> from tinygrad_cnn.explain.recording import settings_of, structure_behind
    >>> x = tg.Tensor(np.ones((1, 1, 1, 7)), requires_grad=True)
    >>> y = tg.functional.conv2d(x, tg.Tensor(np.ones((1, 1, 1, 3))), stride=2, padding=(0, 1))
    >>> (step,) = structure_behind(y.node)
    >>> geometry = dependence(step, settings_of(y.creator))
    >>> first = np.array([[[[True, False, False, False]]]])
    >>> geometry.back(first).astype(int).tolist()
    [[[[1, 1, 0, 0, 0, 0, 0]]]]
    """
    return (row_of(step.name) or of_everything)(Read(step, settings, input, output))


def row_of(name: str) -> Row | None:
    """Return the row of an element: its own, or that of its family."""
    kind = ELEMENTS.get(name)
    if name in ROWS or kind is None:
        return ROWS.get(name)
    if issubclass(kind, UnaryElement | BinaryElement | ActivationElement):
        return value_by_value
    return windowed if issubclass(kind, PoolElement) else None


def of_everything(read: Read) -> Product:
    """Every output reads every input."""
    return read.links()


@of_element("clamp", "cast", "clone", "identity", "dropout", "add_relu", "broadcast_to")
def value_by_value(read: Read) -> Product:
    """Each output reads the input at its place; an axis of one is read by all along it."""
    inner, outer = read.shapes
    missing = len(outer) - len(inner)
    return read.links(
        *(
            Link(axis, axis + missing)
            for axis, size in enumerate(inner)
            if size == outer[axis + missing]
        )
    )


# -- windows -----------------------------------------------------------------------------------


def taps(pixels: int, outputs: int, kernel: int, stride: int, padding: int, gap: int) -> Mask:
    """Return, along one axis, which pixels (rows) each output (columns) reads.

    Examples
    --------
    >>> taps(pixels=5, outputs=2, kernel=2, stride=3, padding=1, gap=2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [0, 0], [0, 1]]
    """
    pixel, output = np.ogrid[:pixels, :outputs]
    tap = pixel + padding - output * stride
    return (tap >= 0) & (tap % gap == 0) & (tap < kernel * gap)


def _down_and_across(window: Window, large: Shape, small: Shape) -> tuple[Mask, Mask]:
    w = window
    return (
        taps(large[-2], small[-2], w.kh, w.sh, w.ph, w.dh),
        taps(large[-1], small[-1], w.kw, w.sw, w.pw, w.dw),
    )


def _weight_taps(
    pixels: int, outputs: int, kernel: int, stride: int, padding: int, gap: int, flip: bool
) -> Mask:
    """Return, along one axis, which weights (rows) find a pixel below some output (columns)."""
    weight, output = np.ogrid[:kernel, :outputs]
    pixel = output * stride + (kernel - 1 - weight if flip else weight) * gap - padding
    return (pixel >= 0) & (pixel < pixels)


def _weights_set_apart(
    pixels: int, outputs: int, kernel: int, stride: int, padding: int, gap: int
) -> Mask:
    """Return which weights (rows) bring some pixel, set apart by a stride, to an output."""
    weight, output = np.ogrid[:kernel, :outputs]
    pixel = output + padding - weight * gap
    return (pixel >= 0) & (pixel % stride == 0) & (pixel < pixels * stride)


def _groups(inner: int, outer: int, groups: int) -> Mask:
    """Return which channels meet in a group."""
    channel, filter_ = np.ogrid[:inner, :outer]
    return channel // max(inner // groups, 1) == filter_ // max(outer // groups, 1)


@of_element("conv2d", "conv2d_relu", "conv2d_sigmoid", "conv2d_tanh", "conv1d")
def convolution(read: Read) -> Product:
    """Link images by batch, group, rows and columns; a weight with its filter's whole map."""
    inner, outer = read.shapes
    window: Window = read.settings["window"]
    across = len(outer) - 1  # rows of pixels have columns alone
    image = read.step.inputs[0].shape
    if read.input == 0:
        links = [Link(0, 0)]
        if window.groups > 1:
            links.append(Link(1, 1, _groups(inner[1], outer[1], window.groups)))
        if len(outer) == 4:
            down, along = _down_and_across(window, inner, outer)
            links += [Link(2, 2, down), Link(3, 3, along)]
        else:
            w = window
            links.append(Link(2, 2, taps(inner[2], outer[2], w.kw, w.sw, w.pw, w.dw)))
        return read.links(*links)
    links = [Link(0, 1)]
    if read.input == 1:
        flip, w = bool(read.settings.get("flip")), window
        if len(outer) == 4:
            table = _weight_taps(image[2], outer[2], w.kh, w.sh, w.ph, w.dh, flip)
            links.append(Link(2, 2, table))
        table = _weight_taps(image[-1], outer[-1], w.kw, w.sw, w.pw, w.dw, flip)
        links.append(Link(across, across, table))
    return read.links(*links)


@of_element("conv_transpose2d")
def transposed_convolution(read: Read) -> Product:
    """Link as the convolution that it is the adjoint of, with both ends exchanged."""
    inner, outer = read.shapes
    window: Window = read.settings["window"]
    if read.input == 2:
        return read.links(Link(0, 1))
    w, image = window, read.step.inputs[0].shape
    if read.input == 1:  # (C, O / groups, KH, KW)
        links = [
            Link(2, 2, _weights_set_apart(image[2], outer[2], w.kh, w.sh, w.ph, w.dh)),
            Link(3, 3, _weights_set_apart(image[3], outer[3], w.kw, w.sw, w.pw, w.dw)),
        ]
        # Of several groups, filter and group together choose the map: not an axis by itself.
        return read.links(*links, *([Link(1, 1)] if w.groups == 1 else ()))
    down, across = _down_and_across(window, outer, inner)
    links = [Link(0, 0), Link(2, 2, down.T), Link(3, 3, across.T)]
    if window.groups > 1:
        links.append(Link(1, 1, _groups(inner[1], outer[1], window.groups)))
    return read.links(*links)


def windowed(read: Read) -> Product:
    """Link each channel with itself, and what is below a window with its pixel."""
    inner, outer = read.shapes
    down, across = _down_and_across(read.settings["window"], inner, outer[:4])
    return read.links(Link(0, 0), Link(1, 1), Link(2, 2, down), Link(3, 3, across))


@of_element("adaptive_avg_pool2d", "global_avg_pool2d")
def cells(read: Read) -> Product:
    """Link a cell, from floor(i H / OH) to ceil((i + 1) H / OH), with its pixel."""
    inner, outer = read.shapes
    links = [Link(0, 0), Link(1, 1)]
    for axis in (2, 3):
        if len(outer) == 4 and outer[axis] > 1:
            pixel, cell = np.ogrid[: inner[axis], : outer[axis]]
            first, end = (
                cell * inner[axis] // outer[axis],
                -(-(cell + 1) * inner[axis] // outer[axis]),
            )
            links.append(Link(axis, axis, (pixel >= first) & (pixel < end)))
    return read.links(*links)
