"""The product of an array with a scaled mask of truth values."""

import numpy as np

from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("dropout", device="cpu", variant="direct")
def dropout(x: Array, mask: Array, scale: float, out: Array) -> None:
    """out = x · scale where mask is set, x · 0 elsewhere: a NaN stays a NaN."""
    _dropout(read_only(x), read_only(mask, np.bool_), float(scale), out.reshape(-1))


@compiled()
def _dropout(x: Array, mask: Array, scale: float, out: Array) -> None:
    factor, zero = out.dtype.type(scale), out.dtype.type(0)
    for k in range(out.size):
        out[k] = x[k] * (factor if mask[k] else zero)
