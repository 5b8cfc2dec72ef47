"""Squared distances between the rows of two matrices, and their error signal.

Sums are float64 whatever the type of the values: there are few of them.
"""

from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("squared_distances", device="cpu", variant="direct")
def squared_distances(x: Array, weight: Array, out: Array) -> None:
    """out[n,k] = Σ_j (x[n,j] - weight[k,j])²."""
    _squared_distances(read_only(x).reshape(x.shape), read_only(weight).reshape(weight.shape), out)


@compiled()
def _squared_distances(x: Array, weight: Array, out: Array) -> None:
    for n in range(x.shape[0]):
        for k in range(weight.shape[0]):
            total = 0.0
            for j in range(x.shape[1]):
                difference = x[n, j] - weight[k, j]
                total += difference * difference
            out[n, k] = total


@implements("squared_distances_grad", device="cpu", variant="direct")
def squared_distances_grad(grad: Array, x: Array, weight: Array, out: Array) -> None:
    """out[n,j] = 2 Σ_k grad[n,k] · (x[n,j] - weight[k,j])."""
    _squared_distances_grad(
        read_only(grad).reshape(grad.shape),
        read_only(x).reshape(x.shape),
        read_only(weight).reshape(weight.shape),
        out,
    )


@compiled()
def _squared_distances_grad(grad: Array, x: Array, weight: Array, out: Array) -> None:
    for n in range(x.shape[0]):
        for j in range(x.shape[1]):
            total = 0.0
            for k in range(weight.shape[0]):
                total += grad[n, k] * (x[n, j] - weight[k, j])
            out[n, j] = 2.0 * total
