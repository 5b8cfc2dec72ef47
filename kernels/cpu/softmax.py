"""Softmax and cross entropy of the rows of a matrix (N, K); labels are (N,) integers.

A row is shifted by its largest value, so that no exponential overflows, and summed in
float64 whatever its dtype: K is small, and the logarithm of a sum deserves the digits. A
row whose largest value is NaN or infinite has no softmax: all of it becomes NaN.

A row of ten classes is shorter than a vector of AVX-512. So the exponentials of all rows of a
part are taken in one run, between the pass that shifts them and the pass that adds them up.
"""

import math
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.elementary import exp_of, like
from tinygrad_cnn.kernels.cpu.loops.array_object import place_of, values_at, values_from
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


@compiled(fastmath={"reassoc"})
def _sum(values: Any, first: int, end: int) -> float:
    """Return the sum in float64; several partial sums at once, as many as the processor likes."""
    total = 0.0
    for k in range(first, end):
        total += values[k]
    return total


@compiled()
def _largest(x: Any, first: int, end: int) -> Any:
    """Return the largest value; it may leave out a NaN.

    Four runs side by side: a comparison has to wait for the one before it.
    """
    a = b = c = d = x[first]
    for k in range(first, end - 3, 4):
        a = x[k] if x[k] > a else a
        b = x[k + 1] if x[k + 1] > b else b
        c = x[k + 2] if x[k + 2] > c else c
        d = x[k + 3] if x[k + 3] > d else d
    for k in range(max(first, end - 3), end):
        a = x[k] if x[k] > a else a
    a, c = b if b > a else a, d if d > c else c
    return c if c > a else a


@compiled()
def _exponentials(x: Any, e: Any, classes: int, facts: Array) -> None:
    """Write e[n,k] = exp(x[n,k] - m[n]) with m[n] = max_k x[n,k]; facts[n] = m[n], Σ_k e[n,k].

    The sum is NaN where a row has no softmax: a NaN in it makes one of e.
    """
    rows = facts.shape[0] if classes > 0 else 0
    for n in range(rows):
        first, end = n * classes, (n + 1) * classes
        largest = _largest(x, first, end)
        if math.isinf(largest):
            largest = like(largest, math.nan)
        facts[n, 0] = largest
        for k in range(first, end):
            e[k] = x[k] - largest
    for k in range(rows * classes):
        e[k] = exp_of(e[k])
    for n in range(rows):
        facts[n, 1] = _sum(e, n * classes, (n + 1) * classes)


@implements("softmax", device="cpu", variant="direct")
def softmax(x: Array, out: Array) -> None:
    """out[n,k] = exp(x[n,k]) / Σ_l exp(x[n,l])."""
    run_rows(_SOFTMAX, x.shape, x, None, None, out)


@compiled()
def _softmax_rows(table: Any, part: int) -> None:
    begin, end, classes = rows_of(table, part)
    _softmax(table, begin, classes, np.empty((end - begin, 2), np.float64))


@compiled()
def _softmax(table: Any, begin: int, classes: int, facts: Array) -> None:
    out = values_from(values_of(table, OUT), begin * classes)
    _exponentials(values_from(values_of(table, X), begin * classes), out, classes, facts)
    for n in range(facts.shape[0]):
        scale = like(out[0], 1.0 / facts[n, 1])
        for k in range(n * classes, n * classes + classes):
            out[k] *= scale


@implements("log_softmax", device="cpu", variant="direct")
def log_softmax(x: Array, out: Array) -> None:
    """out[n,k] = x[n,k] - log Σ_l exp(x[n,l])."""
    run_rows(_LOG_SOFTMAX, x.shape, x, None, None, out)


@compiled()
def _log_softmax_rows(table: Any, part: int) -> None:
    begin, end, classes = rows_of(table, part)
    x = values_from(values_of(table, X), begin * classes)
    out = values_from(values_of(table, OUT), begin * classes)
    facts = np.empty((end - begin, 2), np.float64)
    _exponentials(x, out, classes, facts)
    for n in range(end - begin):
        largest, log_sum = facts[n, 0], math.log(facts[n, 1])
        for k in range(n * classes, n * classes + classes):
            out[k] = x[k] - largest - log_sum


