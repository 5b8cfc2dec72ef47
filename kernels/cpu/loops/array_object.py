"""What an array object says of itself, read by compiled code from the object.

Numba looks at every array that it is handed: its type decides which specialisation runs, then
shape and strides are copied out, references counted. That costs 0.15 µs an array, one
specialisation for every number of axes, and views where they differ; asking NumPy for an
address costs as much again. A layer of LeNet-5 on one image *computes* for less than that.

So kernels here are handed ``id(array)``. In CPython that is the address of the object, and the
fields behind its head are part of NumPy's binary interface, on which every extension module
is built::

    data, number of axes, shape, strides, base, dtype, flags

Two rules keep it safe. The wrapper that takes the id holds the array until the compiled call
returns. And compiled code reads the type and these fields first: what is no array (a NumPy
number, a subclass), not C-contiguous, or of another dtype than the result is left to NumPy.
"""

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.errors import DeviceError
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

_HEAD = object.__basicsize__
_TYPE = _HEAD - 8  # the head ends with the type
_DATA, _AXES, _SHAPE, _DTYPE, _FLAGS = (_HEAD + offset for offset in (0, 8, 16, 40, 48))
_C_CONTIGUOUS, _ALIGNED = 0x1, 0x100


#: What the type of an array is known by; handed over, since it changes from run to run.
ARRAY_TYPE = id(np.ndarray)


def require_known_fields(array: Array) -> None:
    """Refuse an interpreter whose arrays look otherwise, before anything is read wrongly."""

    def at(offset: int, kind: Any) -> int:
        return int(kind.from_address(id(array) + offset).value)

    shape = ctypes.c_ssize_t * array.ndim
    known = (
        at(_TYPE, ctypes.c_ssize_t) == ARRAY_TYPE
        and at(_DATA, ctypes.c_ssize_t) == array.__array_interface__["data"][0]
        and at(_AXES, ctypes.c_int) == array.ndim
        and tuple(shape.from_address(at(_SHAPE, ctypes.c_ssize_t))) == array.shape
        and at(_DTYPE, ctypes.c_ssize_t) == id(array.dtype)
        and at(_FLAGS, ctypes.c_int) & (_C_CONTIGUOUS | _ALIGNED) == _C_CONTIGUOUS | _ALIGNED
    )
    if not known:
        raise DeviceError(
            "array_object: compiled kernels read arrays as CPython with NumPy 1.x and 2.x lays "
            f"them out in memory; got another layout in NumPy {np.__version__}"
        )


require_known_fields(np.zeros((3, 5), np.float32))


@intrinsic
def word_at(typing_context: Any, place: Any) -> Any:
    """word_at(place): the integer of a pointer's size that lies at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(types.intp)
        return builder.load(builder.inttoptr(arguments[0], kind.as_pointer()))

    return types.intp(types.intp), generate


@intrinsic
def put_word(typing_context: Any, place: Any, value: Any) -> Any:
    """put_word(place, value): write an integer or a float64 to an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, value = arguments
        builder.store(value, builder.inttoptr(place, value.type.as_pointer()))
        return context.get_dummy_value()

    kind = types.float64 if value == types.float64 else types.intp
    return types.void(types.intp, kind), generate


@intrinsic
def int_at(typing_context: Any, place: Any) -> Any:
    """int_at(place): the 32-bit integer that lies at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.IntType(32)
        found = builder.load(builder.inttoptr(arguments[0], kind.as_pointer()))
        return builder.sext(found, context.get_value_type(types.intp))

    return types.intp(types.intp), generate


@intrinsic
def place_of(typing_context: Any, array: Any) -> Any:
    """place_of(array): the address of a Numba array, for functions that it was handed to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, context.get_value_type(types.intp))

    return types.intp(array), generate


@intrinsic
def values_at(typing_context: Any, values: Any, place: Any) -> Any:
    """values_at(values, place): the values at an address, of the type that `values` has."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[1], arguments[0].type)

    return values(values, types.intp), generate


@intrinsic
def bytes_at(typing_context: Any, place: Any) -> Any:
    """bytes_at(place): the bytes at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.CPointer(types.uint8)(types.intp), generate


@intrinsic
def values_from(typing_context: Any, values: Any, first: Any) -> Any:
    """values_from(values, first): the same values without those before `first`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return values(values, types.intp), generate


@intrinsic
def place_of_values(typing_context: Any, values: Any) -> Any:
    """place_of_values(values): the address of typed values."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(arguments[0], context.get_value_type(types.intp))

    return types.intp(values), generate


@intrinsic
def number_at(typing_context: Any, place: Any) -> Any:
    """number_at(place): the float64 that lies at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.DoubleType().as_pointer()))

    return types.float64(types.intp), generate


@intrinsic
def copy_bytes(typing_context: Any, target: Any, source: Any, count: Any) -> Any:
    """copy_bytes(target, source, count): copy between addresses."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        target, source = (builder.inttoptr(each, byte) for each in arguments[:2])
        cgutils.raw_memcpy(builder, target, source, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@compiled(forceinline=True)
def data_of(array: int) -> int:
    """Return where the values of an array begin."""
    return word_at(array + _DATA)


@compiled(forceinline=True)
def dtype_of(array: int) -> int:
    """Return the identity of an array's dtype; that of one type is always the same."""
    return word_at(array + _DTYPE)


@compiled(forceinline=True)
def axes_of(array: int) -> int:
    """Return how many axes an array has."""
    return int_at(array + _AXES)


@compiled(forceinline=True)
def length_of(array: int, axis: int) -> int:
    """Return how long an axis is."""
    return word_at(word_at(array + _SHAPE) + axis * 8)


@compiled(forceinline=True)
def size_of(array: int) -> int:
    """Return how many values an array holds."""
    size = 1
    for axis in range(axes_of(array)):
        size *= length_of(array, axis)
    return size


@compiled(forceinline=True)
def is_array(thing: int, array_type: int) -> bool:
    """Tell whether an object is an array, so that the other fields may be read."""
    return word_at(thing + _TYPE) == array_type


@compiled(forceinline=True)
def is_ready(thing: int, array_type: int, dtype: int) -> bool:
    """Tell whether an object is a C-contiguous array of a dtype."""
    if not is_array(thing, array_type):
        return False
    flags = int_at(thing + _FLAGS) & (_C_CONTIGUOUS | _ALIGNED)
    return flags == (_C_CONTIGUOUS | _ALIGNED) and dtype_of(thing) == dtype
