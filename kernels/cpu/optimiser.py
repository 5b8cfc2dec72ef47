"""Parameter updates in place: all parameters of a network in one call, and in one pass.

A network has from ten to some hundred parameters, most of them small. One call for each would
spend its time calling, and threads would share none of them evenly. So the values of all
parameters count as one long run, which is cut into parts of 16,384; a part may end one
parameter and begin the next. A table says where each parameter lies, its gradient, and the
running averages beside it.

The arrays of a call come as gradients, then parameters, then each kind of average, as many of
each; their shapes do not matter, only their sizes.
"""

import math
import struct
from typing import Any

import numpy as np
from numba import types

from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import (
    ARRAY_TYPE,
    data_of,
    dtype_of,
    is_array,
    is_ready,
    put_word,
    size_of,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.tasks import Code, call_update, run_tasks
from tinygrad_cnn.kernels.cpu.loops.values import Addresses
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_PART = 16_384  # values of a task
# An update comes once a step, when the other threads have gone to sleep, and to wake them takes
# as long as 100,000 values and more. Tuned by measurement: so many values for one of an addition.
_FORK_SHARE = 3

# Words of the table; behind them stands a row for each parameter.
_LOOP, _NUMBERS, _ITEM, _COUNT, _WORDS = range(5)
_KINDS = 5  # gradient, parameter, averages; where there are fewer, the last one again
_ROW, _END = _KINDS + 1, _KINDS  # and where the parameter ends


@implements("sgd_update", device="cpu", variant="direct")
def sgd_update(
    learning_rate: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    *arrays: Array,
) -> None:
    """g = ∇θ + decay·θ;  v ← momentum·v + (1 - dampening)·g;  θ ← θ - lr·v.

    With Nesterov's form θ ← θ - lr·(g + momentum·v). `arrays` are all ∇θ, all θ and, where
    there is momentum, all v.
    """
    numbers = (learning_rate, momentum, 1 - dampening, weight_decay, nesterov)
    _update("sgd_update", _SGD, numbers, arrays, 3 if momentum else 2)


@compiled()
def _sgd(
    grad: Any, parameter: Any, velocity: Any, same: Any, again: Any, numbers: Any, count: int
) -> None:
    learning_rate, momentum, take = numbers[0], numbers[1], numbers[2]
    decay, ahead = numbers[3], numbers[4]
    if momentum == 0:
        for k in range(count):
            parameter[k] -= learning_rate * (grad[k] + decay * parameter[k])
    elif ahead != 0:
        for k in range(count):
            g = grad[k] + decay * parameter[k]
            v = momentum * velocity[k] + take * g
            velocity[k] = v
            parameter[k] -= learning_rate * (g + momentum * v)
    else:
        for k in range(count):
            v = momentum * velocity[k] + take * (grad[k] + decay * parameter[k])
            velocity[k] = v
            parameter[k] -= learning_rate * v


@implements("adam_update", device="cpu", variant="direct")
def adam_update(
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
    decoupled: bool,
    amsgrad: bool,
    step: int,
    *arrays: Array,
) -> None:
    """θ ← θ - lr · m̂ / (√v̂ + ε) with bias-corrected running means m̂ of g and v̂ of g².

    g = ∇θ + decay·θ; decoupled, g = ∇θ and θ shrinks to (1 - lr·decay)·θ beforehand. With
    amsgrad the largest v so far stands in the root. `arrays` are all ∇θ, all θ, all m, all v
    and, for amsgrad, all largest v. The corrections 1 / (1 - β^step) do not depend on the
    place, so they go into the learning rate and in front of the root.
    """
    rate, root = learning_rate / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    shrink = 1 - learning_rate * weight_decay if decoupled else 1
    decay = 0 if decoupled else weight_decay
    numbers = (rate, beta1, 1 - beta1, beta2, 1 - beta2, root, epsilon, decay, shrink, amsgrad)
    _update("adam_update", _ADAM, numbers, arrays, 5 if amsgrad else 4)


@compiled()
def _adam(
    grad: Any, parameter: Any, mean: Any, square: Any, largest: Any, numbers: Any, count: int
) -> None:
    rate, keep1, take1, keep2, take2 = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    root, epsilon, decay, shrink = numbers[5], numbers[6], numbers[7], numbers[8]
    if numbers[9] != 0:
        for k in range(count):
            g = grad[k] + decay * parameter[k]
            m = keep1 * mean[k] + take1 * g
            v = keep2 * square[k] + take2 * g * g
            mean[k], square[k] = m, v
            w = largest[k]
            w = v if w < v or v != v else w  # a NaN stays one, whichever it is
            largest[k] = w
            parameter[k] = shrink * parameter[k] - rate * m / (math.sqrt(w) * root + epsilon)
    else:
        for k in range(count):
            g = grad[k] + decay * parameter[k]
            m = keep1 * mean[k] + take1 * g
            v = keep2 * square[k] + take2 * g * g
            mean[k], square[k] = m, v
            parameter[k] = shrink * parameter[k] - rate * m / (math.sqrt(v) * root + epsilon)


@implements("adagrad_update", device="cpu", variant="direct")
def adagrad_update(
    learning_rate: float, epsilon: float, weight_decay: float, *arrays: Array
) -> None:
    """g = ∇θ + decay·θ;  s ← s + g²;  θ ← θ - lr · g / (√s + ε).  `arrays`: all ∇θ, θ, s."""
    _update("adagrad_update", _ADAGRAD, (learning_rate, epsilon, weight_decay), arrays, 3)


@compiled()
def _adagrad(
    grad: Any, parameter: Any, total: Any, same: Any, again: Any, numbers: Any, count: int
) -> None:
    rate, epsilon, decay = numbers[0], numbers[1], numbers[2]
    for k in range(count):
        g = grad[k] + decay * parameter[k]
        s = total[k] + g * g
        total[k] = s
        parameter[k] -= rate * g / (math.sqrt(s) + epsilon)


@implements("adadelta_update", device="cpu", variant="direct")
def adadelta_update(
    learning_rate: float, rho: float, epsilon: float, weight_decay: float, *arrays: Array
) -> None:
    """s ← ρ·s + (1-ρ)·g²;  Δ = √(u+ε)/√(s+ε)·g;  u ← ρ·u + (1-ρ)·Δ²;  θ ← θ - lr·Δ.

    g = ∇θ + decay·θ. `arrays` are all ∇θ, all θ, all s, all u.
    """
    numbers = (learning_rate, rho, 1 - rho, epsilon, weight_decay)
    _update("adadelta_update", _ADADELTA, numbers, arrays, 4)


@compiled()
def _adadelta(
    grad: Any, parameter: Any, square: Any, change: Any, same: Any, numbers: Any, count: int
) -> None:
    rate, keep, take, epsilon, decay = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for k in range(count):
        g = grad[k] + decay * parameter[k]
        s = keep * square[k] + take * g * g
        square[k] = s
        d = math.sqrt(change[k] + epsilon) / math.sqrt(s + epsilon) * g
        change[k] = keep * change[k] + take * d * d
        parameter[k] -= rate * d


@implements("rmsprop_update", device="cpu", variant="direct")
def rmsprop_update(
    learning_rate: float,
    alpha: float,
    epsilon: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
    *arrays: Array,
) -> None:
    """s ← α·s + (1-α)·g²;  v ← momentum·v + g / (√s + ε);  θ ← θ - lr·v.

    g = ∇θ + decay·θ. Centred, m ← α·m + (1-α)·g and the root is that of the variance s - m²,
    which rounding does not make negative. `arrays` are all ∇θ, all θ, all s, then all m where
    it is centred, then all v where there is momentum.
    """
    numbers = (learning_rate, alpha, 1 - alpha, epsilon, weight_decay, momentum, centered, 0)
    _update("rmsprop_update", _RMSPROP, numbers, arrays, 3 + bool(centered) + bool(momentum))


@compiled()
def _rmsprop(
    grad: Any, parameter: Any, square: Any, mean: Any, velocity: Any, numbers: Any, count: int
) -> None:
    """Not centred, `mean` and `velocity` are the same array: what there is behind `square`."""
    rate, keep, take, epsilon = numbers[0], numbers[1], numbers[2], numbers[3]
    decay, momentum, centred, zero = numbers[4], numbers[5], numbers[6], numbers[7]
    if centred != 0:
        for k in range(count):
            g = grad[k] + decay * parameter[k]
            s, m = keep * square[k] + take * g * g, keep * mean[k] + take * g
            square[k], mean[k] = s, m
            variance = s - m * m
            step = g / (math.sqrt(zero if variance < zero else variance) + epsilon)
            if momentum != 0:
                step = momentum * velocity[k] + step
                velocity[k] = step
            parameter[k] -= rate * step
    else:
        for k in range(count):
            g = grad[k] + decay * parameter[k]
            s = keep * square[k] + take * g * g
            square[k] = s
            step = g / (math.sqrt(s) + epsilon)
            if momentum != 0:
                step = momentum * velocity[k] + step
                velocity[k] = step
            parameter[k] -= rate * step


@implements("average_update", device="cpu", variant="direct")
def average_update(decay: float, *arrays: Array) -> None:
    """Average: a ← decay·a + (1 - decay)·θ.  `arrays` are all θ, which stay, and all a."""
    _update("average_update", _AVERAGE, (decay, 1 - decay), arrays, 2)


@compiled()
def _average(
    value: Any, average: Any, same: Any, again: Any, once: Any, numbers: Any, count: int
) -> None:
    keep, take = numbers[0], numbers[1]
    for k in range(count):
        average[k] = keep * average[k] + take * value[k]


def _signature(values: Any) -> Any:
    return types.void(*(values,) * (_KINDS + 1), types.intp)


_SGD = Addresses(_sgd, signature=_signature)
_ADAM = Addresses(_adam, signature=_signature)
_ADAGRAD = Addresses(_adagrad, signature=_signature)
_ADADELTA = Addresses(_adadelta, signature=_signature)
_RMSPROP = Addresses(_rmsprop, signature=_signature)
_AVERAGE = Addresses(_average, signature=_signature)


def _update(
    operation: str, loops: Addresses, numbers: Any, arrays: tuple[Array, ...], kinds: int
) -> None:
    count = len(arrays) // kinds
    if count == 0:
        return
    dtype = arrays[0].dtype
    given = np.array(numbers, dtype)
    table = np.empty(_WORDS + _ROW * count, np.intp)
    own = np.empty(len(arrays), np.intp)
    struct.pack_into(f"{len(arrays)}n", own.data, 0, *map(id, arrays))
    parts = _prepare(
        loops[dtype], id(given), dtype.itemsize, id(own), count, kinds, id(table), ARRAY_TYPE,
        tasks._FORK * _FORK_SHARE,
    )  # fmt: skip
    if parts < 0:
        raise DTypeError(
            f"{operation}: gradients, parameters and averages are C-contiguous arrays of float32 "
            f"or float64, all of one type, and at each position of one size; got "
            f"{', '.join(f'{a.dtype} {a.shape}' for a in arrays[:6])} …"
        )
    if parts > 0:
        run_tasks(_PART_CODE.address, table.ctypes.data, parts)


@compiled()
def _prepare(
    loop: int,
    numbers: int,
    item: int,
    arrays: int,
    count: int,
    kinds: int,
    table: int,
    array_type: int,
    fork: int,
) -> int:
    """Run a small update and return 0, or return the number of parts of a large one, or -1."""
    if not (loop and is_array(word_at(data_of(arrays)), array_type)):
        return -1
    ids, place, end = data_of(arrays), data_of(table), 0
    dtype = dtype_of(word_at(ids))
    row = place + 8 * _WORDS
    for k in range(count):
        size = 0
        for kind in range(_KINDS):
            array = word_at(ids + 8 * (min(kind, kinds - 1) * count + k))
            if not is_ready(array, array_type, dtype):
                return -1
            if kind == 0:
                size = size_of(array)
            elif size_of(array) != size:
                return -1
            put_word(row + 8 * kind, data_of(array))
        end += size
        put_word(row + 8 * _END, end)
        row += 8 * _ROW
    put_word(place + 8 * _LOOP, loop)
    put_word(place + 8 * _NUMBERS, data_of(numbers))
    put_word(place + 8 * _ITEM, item)
    put_word(place + 8 * _COUNT, count)
    parts = (end + _PART - 1) // _PART
    if end > fork:
        return parts
    for part in range(parts):
        _part(place, part)
    return 0


@compiled()
def _part(table: int, part: int) -> None:
    """Update the values of one part, parameter by parameter."""
    loop, numbers = word_at(table + 8 * _LOOP), word_at(table + 8 * _NUMBERS)
    item, count = word_at(table + 8 * _ITEM), word_at(table + 8 * _COUNT)
    first, stop = part * _PART, (part + 1) * _PART
    row, begin = table + 8 * _WORDS, 0
    for _ in range(count):
        end = word_at(row + 8 * _END)
        values = min(end, stop) - max(begin, first)
        if values > 0:
            skipped = (max(begin, first) - begin) * item
            call_update(
                loop,
                word_at(row) + skipped,
                word_at(row + 8) + skipped,
                word_at(row + 16) + skipped,
                word_at(row + 24) + skipped,
                word_at(row + 32) + skipped,
                numbers,
                values,
            )
        row, begin = row + 8 * _ROW, end


_PART_CODE = Code(_part)
