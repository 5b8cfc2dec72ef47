"""What each function computes, said a second time in float64 NumPy; no code of the package.

Arguments have the names and order of the functions they judge.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = Any  # float64 throughout
Pair = int | tuple[int, int]


def both(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def windows(x: Array, kernel: tuple[int, int], stride: Pair, padding: Pair, fill: float) -> Array:
    """Return (N, C, OH, OW, KH, KW): what lies under each window of a padded image."""
    (sh, sw), (ph, pw) = both(stride), both(padding)
    framed = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    return sliding_window_view(framed, kernel, axis=(2, 3))[:, :, ::sh, ::sw]


def conv2d(
    x: Array, weight: Array, bias: Array = 0.0, stride: Pair = 1, padding: Pair = 0
) -> Array:
    seen = windows(x, weight.shape[2:], stride, padding, 0.0)
    return np.einsum("ncijuv,ocuv->noij", seen, weight) + np.reshape(bias, (-1, 1, 1))


def max_pool2d(x: Array, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Array:
    kernel = both(kernel_size)
    step = kernel if stride is None else stride
    return windows(x, kernel, step, padding, -np.inf).max(axis=(4, 5))


def avg_pool2d(x: Array, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Array:
    kernel = both(kernel_size)
    step = kernel if stride is None else stride
    return windows(x, kernel, step, padding, 0.0).mean(axis=(4, 5))


def affine(x: Array, weight: Array, bias: Array = 0.0) -> Array:
    return np.einsum("...d,ed->...e", x, weight) + bias


def sigmoid(z: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def scaled_tanh(z: Array) -> Array:
    return 1.7159 * (1.0 - 2.0 / (np.exp(4.0 * z / 3.0) + 1.0))


def tanh(z: Array) -> Array:
    return 1.0 - 2.0 / (np.exp(2.0 * z) + 1.0)


def relu(z: Array) -> Array:
    return np.maximum(z, 0.0)


def softmax(x: Array, dim: int = -1) -> Array:
    powers = np.exp(x)
    return powers / powers.sum(axis=dim, keepdims=True)


def log_softmax(x: Array, dim: int = -1) -> Array:
    return x - np.log(np.exp(x).sum(axis=dim, keepdims=True))


def cross_entropy(x: Array, labels: Array, reduction: str = "mean") -> Array:
    losses = -np.take_along_axis(log_softmax(x, 1), labels[:, None], axis=1)[:, 0]
    return {"mean": np.mean, "sum": np.sum, "none": np.array}[reduction](losses)


def mse_loss(a: Array, y: Array, reduction: str = "mean") -> Array:
    return {"mean": np.mean, "sum": np.sum, "none": np.array}[reduction]((y - a) ** 2)


def squared_error(a: Array, y: Array, reduction: str = "sum") -> Array:
    total = 0.5 * np.sum((y - a) ** 2)
    return total / a.shape[0] if reduction == "mean" else total


def sum(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    return np.sum(x, axis=dim, keepdims=keepdim)


def mean(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    return np.mean(x, axis=dim, keepdims=keepdim)


def max(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    return np.max(x, axis=dim, keepdims=keepdim)


def min(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    return np.min(x, axis=dim, keepdims=keepdim)


def squeeze(x: Array, dim: int | None = None) -> Array:
    return np.squeeze(x, axis=dim)


def unsqueeze(x: Array, dim: int) -> Array:
    return np.expand_dims(x, dim)


def pad(x: Array, pad: Sequence[int]) -> Array:
    pairs = [tuple(pad[k : k + 2]) for k in range(0, len(pad), 2)]
    return np.pad(x, [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1])


def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    end = end_dim % x.ndim
    return x.reshape((*x.shape[:start_dim], -1, *x.shape[end + 1 :]))


def transpose(x: Array, dim0: int, dim1: int) -> Array:
    return np.swapaxes(x, dim0, dim1)


def permute(x: Array, dims: Sequence[int]) -> Array:
    return np.transpose(x, dims)


def reshape(x: Array, shape: Sequence[int]) -> Array:
    return np.reshape(x, shape)


def broadcast_to(x: Array, shape: Sequence[int]) -> Array:
    return np.broadcast_to(x, shape).copy()


def index(x: Array, key: Any) -> Array:
    return np.array(x[key])


def place(values: Array, key: Any, shape: Sequence[int]) -> Array:
    out = np.zeros(shape)
    np.add.at(out, key, values)
    return out


def joined(*arrays: Array, dim: int = 0) -> Array:
    return np.concatenate(arrays, axis=dim)


def stacked(*arrays: Array, dim: int = 0) -> Array:
    return np.stack(arrays, axis=dim)


def difference_quotient(
    function: Any, arrays: Sequence[Array], position: int, cotangent: Array, step: float = 1e-5
) -> Array:
    """Return ∂(Σ cotangent ∘ function)/∂arrays[position] by central differences."""
    slopes = np.empty_like(arrays[position])
    for k in np.ndindex(slopes.shape):
        moved = [array.copy() for array in arrays]
        moved[position][k] = arrays[position][k] + step
        high = np.array(function(*moved))
        moved[position][k] = arrays[position][k] - step
        slopes[k] = np.sum(cotangent * (high - function(*moved))) / (2 * step)
    return slopes
