"""What the normalisations compute."""

import numpy as np

from .values import Array


def batch_norm(
    x: Array,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    eps: float = 1e-5,
) -> Array:
    rows = np.moveaxis(x, 1, -1)
    shape, rows = rows.shape, rows.reshape(-1, rows.shape[-1])
    centre = rows.mean(0) if training else running_mean
    spread = np.mean((rows - centre) ** 2, axis=0) if training else running_var
    result = (rows - centre) / np.sqrt(spread + eps)
    if weight is not None:
        result = result * weight
    if bias is not None:
        result = result + bias
    return np.moveaxis(result.reshape(shape), -1, 1)


def local_response_norm(
    x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    channels = x.shape[1]
    c = np.arange(channels)
    offset = c[None, :] - c[:, None]
    window = ((offset >= -(size // 2)) & (offset <= (size - 1) // 2)).astype(float)
    if np.isnan(x).any():  # no products of NaN with the zeros outside of a window
        energy = np.stack([np.square(x[:, row > 0]).sum(1) for row in window], axis=1)
    else:
        energy = np.einsum("dc,nc...->nd...", window, np.square(x))
    return x / (k + alpha / size * energy) ** beta
