"""Losses of the rows of a matrix (N, K) that need no softmax; labels are (N,) integers."""

from typing import Any

from tinygrad_cnn.kernels.cpu.loops.array_object import values_from
from tinygrad_cnn.kernels.cpu.loops.rows import (
    EXTRA,
    OUT,
    X,
    label_of,
    number_of,
    option_of,
    row_tasks,
    rows_of,
    run_rows,
    values_of,
    weight_of,
)
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
    run_rows(_NLL_LOSS, x.shape, x, weight, labels, out, shares, ignored)


@compiled()
def _nll_loss_rows(table: Any, part: int) -> None:
    begin, end, classes = rows_of(table, part)
    x, out, shares = values_of(table, X), values_of(table, OUT), values_of(table, EXTRA)
    for n in range(begin, end):
        label = label_of(table, n)
        out[n] = 0.0
        shares[n] = 0.0
        if label != option_of(table):
            share = weight_of(table, label)
            out[n] = -share * x[n * classes + label]
            shares[n] = share


@implements("nll_loss_grad", device="cpu", variant="direct")
def nll_loss_grad(grad: Array, labels: Array, weight: Array, ignored: int, out: Array) -> None:
    """out[n,k] = -grad[n] · w[k] · [k = labels[n]], and 0 in rows labelled `ignored`."""
    run_rows(_NLL_LOSS_GRAD, out.shape, None, weight, labels, out, grad, ignored)


@compiled()
def _nll_loss_grad_rows(table: Any, part: int) -> None:
    begin, end, classes = rows_of(table, part)
    out, grad = values_of(table, OUT), values_of(table, EXTRA)
    for k in range(begin * classes, end * classes):
        out[k] = 0.0
    for n in range(begin, end):
        label = label_of(table, n)
        if label != option_of(table):
            out[n * classes + label] = -weight_of(table, label) * grad[n]


@implements("multi_margin_loss_forward", device="cpu", variant="direct")
def multi_margin_loss_forward(x: Array, labels: Array, margin: float, out: Array) -> None:
    """out[n] = Σ_{k ≠ l} max(0, margin - x[n,l] + x[n,k]) / K, l = labels[n]."""
    run_rows(_MULTI_MARGIN_LOSS, x.shape, x, None, labels, out, number=margin)


@compiled()
def _multi_margin_loss_rows(table: Any, part: int) -> None:
    begin, end, classes = rows_of(table, part)
    margin, out = number_of(table), values_of(table, OUT)
    for n in range(begin, end):
        row, label, total = values_from(values_of(table, X), n * classes), label_of(table, n), 0.0
        for k in range(classes):
            if k != label:
                excess = margin - row[label] + row[k]
                if not excess <= 0.0:  # a NaN stays a NaN
                    total += excess
        out[n] = total / classes


@implements("multi_margin_loss_grad", device="cpu", variant="direct")
def multi_margin_loss_grad(grad: Array, x: Array, labels: Array, margin: float, out: Array) -> None:
    """out[n,k] = grad[n] / K · [margin - x[n,l] + x[n,k] > 0], and less their sum at k = l."""
    run_rows(_MULTI_MARGIN_LOSS_GRAD, x.shape, x, None, labels, out, grad, number=margin)


@compiled()
def _multi_margin_loss_grad_rows(table: Any, part: int) -> None:
    begin, end, classes = rows_of(table, part)
    margin, grad = number_of(table), values_of(table, EXTRA)
    for n in range(begin, end):
        row, label = values_from(values_of(table, X), n * classes), label_of(table, n)
        out = values_from(values_of(table, OUT), n * classes)
        share, total = grad[n] / classes, 0.0
        for k in range(classes):
            out[k] = 0.0
            if k != label and margin - row[label] + row[k] > 0.0:
                out[k] = share
                total += share
        out[label] = -total


_NLL_LOSS, _NLL_LOSS_GRAD, _MULTI_MARGIN_LOSS, _MULTI_MARGIN_LOSS_GRAD = map(
    row_tasks,
    (_nll_loss_rows, _nll_loss_grad_rows, _multi_margin_loss_rows, _multi_margin_loss_grad_rows),
)
