"""Squared distances; x is (N, D), weight (K, D)."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("squared_distances")
def squared_distances(x: Array, weight: Array, out: Array) -> None:
    """out[n,k] = Σ_j (x[n,j] - weight[k,j])²."""
    for n, k in np.ndindex(out.shape):
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            total += (x[n, j] - weight[k, j]) ** 2
        out[n, k] = total


@reference("squared_distances_grad")
def squared_distances_grad(grad: Array, x: Array, weight: Array, out: Array) -> None:
    """out[n,j] = 2 Σ_k grad[n,k] · (x[n,j] - weight[k,j])."""
    for n, j in np.ndindex(out.shape):
        total = grad.dtype.type(0)
        for k in range(weight.shape[0]):
            total += grad[n, k] * (x[n, j] - weight[k, j])
        out[n, j] = 2 * total
