"""Local response normalisation across channels, and its adjoint; arrays are (..., C).

The channels of a pixel are neighbours in memory, so a window over channels is a short run of
them. It holds `size` channels: size // 2 before its own and (size - 1) // 2 behind, as far as
there are any. Sums over windows run one tap after the other, each over all channels at once,
on scratch rows with zeros at both ends. The exponent 3/4 of the paper needs two square roots,
which come in vectors; any other one a call of the power function for each value.
"""

import math

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.loops.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_TASK_VALUES = 16 * 1024  # values of a task, about; never by the number of threads
_FORK = 20_000  # values below which a fork could gain less than 0.05 ms


@implements("local_response_norm_forward", device="cpu", variant="direct")
def local_response_norm_forward(
    x: Array, size: int, alpha: float, beta: float, k: float, out: Array
) -> None:
    """out[c] = x[c] · d[c]^-beta, d[c] = k + alpha / size · Σ x[c']² over the window of c."""
    flat = read_only(x)
    _launch(0, flat, flat, size, alpha, beta, k, out)


@implements("local_response_norm_grad", device="cpu", variant="direct")
def local_response_norm_grad(
    grad: Array, x: Array, size: int, alpha: float, beta: float, k: float, out: Array
) -> None:
    """out[c] = grad[c] · d[c]^-beta - 2 alpha beta / size · x[c] · Σ grad · x · d^(-beta-1).

    The sum is over the channels whose window holds c.
    """
    _launch(1, read_only(grad), read_only(x), size, alpha, beta, k, out)


def _launch(
    adjoint: int,
    grad: Array,
    x: Array,
    size: int,
    alpha: float,
    beta: float,
    k: float,
    out: Array,
) -> None:
    if out.size == 0:
        return
    channels = out.shape[-1]
    pixels = max(1, _TASK_VALUES // channels)
    numbers = (float(alpha) / size, float(beta), float(k))
    fork = int(out.size > _FORK)
    _normalise(adjoint, fork, pixels, channels, size, numbers, grad, x, out.reshape(-1))


@compiled(parallel=True)
def _normalise(
    adjoint: int,
    fork: int,
    pixels: int,
    channels: int,
    size: int,
    numbers: tuple[float, float, float],
    grad: Array,
    x: Array,
    out: Array,
) -> None:
    step = pixels * channels
    tasks = (out.size + step - 1) // step
    if fork:
        for task in numba.prange(tasks):
            _some_pixels(adjoint, np.intp(task) * step, step, channels, size, numbers, grad, x, out)
    else:
        for task in range(tasks):
            _some_pixels(adjoint, task * step, step, channels, size, numbers, grad, x, out)


@compiled()
def _some_pixels(
    adjoint: int,
    begin: int,
    step: int,
    channels: int,
    size: int,
    numbers: tuple[float, float, float],
    grad: Array,
    x: Array,
    out: Array,
) -> None:
    alpha, beta, k = out.dtype.type(numbers[0]), numbers[1], out.dtype.type(numbers[2])
    slope = out.dtype.type(2 * numbers[0] * beta)
    before, after = size // 2, (size - 1) // 2
    padded = np.zeros(channels + size - 1, out.dtype)
    divisor, power = np.empty(channels, out.dtype), np.empty(channels, out.dtype)
    for at in range(begin, min(out.size, begin + step), channels):
        values, target = x[at : at + channels], out[at : at + channels]
        middle = padded[before : before + channels]
        padded[:] = 0
        for c in range(channels):
            middle[c] = values[c] * values[c]
        _window_sums(padded, size, divisor)
        for c in range(channels):
            divisor[c] = k + alpha * divisor[c]
        _inverse_power(divisor, beta, power)
        if not adjoint:
            for c in range(channels):
                target[c] = values[c] * power[c]
            continue
        signal = grad[at : at + channels]
        middle = padded[after : after + channels]
        padded[:] = 0
        for c in range(channels):
            middle[c] = signal[c] * values[c] * power[c] / divisor[c]
        _window_sums(padded, size, divisor)
        for c in range(channels):
            target[c] = signal[c] * power[c] - slope * values[c] * divisor[c]


@compiled()
def _window_sums(padded: Array, size: int, sums: Array) -> None:
    """sums[c] = Σ padded[c + o] over o < size."""
    sums[:] = 0
    for o in range(size):
        shifted = padded[o : o + sums.size]
        for c in range(sums.size):
            sums[c] += shifted[c]


@compiled()
def _inverse_power(values: Array, beta: float, out: Array) -> None:
    """out = values^-beta."""
    one = out.dtype.type(1)
    if beta == 0.75:
        for c in range(out.size):
            root = math.sqrt(values[c])
            out[c] = one / (root * math.sqrt(root))
    else:
        for c in range(out.size):
            out[c] = math.pow(values[c], -beta)
