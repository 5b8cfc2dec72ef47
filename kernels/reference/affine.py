"""Affine maps of row vectors and their adjoints; x is (N, D), weight (E, D), out (N, E)."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("affine_forward")
def affine_forward(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out[n,e] = bias[e] + Σ_d weight[e,d] · x[n,d]."""
    for n, e in np.ndindex(out.shape):
        total = bias[e]
        for d in range(x.shape[1]):
            total += weight[e, d] * x[n, d]
        out[n, e] = total


@reference("affine_relu_forward")
def affine_relu_forward(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out[n,e] = max(0, affine map), where a NaN stays a NaN."""
    affine_forward(x, weight, bias, out)
    for place in np.ndindex(out.shape):
        if out[place] < 0:
            out[place] = 0


@reference("affine_grad_input")
def affine_grad_input(grad: Array, weight: Array, out: Array) -> None:
    """out[n,d] = Σ_e weight[e,d] · grad[n,e]."""
    for n, d in np.ndindex(out.shape):
        total = grad.dtype.type(0)
        for e in range(grad.shape[1]):
            total += weight[e, d] * grad[n, e]
        out[n, d] = total


@reference("affine_grad_weight")
def affine_grad_weight(grad: Array, x: Array, out: Array) -> None:
    """out[e,d] = Σ_n grad[n,e] · x[n,d]."""
    for e, d in np.ndindex(out.shape):
        total = grad.dtype.type(0)
        for n in range(grad.shape[0]):
            total += grad[n, e] * x[n, d]
        out[e, d] = total


@reference("matmul")
def matmul(a: Array, b: Array, out: Array) -> None:
    """out[s,m,n] = Σ_k a[s,m,k] · b[s,k,n] for every matrix s of a stack."""
    for s, m, n in np.ndindex(out.shape):
        total = a.dtype.type(0)
        for k in range(a.shape[2]):
            total += a[s, m, k] * b[s, k, n]
        out[s, m, n] = total
