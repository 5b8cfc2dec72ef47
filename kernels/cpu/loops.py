"""From a loop over values to kernels: registered, compiled when first needed, broadcast.

A loop is the whole of an elementwise kernel::

    @loop("add", operands=2)
    def add(x, y, z, out, count):
        for k in range(count):
            out[k] = x[k] + y[k]

Every loop has three operands, whether it reads them or not, so that one function can call
them all. Where a call is not for compiled code (operands of other dtypes than the result, or
that are not C-contiguous), the NumPy variant of the operation runs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from tinygrad_cnn.kernels.cpu import tasks
from tinygrad_cnn.kernels.cpu.array_object import ARRAY_TYPE
from tinygrad_cnn.kernels.cpu.broadcast import DECLINED, run, run_otherwise
from tinygrad_cnn.kernels.cpu.elementwise import NUMPY
from tinygrad_cnn.kernels.cpu.tasks import Code
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import Supports, implements

_FLOATS = {np.dtype(np.float32): types.float32, np.dtype(np.float64): types.float64}


class Addresses(dict[Any, int]):
    """From a dtype to the address of a loop compiled for it; 0 where there is none."""

    def __init__(self, function: Any, dtypes: tuple[Any, ...]) -> None:
        self._function, self._dtypes = function, dtypes

    def __missing__(self, dtype: np.dtype[Any]) -> int:
        if dtype not in self._dtypes:
            return self.setdefault(dtype, 0)
        values = types.CPointer(_FLOATS[dtype])
        signature = types.void(values, values, values, values, types.intp)
        return self.setdefault(dtype, Code(self._function, signature).address)


def _single_only(geometry: Any, dtype: np.dtype[Any]) -> str:
    return "" if dtype == np.float32 else "its polynomials are for float32"


def loop(
    operation: str, *, operands: int, single: bool = False
) -> Callable[[Callable[..., None]], Any]:
    """Compile the decorated loop over values, and register it as a kernel.

    Parameters
    ----------
    operation : str
    operands : int
        How many of x, y and z it reads.
    single : bool
        Whether it is right for float32 alone.
    """

    def decorate(function: Callable[..., None]) -> Any:
        dispatcher = compiled(fastmath={"contract"})(function)
        dtypes = tuple(dtype for dtype in _FLOATS if not single or dtype == np.float32)
        addresses = Addresses(dispatcher, dtypes)
        kernel = _KERNELS[operands](addresses, NUMPY[operation])
        kernel.__doc__ = function.__doc__
        supports: Supports | None = _single_only if single else None
        implements(operation, device="cpu", variant="direct", supports=supports)(kernel)
        return dispatcher

    return decorate


def _unary(addresses: Addresses, otherwise: Callable[..., None]) -> Callable[..., None]:
    def kernel(x: Array, out: Array) -> None:
        place, code = id(x), addresses[out.dtype]
        status = run(code, place, place, place, id(out), ARRAY_TYPE, tasks._FORK)
        if status and (status == DECLINED or not run_otherwise(code, x, x, x, out)):
            otherwise(x, out)

    return kernel


def _binary(addresses: Addresses, otherwise: Callable[..., None]) -> Callable[..., None]:
    def kernel(x: Array, y: Array, out: Array) -> None:
        place, code = id(x), addresses[out.dtype]
        status = run(code, place, id(y), place, id(out), ARRAY_TYPE, tasks._FORK)
        if status and (status == DECLINED or not run_otherwise(code, x, y, x, out)):
            otherwise(x, y, out)

    return kernel


def _ternary(addresses: Addresses, otherwise: Callable[..., None]) -> Callable[..., None]:
    def kernel(x: Array, y: Array, z: Array, out: Array) -> None:
        code = addresses[out.dtype]
        status = run(code, id(x), id(y), id(z), id(out), ARRAY_TYPE, tasks._FORK)
        if status and (status == DECLINED or not run_otherwise(code, x, y, z, out)):
            otherwise(x, y, z, out)

    return kernel


_KERNELS = {1: _unary, 2: _binary, 3: _ternary}
