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

from tinygrad_cnn.kernels.cpu.elementwise import NUMPY
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import ARRAY_TYPE
from tinygrad_cnn.kernels.cpu.loops.broadcast import DECLINED, run, run_otherwise
from tinygrad_cnn.kernels.jit import address_of, compiled, is_listing
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import Supports, implements

_FLOATS = {np.dtype(np.float32): types.float32, np.dtype(np.float64): types.float64}


def _loop_signature(values: Any) -> Any:
    return types.void(values, values, values, values, types.intp)


class Addresses(dict[Any, int]):
    """From a dtype to the address of a loop compiled for it; 0 where there is none."""

    def __init__(
        self,
        function: Any,
        dtypes: tuple[Any, ...] = tuple(_FLOATS),
        signature: Callable[[Any], Any] = _loop_signature,
    ) -> None:
        self._function, self._dtypes, self._signature = function, dtypes, signature

    def __missing__(self, dtype: np.dtype[Any]) -> int:
        if dtype not in self._dtypes:
            return self.setdefault(dtype, 0)
        signature = self._signature(types.CPointer(_FLOATS[dtype]))
        address = address_of(self._function, signature)
        return address if is_listing() else self.setdefault(dtype, address)


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
        Whether it is right for float32 alone: one of those that need polynomials, whose
        values cost as much as four of an addition.
    """

    def decorate(function: Callable[..., None]) -> Any:
        dispatcher = compiled()(function)
        dtypes = tuple(dtype for dtype in _FLOATS if not single or dtype == np.float32)
        addresses = Addresses(dispatcher, dtypes)
        kernel = _KERNELS[operands](addresses, 4 if single else 1, NUMPY[operation])
        for fact in ("__doc__", "__name__", "__module__", "__qualname__"):
            setattr(kernel, fact, getattr(function, fact))
        supports: Supports | None = _single_only if single else None
        implements(operation, device="cpu", variant="direct", supports=supports)(kernel)
        return dispatcher

    return decorate


def _unary(addresses: Addresses, cost: int, otherwise: Callable[..., None]) -> Callable[..., None]:
    def kernel(x: Array, out: Array) -> None:
        place, code = id(x), addresses[out.dtype]
        status = run(code, place, place, place, id(out), ARRAY_TYPE, tasks._FORK // cost)
        if status and (status == DECLINED or not run_otherwise(code, cost, x, x, x, out)):
            otherwise(x, out)

    return kernel


def _binary(addresses: Addresses, cost: int, otherwise: Callable[..., None]) -> Callable[..., None]:
    def kernel(x: Array, y: Array, out: Array) -> None:
        place, code = id(x), addresses[out.dtype]
        status = run(code, place, id(y), place, id(out), ARRAY_TYPE, tasks._FORK // cost)
        if status and (status == DECLINED or not run_otherwise(code, cost, x, y, x, out)):
            otherwise(x, y, out)

    return kernel


def _ternary(
    addresses: Addresses, cost: int, otherwise: Callable[..., None]
) -> Callable[..., None]:
    def kernel(x: Array, y: Array, z: Array, out: Array) -> None:
        code = addresses[out.dtype]
        status = run(code, id(x), id(y), id(z), id(out), ARRAY_TYPE, tasks._FORK // cost)
        if status and (status == DECLINED or not run_otherwise(code, cost, x, y, z, out)):
            otherwise(x, y, z, out)

    return kernel


_KERNELS = {1: _unary, 2: _binary, 3: _ternary}
