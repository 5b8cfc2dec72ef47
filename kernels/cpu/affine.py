"""Affine maps of row vectors, their adjoints and the matrix product, on register tiles.

All four are a correlation of one-pixel images with a one-pixel filter: the rows of the left
matrix are the images, the columns of the right matrix the filters. A transposed operand
differs only in its strides. A few rows go another way
(:mod:`~tinygrad_cnn.kernels.cpu.products.affine_rows`). The variant "blas" hands the same
products to NumPy; its bits depend on the number of threads, so it stands outside the promise
that all others keep.
"""

from functools import lru_cache
from math import inf
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.cpu.products.affine_rows import FEW_ROWS, forward, grad_input, grad_weight
from tinygrad_cnn.kernels.cpu.products.correlate import Product, correlate, correlation_plan
from tinygrad_cnn.kernels.cpu.products.packing import Filter
from tinygrad_cnn.kernels.cpu.products.taps import Pixels, forward_axis
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_NONE = {np.dtype(kind): np.empty(0, kind) for kind in (np.float32, np.float64)}


@lru_cache(maxsize=256)
def _plan(
    rows: int, depth: int, columns: int, transposed: str, rectified: bool, dtype: np.dtype[Any]
) -> Array:
    """Return the plan of a (rows, depth) matrix times a (depth, columns) matrix.

    An array holds a matrix as it is, or `transposed`: "", "left" or "right".
    """
    down, across = (1, rows) if transposed == "left" else (depth, 1)
    if transposed == "right":
        filters = Filter(columns, depth, 1, 0, depth, 0)
    else:
        filters = Filter(columns, 1, depth, columns, 1, 0)
    one = forward_axis(1, 1, 1, 1, 0, 1)
    return correlation_plan(
        Product(
            Pixels(rows, 1, 1, down, 0, 0),
            Pixels(rows, 1, 1, columns, 0, 0),
            one, one, 1, depth, across, filters, rectified,
        ),
        dtype,
    )  # fmt: skip


@implements("affine_forward", device="cpu", variant="tile")
def affine_forward(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out[n,e] = bias[e] + Σ_d weight[e,d] · x[n,d]."""
    rows, columns = out.shape
    if rows <= FEW_ROWS:
        forward(x, weight, bias, -inf, out)
        return
    plan = _plan(rows, x.shape[1], columns, "right", False, out.dtype)
    correlate(plan, x, weight, bias, out)


@implements("affine_relu_forward", device="cpu", variant="tile")
def affine_relu_forward(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """As `affine_forward`, but what is less than 0 becomes 0 before a tile stores it."""
    rows, columns = out.shape
    if rows <= FEW_ROWS:
        forward(x, weight, bias, 0.0, out)
        return
    plan = _plan(rows, x.shape[1], columns, "right", True, out.dtype)
    correlate(plan, x, weight, bias, out)


@implements("affine_grad_input", device="cpu", variant="tile")
def affine_grad_input(grad: Array, weight: Array, out: Array) -> None:
    """out[n,d] = Σ_e weight[e,d] · grad[n,e]."""
    rows, columns = out.shape
    if rows <= FEW_ROWS:
        grad_input(grad, weight, out)
        return
    plan = _plan(rows, grad.shape[1], columns, "", False, out.dtype)
    correlate(plan, grad, weight, _NONE[out.dtype], out)


@implements("affine_grad_weight", device="cpu", variant="tile")
def affine_grad_weight(grad: Array, x: Array, out: Array) -> None:
    """out[e,d] = Σ_n grad[n,e] · x[n,d]: the left matrix is read by columns."""
    if len(x) <= FEW_ROWS:
        grad_weight(grad, x, out)
        return
    rows, columns = out.shape
    plan = _plan(rows, x.shape[0], columns, "left", False, out.dtype)
    correlate(plan, grad, x, _NONE[out.dtype], out)


@implements("matmul", device="cpu", variant="tile")
def matmul(a: Array, b: Array, out: Array) -> None:
    """out[s,m,n] = Σ_k a[s,m,k] · b[s,k,n] for every matrix s of a stack."""
    _, rows, columns = out.shape
    plan = _plan(rows, a.shape[2], columns, "", False, out.dtype)
    for left, right, result in zip(a, b, out, strict=True):
        correlate(plan, left, right, _NONE[out.dtype], result)


@implements("affine_forward", device="cpu", variant="blas", rank=10)
def affine_forward_blas(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out = x · weightᵀ + bias."""
    with np.errstate(invalid="ignore", over="ignore"):
        np.matmul(x, weight.T, out=out)
        out += bias


@implements("affine_relu_forward", device="cpu", variant="blas", rank=10)
def affine_relu_forward_blas(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out = max(0, x · weightᵀ + bias)."""
    affine_forward_blas(x, weight, bias, out)
    np.maximum(out, 0, out=out)


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
