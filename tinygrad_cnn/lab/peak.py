"""The most that this machine's multipliers can do: a loop that touches registers alone.

Every turn of the loop multiplies and adds into twelve vector registers that do not depend on
each other, as many as hide the time that one instruction takes to finish. Nothing is read
and nothing is written, so no program that computes in this precision is faster.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.vectors import FUSED, VECTOR_BYTES
from tinygrad_cnn.lab.timing import rest

_CHAINS = 12  # independent sums; with the two factors they fit into 16 registers
_LANES = VECTOR_BYTES // 4
_TURNS = 200_000  # about 2 ms


@intrinsic  # type: ignore[untyped-decorator]
def _multiply_add(typing_context: Any, turns: Any, factor: Any, addend: Any) -> Any:
    """Let every lane of every chain become itself · factor + addend, `turns` times."""
    signature = types.float32(types.intp, types.float32, types.float32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        turns, *numbers = arguments
        vector = ir.VectorType(ir.FloatType(), _LANES)
        lanes = ir.VectorType(ir.IntType(32), _LANES)

        def spread(value: Any) -> Any:
            nothing = ir.Constant(vector, ir.Undefined)
            first = builder.insert_element(nothing, value, ir.IntType(32)(0))
            return builder.shuffle_vector(first, nothing, lanes([0] * _LANES))

        factor, addend = map(spread, numbers)
        kind = ir.FunctionType(vector, [vector] * 3)
        fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{_LANES}f32")
        sums = []
        for chain in range(_CHAINS):
            place = cgutils.alloca_once(builder, vector)
            builder.store(vector([float(chain)] * _LANES), place)
            sums.append(place)
        with cgutils.for_range(builder, turns):
            for place in sums:
                value = builder.load(place)
                if FUSED:
                    value = builder.call(fma, [value, factor, addend])
                else:
                    value = builder.fadd(builder.fmul(value, factor), addend)
                builder.store(value, place)
        total = builder.load(sums[0])  # all of them, or LLVM would leave the others out
        for place in sums[1:]:
            total = builder.fadd(total, builder.load(place))
        result = builder.extract_element(total, ir.IntType(32)(0))
        for lane in range(1, _LANES):
            more = builder.extract_element(total, ir.IntType(32)(lane))
            result = builder.fadd(result, more)
        return result

    return signature, generate


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def _loop(turns: int, factor: float, addend: float) -> float:
    return _multiply_add(turns, factor, addend)


@lru_cache(maxsize=8)
def measured_peak(threads: int = 1, repeats: int = 150) -> float:
    """Return GFLOP/s of float32, a multiply-add counting as two; the best of several runs.

    Examples
    --------
    >>> measured_peak(1, repeats=2) > 1.0
    True
    """
    factor, addend = np.float32(0.5), np.float32(1.0)
    _loop(1, factor, addend)
    rest()
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeats):
            begin = time.perf_counter()
            jobs = [pool.submit(_loop, _TURNS, factor, addend) for _ in range(threads)]
            for job in jobs:
                job.result()
            best = min(best, time.perf_counter() - begin)
    return 2e-9 * threads * _TURNS * _CHAINS * _LANES / best
