"""What the losses compute."""

from typing import Any

import numpy as np

from .softmax import log_softmax
from .values import Array

REDUCED = {"mean": np.mean, "sum": np.sum, "none": np.array}


def cross_entropy(
    x: Array,
    labels: Array,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    classes = x.shape[1]
    weights = np.ones(classes) if weight is None else np.array(weight)
    seen = labels != ignore_index
    hits = np.moveaxis(np.eye(classes)[np.where(seen, labels, 0)], -1, 1)
    spread = np.expand_dims(weights, tuple(range(1, x.ndim - 1)))
    truth = spread * ((1 - label_smoothing) * hits + label_smoothing / classes)
    losses = np.where(seen, -(truth * log_softmax(x, 1)).sum(axis=1), 0.0)
    if reduction == "mean":
        return losses.sum() / (weights[labels[seen]]).sum()
    return REDUCED[reduction](losses)


def nll_loss(
    x: Array,
    labels: Array,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    weights = np.ones(x.shape[1]) if weight is None else np.array(weight)
    seen = labels != ignore_index
    total, losses = 0.0, np.zeros(labels.shape)
    for place in np.argwhere(seen):
        n, *pixel = place
        label = labels[tuple(place)]
        total += weights[label]
        losses[tuple(place)] = -weights[label] * x[(n, label, *pixel)]
    return losses.sum() / total if reduction == "mean" else REDUCED[reduction](losses)


def binary_cross_entropy_with_logits(
    x: Array, y: Array, weight: Any = 1.0, reduction: str = "mean", pos_weight: Any = 1.0
) -> Array:
    p = 1 / (1 + np.exp(-x))
    losses = -np.array(weight) * (np.array(pos_weight) * y * np.log(p) + (1 - y) * np.log(1 - p))
    return REDUCED[reduction](losses)


def hinge_loss(s: Array, t: Array, margin: float = 1.0, reduction: str = "mean") -> Array:
    return REDUCED[reduction](np.where(t > 0, np.maximum(margin - s, 0), np.maximum(margin + s, 0)))


def multi_margin_loss(
    x: Array, labels: Array, margin: float = 1.0, reduction: str = "mean"
) -> Array:
    true = np.take_along_axis(x, labels[:, None], axis=1)
    excess = np.maximum(x - true + margin, 0.0)
    np.put_along_axis(excess, labels[:, None], 0.0, axis=1)
    lost = np.where(np.isnan(true[:, 0]), np.nan, excess.mean(axis=1))
    return REDUCED[reduction](lost)


def rbf_loss(s: Array, labels: Array, j: float = 0.1, reduction: str = "mean") -> Array:
    penalties = -s
    own = np.take_along_axis(penalties, labels[:, None], axis=1)[:, 0]
    return REDUCED[reduction](own + np.log(np.exp(-j) + np.exp(-penalties).sum(axis=1)))


def mse_loss(a: Array, y: Array, reduction: str = "mean") -> Array:
    return REDUCED[reduction]((y - a) ** 2)


def l1_loss(a: Array, y: Array, reduction: str = "mean") -> Array:
    return REDUCED[reduction](np.abs(y - a))


def squared_error(a: Array, y: Array, reduction: str = "sum") -> Array:
    total = 0.5 * np.sum((y - a) ** 2)
    return total / a.shape[0] if reduction == "mean" else total
