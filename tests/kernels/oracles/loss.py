"""The negative log-likelihood, and the hinge of many classes."""

import numpy as np


def _shares(labels, weight, ignored):
    """Return the weight of each label, and 0 where it is ignored."""
    picked = np.where(labels == ignored, 0, labels)
    return np.where(labels == ignored, 0.0, weight[picked] if weight.size else 1.0)


def nll_loss_forward(x, labels, weight, ignored, out, shares):
    picked = x[np.arange(len(x)), np.where(labels == ignored, 0, labels)]
    share = _shares(labels, weight, ignored)
    return np.where(labels == ignored, 0.0, -share * picked), share


def nll_loss_grad(grad, labels, weight, ignored, out):
    places = np.arange(out.shape[1]) == np.asarray(labels, int)[:, None]
    signals = -grad * _shares(labels, weight, ignored)
    return np.where(places & (labels != ignored)[:, None], signals[:, None], 0.0)


def _excess(x, labels, margin):
    rows = np.arange(len(x))
    excess = np.maximum(margin - x[rows, labels][:, None] + x, 0.0)
    excess[rows, labels] = 0.0
    return excess


def multi_margin_loss_forward(x, labels, margin, out):
    return _excess(x, labels, margin).mean(axis=1)


def multi_margin_loss_grad(grad, x, labels, margin, out):
    inside = (_excess(x, labels, margin) > 0) / x.shape[1]
    hit = np.eye(x.shape[1])[labels]
    each = inside - hit * inside.sum(axis=1, keepdims=True)
    return np.where(each == 0, 0.0, grad[:, None] * each)


ORACLES = {
    "nll_loss_forward": nll_loss_forward,
    "nll_loss_grad": nll_loss_grad,
    "multi_margin_loss_forward": multi_margin_loss_forward,
    "multi_margin_loss_grad": multi_margin_loss_grad,
}
