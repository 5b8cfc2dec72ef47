"""Devices: where values live, and how an element's arithmetic is carried out there.

``scalar``
    Python floats.
``cpu``
    NumPy arrays.
``shapes``
    Arrays with a shape and no memory, for networks that are to be counted and not computed.
    What meets one of them is treated as one: a network in memory can be fed a shape.

An element asks its device to run an operation; which kernel that is, and how memory for the
result is laid out, is decided below this line.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DeviceError, DTypeError
from tinygrad_cnn.graph import Node, Version
from tinygrad_cnn.kernels import buffer_pool, layout
from tinygrad_cnn.kernels.registry import Geometry, Kernel, lookup
from tinygrad_cnn.kernels.stand_in import ShapesOnly, StandIn, stand_in
from tinygrad_cnn.variable import Variable

Shape = tuple[int, ...]


class Device:
    """Common part of all devices."""

    name: str
    value_class: type  # of the values that live here
    wrap: Callable[[Any, Node | None, Version | None], Variable]  # see `wraps_in`

    def kernel(
        self, operation: str, dtype: np.dtype[Any] | None = None, geometry: Geometry = None
    ) -> Kernel:
        """Return the kernel that runs an operation here."""
        return lookup(operation, self.name, np.float64 if dtype is None else dtype, geometry)

    def wraps_in(self, variable_class: type[Variable]) -> None:
        """Name the class of variables here; scalar.py and tensor.py do when they are imported."""
        self.wrap = variable_class.wrap

    def variable(self, value: Any, version: Version | None = None) -> Variable:
        """Return a value as a Variable that nothing has created."""
        raise NotImplementedError  # abstract

    def elementwise(self, operation: str, *operands: Any) -> Any:
        """Run an operation on each element of broadcast operands."""
        raise NotImplementedError  # abstract

    def dense(self, operation: str, *operands: Any, shape: Shape) -> Any:
        """Run an operation on C-contiguous operands of one type that yields `shape`."""
        raise NotImplementedError  # abstract

    def rows(self, value: Any) -> Any:
        """Return a batch of vectors, (..., D), as a matrix (N, D)."""
        raise NotImplementedError  # abstract

    def rowwise(self, operation: str, value: Any, *operands: Any, vector: Shape) -> Any:
        """Run an operation on a batch (..., D) that yields a `vector`-shaped one for each."""
        raise NotImplementedError  # abstract

    def empty(self, shape: Shape, dtype: npt.DTypeLike) -> Any:
        """Allocate a C-contiguous array that a kernel will fill."""
        raise NotImplementedError  # abstract

    def empty_activation(self, shape: Shape, dtype: npt.DTypeLike) -> Any:
        """Allocate an activation for a kernel to fill: (N, C, H, W) is channels-last inside."""
        raise NotImplementedError  # abstract

    def no_bias(self, weight: Any) -> Any:
        """Return what stands for a bias where a weight (out, ...) has none."""
        raise NotImplementedError  # abstract

    def total(self, value: Any) -> Any:
        """Add up all elements."""
        raise NotImplementedError  # abstract

    def channel_totals(self, value: Any, axis: int) -> Any:
        """Add up the elements over all axes but one."""
        raise NotImplementedError  # abstract


class ScalarDevice(Device):
    """Python floats: kernels return their result."""

    name = "scalar"
    value_class = float

    def variable(self, value: Any, version: Version | None = None) -> Variable:
        return self.wrap(value, None, version)

    def elementwise(self, operation: str, *operands: Any) -> Any:
        return self.kernel(operation).function(*operands)

    def dense(self, operation: str, *operands: Any, shape: Shape) -> Any:
        return self.kernel(operation).function(*operands)

    def rows(self, value: Any) -> Any:
        return value

    def rowwise(self, operation: str, value: Any, *operands: Any, vector: Shape) -> Any:
        return self.kernel(operation).function(value, *operands)

    def no_bias(self, weight: Any) -> Any:
        return 0.0

    def total(self, value: Any) -> Any:
        return value

    def channel_totals(self, value: Any, axis: int) -> Any:
        return value


class ArrayDevice(Device):
    """Arrays: kernels fill memory that is allocated here."""

    def __init__(self, name: str, value_class: type, module: ModuleType | ShapesOnly) -> None:
        self.name, self.value_class = name, value_class
        self.xp: Any = module  # NumPy, or a module with NumPy's functions

    def variable(self, value: Any, version: Version | None = None) -> Variable:
        if type(value) is not self.value_class:  # a sum over all axes is not an array yet
            value = self.xp.asarray(value)
        return self.wrap(value, None, version)

    def elementwise(self, operation: str, *operands: Any) -> Any:
        # The usual case: one type, and one shape beside single numbers.
        dtype = operands[0].dtype
        shape: Shape = ()
        ready = True
        for operand in operands:
            if operand.dtype is not dtype:
                return self._broadcast(operation, operands)
            if (own := operand.shape) and own != shape:
                if shape:
                    return self._broadcast(operation, operands)
                shape = own
            ready = ready and operand.flags.c_contiguous
        channels_last = False
        if not ready or len(shape) == 4:
            operands, channels_last = layout.alike(operands, len(shape))
            if channels_last:
                n, c, h, w = shape
                shape = (n, h, w, c)
        out = self.empty(shape, dtype)
        self.kernel(operation, dtype).function(*operands, out)
        return layout.user_view(out) if channels_last else out

    def _broadcast(self, operation: str, operands: tuple[Any, ...]) -> Any:
        """Run an operation on each element of operands of several shapes or types."""
        shape = self.xp.broadcast_shapes(*(operand.shape for operand in operands))
        # Integers take the type of the floats they meet: int64 + float32 is float32.
        floats = [operand.dtype for operand in operands if operand.dtype.kind == "f"]
        dtype = self.xp.result_type(*(floats or operands))
        aligned, channels_last = layout.align(operands, shape)
        if channels_last:
            n, c, h, w = shape
            shape = (n, h, w, c)
        out = self.empty(shape, dtype)
        self.kernel(operation, dtype).function(*aligned, out)
        return layout.user_view(out) if channels_last else out

    def add_into(self, total: Any, value: Any) -> None:
        """Add a value to another of its shape and type, in the memory of that."""
        ready, _ = layout.alike((total, value), total.ndim)
        if self.xp.may_share_memory(ready[0], total):
            self.kernel("add", total.dtype).function(*ready, ready[0])
        else:  # neither order of its axes makes it contiguous
            self.xp.add(total, value, out=total)

    def dense(self, operation: str, *operands: Any, shape: Shape) -> Any:
        dtype = operands[0].dtype
        out = self.empty(shape, dtype)
        self.kernel(operation, dtype).function(*map(layout.contiguous, operands), out)
        return out

    def rows(self, value: Any) -> Any:
        if value.ndim == 2:
            return value
        return value.reshape(math.prod(value.shape[:-1]), value.shape[-1])

    def rowwise(self, operation: str, value: Any, *operands: Any, vector: Shape) -> Any:
        if value.ndim == 2:
            return self.dense(operation, value, *operands, shape=(len(value), *vector))
        rows = self.rows(value)
        out = self.dense(operation, rows, *operands, shape=(len(rows), *vector))
        return out.reshape(*value.shape[:-1], *vector)

    empty = staticmethod(buffer_pool.empty)

    def empty_activation(self, shape: Shape, dtype: npt.DTypeLike) -> Any:
        return layout.empty_activation(shape, dtype)

    def no_bias(self, weight: Any) -> Any:
        return _zeros(self, weight.shape[0], weight.dtype)

    def total(self, value: Any) -> Any:
        return self.xp.asarray(np.add.reduce(value, axis=None))

    def channel_totals(self, value: Any, axis: int) -> Any:
        last = layout.axis_last(value, axis)
        return self.dense("channel_sum", last, shape=last.shape[-1:])

    def blend(self, average: Any, value: Any, share: float, factor: float = 1.0) -> None:
        """Move a running average towards factor · value, in place."""
        average *= 1.0 - share
        average += share * factor * value

    def keep_mask(self, shape: Shape, p: float, generator: np.random.Generator) -> Any:
        """Draw truth values that are false with probability p.

        The generator yields a key, and the key all values, in the order in which activations
        lie in memory. The probability is exact to 2^-33.
        """
        mask = self.empty_activation(shape, np.bool_)
        key = int.from_bytes(generator.bytes(8), "little")
        threshold = round((1.0 - p) * 2.0**32)
        self.kernel("dropout_mask", mask.dtype).function(key, threshold, layout.channels_last(mask))
        return mask


class ShapesDevice(ArrayDevice):
    """Arrays without memory: kernels do nothing."""

    def kernel(
        self, operation: str, dtype: np.dtype[Any] | None = None, geometry: Geometry = None
    ) -> Kernel:
        return Kernel(operation, self.name, "nothing", _do_nothing)

    def empty(self, shape: Shape, dtype: npt.DTypeLike) -> Any:
        return stand_in(shape, dtype)

    def empty_activation(self, shape: Shape, dtype: npt.DTypeLike) -> Any:
        return stand_in(shape, dtype)

    def blend(self, average: Any, value: Any, share: float, factor: float = 1.0) -> None:
        """Leave the average as it is: there is no value to move towards."""

    def keep_mask(self, shape: Shape, p: float, generator: np.random.Generator) -> Any:
        """Draw nothing."""
        return stand_in(shape, np.bool_)


@lru_cache(maxsize=256)
def _zeros(device: ArrayDevice, size: int, dtype: np.dtype[Any]) -> Any:
    """Return zeros for all who want so many; kernels only read them."""
    return device.xp.zeros(size, dtype)


def _do_nothing(*arrays: Any) -> None:
    """Stand in for a kernel."""


SCALAR = ScalarDevice()
CPU = ArrayDevice("cpu", np.ndarray, np)
SHAPES = ShapesDevice("shapes", StandIn, ShapesOnly())
ARRAY_DEVICES: dict[str, ArrayDevice] = {device.name: device for device in (CPU, SHAPES)}
DEVICES: dict[str, Device] = {SCALAR.name: SCALAR, **ARRAY_DEVICES}
# Where values live, by their kind.
HOMES: dict[type | None, Device] = {device.value_class: device for device in DEVICES.values()}
ARRAY_HOMES: dict[type | None, Device] = {d.value_class: d for d in ARRAY_DEVICES.values()}

_without_memory: ContextVar[bool] = ContextVar("without memory", default=False)


@contextmanager
def without_memory() -> Iterator[None]:
    """Give the parameters that are made inside a ``with`` block a shape and no memory.

    They live on the device ``shapes``. Networks of any size can be built so, counted, and
    run on tensors whose shape alone matters.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> with tg.nn.without_memory():
    ...     layer = tg.nn.Linear(10_000, 10_000)
    >>> layer.count_parameters(), layer(tg.zeros(8, 10_000, device="shapes")).shape
    (100010000, (8, 10000))
    """
    token = _without_memory.set(True)
    try:
        yield
    finally:
        _without_memory.reset(token)


def shape_alone(data: npt.ArrayLike) -> Any:
    """Return an array without memory, of the shape and element type that data has."""
    array = np.asarray(data)
    return stand_in(array.shape, array.dtype)


def is_without_memory() -> bool:
    """Tell whether parameters that are made now have a shape and no memory."""
    return _without_memory.get()


def require_variables(operation: str, *inputs: Any) -> None:
    """Refuse whatever is no Tensor and no Scalar."""
    for variable in inputs:
        if not isinstance(variable, Variable):
            raise DTypeError(
                f"{operation}: it works on Tensors and Scalars; got {type(variable).__name__}. "
                "Wrap it: tg.Tensor(array)"
            )


def meeting_place(operation: str, inputs: tuple[Variable, ...], scalars: bool) -> Device:
    """Return the one device of inputs whose values are not of one known kind.

    Parameters
    ----------
    operation : str
        Who asks, for messages.
    inputs : tuple of Variable
    scalars : bool
        Whether the operation works on scalars too.

    Raises
    ------
    DTypeError
        If one of them is a Scalar where there is to be none.
    DeviceError
        If they live on several.
    """
    if not scalars:
        for variable in inputs:
            if variable.device == SCALAR.name:
                raise DTypeError(
                    f"{operation}: it works on tensors; got a Scalar"
                    f"{f' named {variable.name!r}' if variable.name else ''}. "
                    "Join scalars to a tensor with tg.stack(scalars)."
                )
    named = {variable.device for variable in inputs}
    if len(named) == 1:
        return DEVICES[named.pop()]
    if named == {CPU.name, SHAPES.name}:
        return SHAPES
    places = ", ".join(f"{v.name or type(v).__name__} on {v.device!r}" for v in inputs)
    raise DeviceError(
        f"{operation}: all inputs live on one device; got {places}. Use tg.stack(scalars) "
        "or tensor.scalars() to cross between scalars and tensors."
    )
