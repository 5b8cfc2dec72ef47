"""What comes of moving values: selections, shapes, axes, joins."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .values import Array


def squeeze(x: Array, dim: int | None = None) -> Array:
    return np.squeeze(x, axis=dim)


def unsqueeze(x: Array, dim: int) -> Array:
    return np.expand_dims(x, dim)


def pad(x: Array, pad: Sequence[int], value: float = 0.0) -> Array:
    pairs = [tuple(pad[k : k + 2]) for k in range(0, len(pad), 2)]
    return np.pad(x, [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1], constant_values=value)


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
