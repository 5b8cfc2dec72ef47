"""Losses of the rows of a matrix (N, K) that need no softmax; labels are (N,) integers."""

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("nll_loss_forward")
def nll_loss_forward(
    x: Array, labels: Array, weight: Array, ignored: int, out: Array, shares: Array
) -> None:
    """out[n] = -w[labels[n]] · x[n,labels[n]], shares[n] = w[labels[n]]."""
    for n, label in enumerate(labels):
        share = 0.0 if label == ignored else float(weight[label]) if weight.size else 1.0
        out[n] = 0.0 if label == ignored else -share * float(x[n, label])
        shares[n] = share


@reference("nll_loss_grad")
def nll_loss_grad(grad: Array, labels: Array, weight: Array, ignored: int, out: Array) -> None:
    """out[n,k] = -grad[n] · w[k] · [k = labels[n]]."""
    out[...] = 0.0
    for n, label in enumerate(labels):
        if label != ignored:
            out[n, label] = -float(grad[n]) * (float(weight[label]) if weight.size else 1.0)


@reference("multi_margin_loss_forward")
def multi_margin_loss_forward(x: Array, labels: Array, margin: float, out: Array) -> None:
    """out[n] = Σ_{k ≠ l} max(0, margin - x[n,l] + x[n,k]) / K, l = labels[n]."""
    for n, label in enumerate(labels):
        row = [float(value) for value in x[n]]
        excesses = [margin - row[label] + row[k] for k in range(len(row)) if k != label]
        out[n] = sum(0.0 if excess <= 0.0 else excess for excess in excesses) / len(row)


@reference("multi_margin_loss_grad")
def multi_margin_loss_grad(grad: Array, x: Array, labels: Array, margin: float, out: Array) -> None:
    """out[n,k] = grad[n] / K · [margin - x[n,l] + x[n,k] > 0], and less their sum at k = l."""
    out[...] = 0.0
    for n, label in enumerate(labels):
        row = [float(value) for value in x[n]]
        for k, value in enumerate(row):
            if k != label and margin - row[label] + value > 0.0:
                out[n, k] += float(grad[n]) / len(row)
                out[n, label] -= float(grad[n]) / len(row)
