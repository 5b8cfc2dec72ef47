"""The random numbers of each example: what data augmentation draws from.

A counter of :mod:`~tinygrad_cnn.kernels.cpu.instructions.philox` has four words: two say how
many counters of an example were used before, two say which example it is. So no two examples
share a counter under one key, and what is drawn for an example does not depend on the batch
that it stands in.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.kernels.cpu.instructions.philox import philox
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import word_at
from tinygrad_cnn.kernels.cpu.loops.tasks import Code
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_COST = 8  # of a word, in additions
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_OUT, _EXAMPLES, _COUNT, _FIRST, _KEY_LOW, _KEY_HIGH = range(6)


@implements("random_words", device="cpu", variant="direct")
def random_words(key: int, first: int, examples: Array, out: Array) -> None:
    """out[n, 4·j + k] = word k of counter first + j of example examples[n], as uint32.

    The key is a whole number of 64 bits, an example one of 63.
    """
    if out.dtype != np.uint32 or not out.flags.c_contiguous:
        raise DTypeError(
            "random_words: the result is a C-contiguous array of uint32; got "
            f"{out.dtype} of shape {out.shape}"
        )
    if out.size:
        examples = np.ascontiguousarray(examples, np.int64)
        places = (out.ctypes.data, examples.ctypes.data, out.shape[1], first)
        table = np.array((*places, key & 0xFFFFFFFF, key >> 32), np.intp)
        tasks.run(_TASK.address, table, len(out), out.size * _COST)


@intrinsic
def _put(typing_context: Any, place: Any, word: Any) -> Any:
    """_put(place, word): write the lower 32 bits of a word to an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, word = arguments
        half = ir.IntType(32)
        builder.store(builder.trunc(word, half), builder.inttoptr(place, half.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.intp, types.uint64), generate


@compiled()
def _draw_example(table: int, n: int) -> None:
    count, first = word_at(table + 8 * _COUNT), word_at(table + 8 * _FIRST)
    example = np.uint64(word_at(word_at(table + 8 * _EXAMPLES) + 8 * n))
    low, high = np.uint64(word_at(table + 8 * _KEY_LOW)), np.uint64(word_at(table + 8 * _KEY_HIGH))
    target = word_at(table + 8 * _OUT) + 4 * n * count
    for j in range(count // 4):
        a, b, c, d = _encipher(first + j, example, low, high)
        place = target + 16 * j
        _put(place, a)
        _put(place + 4, b)
        _put(place + 8, c)
        _put(place + 12, d)
    rest, place = count % 4, target + 16 * (count // 4)
    if rest:
        a, b, c, _ = _encipher(first + count // 4, example, low, high)
        _put(place, a)
        if rest > 1:
            _put(place + 4, b)
        if rest > 2:
            _put(place + 8, c)


@compiled(forceinline=True)
def _encipher(counter: int, example: Any, low: Any, high: Any) -> Any:
    number = np.uint64(counter)
    return philox(number & _LOW, number >> _HALF, example & _LOW, example >> _HALF, low, high)


_TASK = Code(_draw_example)
