"""Affine maps of row vectors, their adjoints and the matrix product, on register tiles.

All four are a correlation of one-pixel images with a one-pixel filter: the rows of the left
matrix are the images, the columns of the right matrix the filters. A transposed operand
differs only in its strides. The variant "blas" hands the same products to NumPy; its bits
depend on the number of threads, so it stands outside the promise that all others keep.
"""

from typing import NamedTuple

import numpy as np

from tinygrad_cnn.kernels.cpu.correlate import Source, Target, correlate
from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.cpu.packing import Filter
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


class Matrix(NamedTuple):
    """How a matrix lies in an array: element (m, k) at m·down + k·across."""

    values: Array
    down: int
    across: int


def _product(depth: int, a: Matrix, b: Matrix, bias: Array | None, out: Array) -> None:
    """out[m,n] = bias[n] + Σ_k a[m,k] · b[k,n], k below `depth`."""
    rows, columns = out.shape
    correlate(
        read_only(a.values),
        Source(rows, 1, 1, depth, 1, 1, 1, 1, 0, 0, image_stride=a.down, channel_stride=a.across),
        read_only(b.values),
        Filter(0, o=b.across, c=b.down, u=0, v=0),
        bias,
        Target(1, 1, 0, columns, columns, columns),
        columns,
        out.reshape(-1),
    )


@implements("affine_forward", device="cpu", variant="tile")
def affine_forward(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out[n,e] = bias[e] + Σ_d weight[e,d] · x[n,d]."""
    depth = x.shape[1]
    _product(depth, Matrix(x, depth, 1), Matrix(weight, 1, depth), bias, out)


@implements("affine_grad_input", device="cpu", variant="tile")
def affine_grad_input(grad: Array, weight: Array, out: Array) -> None:
    """out[n,d] = Σ_e weight[e,d] · grad[n,e]."""
    depth, features = weight.shape
    _product(depth, Matrix(grad, depth, 1), Matrix(weight, features, 1), None, out)


@implements("affine_grad_weight", device="cpu", variant="tile")
def affine_grad_weight(grad: Array, x: Array, out: Array) -> None:
    """out[e,d] = Σ_n grad[n,e] · x[n,d]: the left matrix is read by columns."""
    outputs, features = out.shape
    _product(x.shape[0], Matrix(grad, 1, outputs), Matrix(x, features, 1), None, out)


@implements("matmul", device="cpu", variant="tile")
def matmul(a: Array, b: Array, out: Array) -> None:
    """out[s,m,n] = Σ_k a[s,m,k] · b[s,k,n] for every matrix s of a stack."""
    _, depth, columns = b.shape
    for left, right, result in zip(a, b, out, strict=True):
        _product(depth, Matrix(left, depth, 1), Matrix(right, columns, 1), None, result)


@implements("affine_forward", device="cpu", variant="blas", rank=10)
def affine_forward_blas(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out = x · weightᵀ + bias."""
    with np.errstate(invalid="ignore", over="ignore"):
        np.matmul(x, weight.T, out=out)
        out += bias


@implements("affine_grad_input", device="cpu", variant="blas", rank=10)
def affine_grad_input_blas(grad: Array, weight: Array, out: Array) -> None:
    """out = grad · weight."""
    with np.errstate(invalid="ignore", over="ignore"):
        np.matmul(grad, weight, out=out)


@implements("affine_grad_weight", device="cpu", variant="blas", rank=10)
def affine_grad_weight_blas(grad: Array, x: Array, out: Array) -> None:
    """out = gradᵀ · x."""
    with np.errstate(invalid="ignore", over="ignore"):
        np.matmul(grad.T, x, out=out)


@implements("matmul", device="cpu", variant="blas", rank=10)
def matmul_blas(a: Array, b: Array, out: Array) -> None:
    """out[s] = a[s] · b[s]."""
    with np.errstate(invalid="ignore", over="ignore"):
        np.matmul(a, b, out=out)
