"""Softmax through its logarithm, and the cross-entropy."""

import numpy as np


def softmax(x, out):
    return np.exp(log_softmax(x, out))


def log_softmax(x, out):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy_forward(x, labels, out):
    return -log_softmax(x, out)[np.arange(len(x)), labels]


def cross_entropy_grad(grad, x, labels, out):
    return grad[:, None] * (softmax(x, out) - np.eye(x.shape[1])[labels])


ORACLES = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "cross_entropy_forward": cross_entropy_forward,
    "cross_entropy_grad": cross_entropy_grad,
}
