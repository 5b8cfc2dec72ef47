"""Addresses, and runs of neighbouring values, inside compiled kernels.

An array that Numba compiles costs a bounds-free but slow path for every slice: shape and
strides are taken apart, references counted. A convolution moves many short runs of values
and hands many addresses to its register tiles, so both are plain instructions here.

One rule keeps this safe. Numba frees an array after the last line that names it, and an
address does not count as naming. So ask for addresses only in a function that received the
array as an *argument*: its caller keeps the array alive until the call returns.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

#: Bytes of a cache line, and so of the widest vector.
LINE_BYTES = 64


def read_only(array: Array, dtype: Any = None) -> Array:
    """Return a flat read-only view of a C-contiguous array: one type whatever it is given.

    Numba compiles anew for a writable, a read-only, a 2-D and a 4-D array. Many kernels
    take flat read-only inputs and compute the offsets themselves.
    """
    if dtype is not None:
        array = np.asarray(array, dtype)
    view = array.ravel()
    view.setflags(False)  # type: ignore[call-arg]  # by name it takes twice as long
    return view


def read_only_view(array: Array) -> Array:
    """Return a read-only view of the same shape, for kernels that leave offsets to Numba."""
    view = array.view()
    view.setflags(False)  # type: ignore[call-arg]
    return view


def plan_array(*parts: Any) -> Array:
    """Return the integers of some plans and tables, one after the other, read-only.

    A compiled function takes an array in a fraction of the time that it takes a tuple of
    forty fields apart: it reads the fields itself, by :func:`read_fields`.
    """
    plan = np.concatenate([np.asarray(part, np.intp).reshape(-1) for part in parts])
    plan.setflags(write=False)
    return plan


@intrinsic
def read_fields(typing_context: Any, kind: Any, array: Any, offset: Any) -> Any:
    """read_fields(Plan, array, offset): the Plan whose fields lie in an array of integers."""
    result = types.NamedUniTuple(types.intp, len(kind.instance_class._fields), kind.instance_class)
    signature = result(kind, array, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, values, offset = arguments
        data = context.make_array(signature.args[1])(context, builder, values).data
        first = builder.gep(data, [offset])
        fields = [
            builder.load(cgutils.gep_inbounds(builder, first, k)) for k in range(result.count)
        ]
        return context.make_tuple(builder, result, fields)

    return signature, generate


@compiled()
def aligned(values: Array) -> Array:
    """Return the part of a scratch array that begins at a cache line.

    A vector that straddles two lines is read at half the speed. Ask for LINE_BYTES values more.
    """
    return values[(-values.ctypes.data & (LINE_BYTES - 1)) // values.itemsize :]


@intrinsic
def address(typing_context: Any, array: Any, offset: Any) -> Any:
    """address(array, offset): where ``array.flat[offset]`` lies; see the rule above."""
    signature = types.CPointer(array.dtype)(array, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return signature, generate


@intrinsic
def offset(typing_context: Any, place: Any, count: Any) -> Any:
    """offset(place, count): the address of the value `count` values behind another."""
    signature = place(place, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return signature, generate


@intrinsic
def copy_run(typing_context: Any, target: Any, source: Any, count: Any) -> Any:
    """copy_run(target, source, count): copy `count` neighbouring values between addresses."""
    signature = types.void(target, source, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, source, count = arguments
        size = context.get_abi_sizeof(target.type.pointee)
        cgutils.raw_memcpy(builder, target, source, count, size)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def clear_run(typing_context: Any, target: Any, count: Any) -> Any:
    """clear_run(target, count): set `count` neighbouring values to zero."""
    signature = types.void(target, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, count = arguments
        size = context.get_constant(types.intp, context.get_abi_sizeof(target.type.pointee))
        cgutils.memset(builder, target, builder.mul(count, size), 0)
        return context.get_dummy_value()

    return signature, generate
