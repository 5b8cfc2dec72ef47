"""Index and place: values picked by a key, and put where a key would pick them.

A key of slices that go forward picks a *box*: of each axis, every s-th place from the first
on. Boxes are what training picks, channels, borders, each second pixel, and a kernel moves
them on all threads. Other keys are NumPy's affair.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_cnn.device import Device
from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.requirements import integers
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

Box = tuple[tuple[int, int], ...]

_FEW = 4_096  # values up to which NumPy has picked them before a kernel is called
_IMAGE_AXES = 4  # of the arrays that kernels move boxes of


def box_of(key: Any, shape: Shape) -> Box | None:
    """Return the first place and the step of each axis; None where a key picks no box.

    Examples
    --------
    >>> box_of((slice(None), slice(1, -1, 2)), (3, 9, 2))
    ((0, 1), (1, 2), (0, 1))
    >>> box_of(slice(None, None, -1), (3,)) is None
    True
    """
    parts = key if isinstance(key, tuple) else (key,)
    if not 0 < len(shape) <= _IMAGE_AXES or not all(isinstance(part, slice) for part in parts):
        return None
    ranges = [part.indices(size) for part, size in zip(parts, shape, strict=False)]
    if any(step < 0 for _, _, step in ranges):
        return None
    whole = ((0, 1),) * (len(shape) - len(ranges))
    return (*((first, step) for first, _, step in ranges), *whole)


def put_into_zeros(device: Device, values: Any, box: Box, shape: Shape) -> Any:
    """Return zeros of a shape that has at most four axes, with values in a box of it."""
    return _move(device, "place_box", values, box, shape)


def _move(device: Device, operation: str, x: Any, box: Box, shape: Shape) -> Any:
    """Run a kernel that takes one array to one of another shape, in the layout that it has."""
    kernel = device.kernel(operation, x.dtype).function
    if layout.is_channels_last(x):
        image, channel, row, column = box
        out = device.empty_activation(shape, x.dtype)
        kernel(layout.channels_last(x), (image, row, column, channel), layout.channels_last(out))
        return out
    missing = _IMAGE_AXES - len(shape)
    between, places = (1,) * missing, ((0, 1),) * missing
    out = device.empty(shape, x.dtype)
    x = layout.contiguous(x)
    kernel(
        x.reshape(*x.shape[:-1], *between, x.shape[-1]),
        (*box[:-1], *places, box[-1]),
        out.reshape(*shape[:-1], *between, shape[-1]),
    )
    return out


def _picked_shape(operation: str, key: Any, shape: Shape) -> Shape:
    """Return the shape of what a key picks, or refuse the key."""
    try:  # on an array of this shape that takes one byte
        return np.broadcast_to(np.empty((), np.bool_), shape)[key].shape
    except (IndexError, TypeError, ValueError) as error:
        raise ShapeError(
            f"{operation}: the key fits the axes of the tensor; got shape {shape}: {error}"
        ) from None


class IndexElement(ArrayElement, name="index"):
    """Pick elements by integers, slices, integer arrays or masks."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x}[key]",
        {"x": "{δy} put back at key, repeated keys added up, 0 elsewhere"},
        r"y_k = x_{\text{key}_k}",
        {"x": r"\delta(x)_j = \sum_{k : \text{key}_k = j} \delta(y_k)"},
    )

    def __init__(self, key: Any) -> None:
        self.key = key

    def check(self, x: Variable) -> None:
        _picked_shape("index", self.key, x.shape)

    def forward(self, x: Any) -> Any:
        # Copied: a later change of x in place must not reach back into this value.
        picked = x[self.key]
        box = box_of(self.key, x.shape) if picked.size >= _FEW else None
        if box is None or not (x.flags.c_contiguous or layout.is_channels_last(x)):
            return self.device.xp.array(picked)
        return _move(self.device, "pick_box", x, box, picked.shape)

    def backward(self, signal: Variable) -> Variable:
        return PlaceElement(self.key, self.inputs[0].shape)(signal)


class PlaceElement(ArrayElement, name="place"):
    """Put values where an index would pick them; picked twice means added up."""

    rule = Rule(
        ("v",),
        ("y",),
        "{v} put at key, repeated keys added up, 0 elsewhere",
        {"v": "{δy}[key]"},
        r"y_j = \sum_{k : \text{key}_k = j} v_k",
        {"v": r"\delta(v_k) = \delta(y)_{\text{key}_k}"},
    )

    def __init__(self, key: Any, shape: Shape) -> None:
        self.key, self.shape = key, shape

    def check(self, signal: Variable) -> None:
        picked = _picked_shape("place", self.key, self.shape)
        if picked != signal.shape:
            raise ShapeError(
                f"place: the values have the shape {picked} that the key picks; got {signal.shape}"
            )

    def forward(self, signal: Any) -> Any:
        box = box_of(self.key, self.shape)
        if box is not None:
            return put_into_zeros(self.device, signal, box, self.shape)
        xp = self.device.xp
        if len(self.shape) == 4 and layout.is_channels_last(signal):
            n, c, h, w = self.shape
            out = layout.user_view(xp.zeros((n, h, w, c), signal.dtype))
        else:
            out = xp.zeros(self.shape, signal.dtype)
        parts = self.key if isinstance(self.key, tuple) else (self.key,)
        if all(isinstance(part, slice | int) for part in parts):  # picks nothing twice
            out[self.key] = signal
        else:
            xp.add.at(out, self.key, signal)
        return out

    def backward(self, signal: Variable) -> Variable:
        return IndexElement(self.key)(signal)


# -- functions -----------------------------------------------------------------------


def place(values: Any, key: Any, shape: Sequence[int]) -> Any:
    """Put values at `key` into zeros: ``y[key] += v``, indexing the other way round.

    Parameters
    ----------
    values : Tensor, the shape that `key` picks
        Values v; those that are put into the same place add up.
    key : int, slice, integer array, mask, or a tuple of them
        Where to, as NumPy indexes.
    shape : sequence of int
        Shape of the result.

    Returns
    -------
    Tensor, shape `shape`

    Raises
    ------
    ShapeError
        If the key does not fit `shape`, or picks another shape than that of `values`.
    DTypeError
        If `values` is no Tensor.
    OptionError
        If a size is no integer.

    Notes
    -----
    ``δ(v) = δ(y)[key]``.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.place(tg.Tensor([7.0, 8.0]), [2, 0], (4,)).tolist()
    [8.0, 0.0, 7.0, 0.0]
    """
    return PlaceElement(key, integers("place", "sizes", shape))(values)