@implements("cross_entropy_forward", device="cpu", variant="direct")
def cross_entropy_forward(
    x: Array,
    labels: Array,
    weight: Array,
    ignored: int,
    smoothing: float,
    out: Array,
    shares: Array,
) -> None:
    """out[n] = -Σ_k t[n,k] · log softmax(x[n])[k], shares[n] = w[labels[n]].

    t[n,k] = (1 - ε) · w[k] · [k = labels[n]] + ε / K · w[k], with w = 1 where `weight` is empty;
    rows labelled `ignored` have no target: 0 in both.
    """
    run_rows(_CROSS_ENTROPY, x.shape, x, weight, labels, out, shares, ignored, smoothing)


@compiled()
def _cross_entropy_rows(table: Any, part: int) -> None:
    begin, end, classes = rows_of(table, part)
    facts = np.empty((end - begin, 2), np.float64)
    _cross_entropy(table, begin, classes, facts, np.empty((end - begin) * classes, np.float64))


@compiled()
def _cross_entropy(table: Any, begin: int, classes: int, facts: Array, memory: Array) -> None:
    x, ignored = values_from(values_of(table, X), begin * classes), option_of(table)
    out, shares, smoothing = values_of(table, OUT), values_of(table, EXTRA), number_of(table)
    _exponentials(x, values_at(x, place_of(memory)), classes, facts)
    for n in range(facts.shape[0]):
        label = label_of(table, begin + n)
        if label == ignored:
            out[begin + n] = 0.0
            shares[begin + n] = 0.0
            continue
        largest, log_sum, share = facts[n, 0], math.log(facts[n, 1]), weight_of(table, label)
        loss = (1.0 - smoothing) * share * (log_sum - (x[n * classes + label] - largest))
        if smoothing > 0.0:
            spread = 0.0
            for k in range(classes):
                spread += weight_of(table, k) * (log_sum - (x[n * classes + k] - largest))
            loss += smoothing / classes * spread
        out[begin + n] = loss
        shares[begin + n] = share


@implements("cross_entropy_grad", device="cpu", variant="direct")
def cross_entropy_grad(
    grad: Array,
    x: Array,
    labels: Array,
    weight: Array,
    ignored: int,
    smoothing: float,
    out: Array,
) -> None:
    """out[n,k] = grad[n] · (Σ_l t[n,l] · softmax(x[n])[k] - t[n,k]), t as in the forward kernel."""
    run_rows(_CROSS_ENTROPY_GRAD, x.shape, x, weight, labels, out, grad, ignored, smoothing)


@compiled()
def _cross_entropy_grad_rows(table: Any, part: int) -> None:
    begin, end, classes = rows_of(table, part)
    _cross_entropy_grad(table, begin, classes, np.empty((end - begin, 2), np.float64))


@compiled()
def _cross_entropy_grad(table: Any, begin: int, classes: int, facts: Array) -> None:
    out = values_from(values_of(table, OUT), begin * classes)
    ignored, smoothing, grad = option_of(table), number_of(table), values_of(table, EXTRA)
    _exponentials(values_from(values_of(table, X), begin * classes), out, classes, facts)
    spread = smoothing
    if smoothing > 0.0:
        spread = 0.0
        for k in range(classes):
            spread += smoothing / classes * weight_of(table, k)
    for n in range(facts.shape[0]):
        label, first = label_of(table, begin + n), n * classes
        if label == ignored:
            for k in range(first, first + classes):
                out[k] = 0.0
            continue
        share = (1.0 - smoothing) * weight_of(table, label)
        scale = like(out[0], (share + spread) / facts[n, 1])
        for k in range(first, first + classes):
            out[k] *= scale
        out[first + label] -= share
        if smoothing > 0.0:
            for k in range(classes):
                out[first + k] -= smoothing / classes * weight_of(table, k)
        for k in range(first, first + classes):
            out[k] *= grad[begin + n]


_SOFTMAX, _LOG_SOFTMAX, _CROSS_ENTROPY, _CROSS_ENTROPY_GRAD = map(
    row_tasks, (_softmax_rows, _log_softmax_rows, _cross_entropy_rows, _cross_entropy_grad_rows)
)
