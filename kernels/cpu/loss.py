"""Losses of the rows of a matrix (N, K) that need no softmax; labels are (N,) integers."""

import numpy as np

from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("nll_loss_forward", device="cpu", variant="direct")
def nll_loss_forward(
    x: Array, labels: Array, weight: Array, ignored: int, out: Array, shares: Array
) -> None:
    """out[n] = -w[labels[n]] · x[n,labels[n]], shares[n] = w[labels[n]].

    w = 1 where `weight` is empty; rows labelled `ignored` give 0 in both.
    """
    flat = read_only(labels, np.intp)
    _nll_loss(read_only(x).reshape(x.shape), flat, read_only(weight), int(ignored), out, shares)


@compiled()
def _nll_loss(
    x: Array, labels: Array, weight: Array, ignored: int, out: Array, shares: Array
) -> None:
    for n in range(x.shape[0]):
        out[n] = 0.0
        shares[n] = 0.0
        if labels[n] != ignored:
            share = weight[labels[n]] if weight.size > 0 else 1.0
            out[n] = -share * x[n, labels[n]]
            shares[n] = share


@implements("nll_loss_grad", device="cpu", variant="direct")
def nll_loss_grad(grad: Array, labels: Array, weight: Array, ignored: int, out: Array) -> None:
    """out[n,k] = -grad[n] · w[k] · [k = labels[n]], and 0 in rows labelled `ignored`."""
    flat = read_only(labels, np.intp)
    _nll_loss_grad(read_only(grad), flat, read_only(weight), int(ignored), out)


@compiled()
def _nll_loss_grad(grad: Array, labels: Array, weight: Array, ignored: int, out: Array) -> None:
    for n in range(out.shape[0]):
        out[n] = 0.0
        if labels[n] != ignored:
            share = weight[labels[n]] if weight.size > 0 else 1.0
            out[n, labels[n]] = -share * grad[n]


@implements("multi_margin_loss_forward", device="cpu", variant="direct")
def multi_margin_loss_forward(x: Array, labels: Array, margin: float, out: Array) -> None:
    """out[n] = Σ_{k ≠ l} max(0, margin - x[n,l] + x[n,k]) / K, l = labels[n]."""
    flat = read_only(labels, np.intp)
    _multi_margin_loss(read_only(x).reshape(x.shape), flat, float(margin), out)


@compiled()
def _multi_margin_loss(x: Array, labels: Array, margin: float, out: Array) -> None:
    for n in range(x.shape[0]):
        total = 0.0
        for k in range(x.shape[1]):
            if k != labels[n]:
                excess = margin - x[n, labels[n]] + x[n, k]
                if not excess <= 0.0:  # a NaN stays a NaN
                    total += excess
        out[n] = total / x.shape[1]


@implements("multi_margin_loss_grad", device="cpu", variant="direct")
def multi_margin_loss_grad(grad: Array, x: Array, labels: Array, margin: float, out: Array) -> None:
    """out[n,k] = grad[n] / K · [margin - x[n,l] + x[n,k] > 0], and less their sum at k = l."""
    flat = read_only(labels, np.intp)
    _multi_margin_loss_grad(
        read_only(grad), read_only(x).reshape(x.shape), flat, float(margin), out
    )


@compiled()
def _multi_margin_loss_grad(
    grad: Array, x: Array, labels: Array, margin: float, out: Array
) -> None:
    for n in range(x.shape[0]):
        share = grad[n] / x.shape[1]
        total = 0.0
        for k in range(x.shape[1]):
            out[n, k] = 0.0
            if k != labels[n] and margin - x[n, labels[n]] + x[n, k] > 0.0:
                out[n, k] = share
                total += share
        out[n, labels[n]] = -total
