"""What an element is to send back, and what it sends with a fault, from recorded values.

For each family one function ``expected(visit, δ, fault)`` in plain NumPy and float64: the rule
itself where the fault is None, and the mistake where it has its name. The engine is not asked.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_cnn.explain.faults import expected_windows as windows
from tinygrad_cnn.explain.faults.catalogue import FAULTS
from tinygrad_cnn.explain.faults.expected_windows import Sent
from tinygrad_cnn.explain.faults.watching import Array, Visit

__all__ = ["Sent", "expected", "faults_of", "is_known"]


def _affine(visit: Visit, delta: Array, fault: str | None) -> Sent:
    x, weight = visit.inputs[:2]
    through = weight
    if fault == "weight_not_transposed":
        through = weight.reshape(weight.shape[::-1]).T
    rows, signals = x.reshape(-1, x.shape[-1]), delta.reshape(-1, delta.shape[-1])
    to_weight = signals.T @ rows
    if fault == "weight_gradient_transposed":
        to_weight = (rows.T @ signals).reshape(weight.shape)
    sent = {0: delta @ through, 1: to_weight}
    if len(visit.inputs) > 2:
        sent[2] = windows.bias(delta, fault)
    return sent


# -- activations ---------------------------------------------------------------------


def through_activation(name: str, a: Array, delta: Array, fault: str | None) -> Array:
    """Return the error signal before an activation."""
    if name == "relu":
        mask: Array = a > 0
        if fault == "relu_mask_of_signal":
            mask = delta > 0
        elif fault == "relu_mask_moved":
            mask = np.roll(mask, 1, -1) if mask.ndim else mask
        elif fault == "relu_mask_left_out":
            mask = np.ones_like(mask)
        return delta * mask
    if name == "sigmoid":
        if fault == "sigmoid_slope_of_z":
            inside = np.clip(a, np.finfo(np.float32).tiny, 1 - 2.0**-24)
            a = np.log(inside / (1 - inside))
        return delta * a * (1 - a)
    if fault == "tanh_slope_of_z":
        a = np.arctanh(np.clip(a, -1 + 2.0**-24, 1 - 2.0**-24))
    return delta * (1 - a * a)


def _activation(visit: Visit, delta: Array, fault: str | None) -> Sent:
    return {0: through_activation(visit.element.name, visit.outputs[0], delta, fault)}


def _add(visit: Visit, delta: Array, fault: str | None) -> Sent:
    return {position: _gathered(delta, x.shape) for position, x in enumerate(visit.inputs)}


def _gathered(delta: Array, shape: tuple[int, ...]) -> Array:
    """Add up what reached the copies of a value that was repeated to a larger shape."""
    delta = delta.sum(tuple(range(delta.ndim - len(shape))))
    repeated = tuple(k for k, size in enumerate(shape) if size == 1 != delta.shape[k])
    return delta.sum(repeated, keepdims=True)


# -- softmax and losses --------------------------------------------------------------


def _softmax(visit: Visit, delta: Array, fault: str | None) -> Sent:
    y, axis = visit.outputs[0], visit.element.dim  # type: ignore[attr-defined]
    if fault == "softmax_without_cross_terms":
        return {0: delta * y * (1 - y)}
    return {0: y * (delta - (delta * y).sum(axis, keepdims=True))}


def _factor(fault: str | None, count: float) -> float:
    """Return what a mean loss multiplies by, of the share 1/N that is due."""
    share = 1.0 if fault == "batch_share_left_out" else 1.0 / count
    return -share if fault == "loss_sign_turned" else share


def _classes(visit: Visit, delta: Array, fault: str | None) -> Sent:
    element: Any = visit.element
    x, labels = np.moveaxis(visit.inputs[0], 1, -1), visit.inputs[1]
    classes = x.shape[-1]
    weight = visit.inputs[2] if len(visit.inputs) > 2 else np.ones(classes)
    there = labels != element.ignore_index
    onehot = (labels[..., None] == np.arange(classes)) & there[..., None]
    smoothing = getattr(element, "smoothing", 0.0)
    target = weight * ((1 - smoothing) * onehot + smoothing / classes) * there[..., None]
    if element.name == "cross_entropy":
        powers = np.exp(x - x.max(-1, keepdims=True))
        p = powers / powers.sum(-1, keepdims=True)
        signal = p * target.sum(-1, keepdims=True) - target
    else:
        signal = -target
    if element.reduction == "none":
        each = delta[..., None] * (-1.0 if fault == "loss_sign_turned" else 1.0)
    else:
        mean = element.reduction == "mean"
        each = delta * _factor(fault, float((onehot * weight).sum()) if mean else 1.0)
    return {0: np.moveaxis(signal * each, -1, 1)}


def _pairs(visit: Visit, delta: Array, fault: str | None) -> Sent:
    element: Any = visit.element
    a, y = visit.inputs[:2]
    squares = element.name == "mse_loss"
    count = 1.0
    if element.reduction == "mean":
        count = float(a.size if squares else a.shape[0] if a.ndim else 1) or 1.0
    to_a = delta * (2.0 if squares else 1.0) * (a - y) * _factor(fault, count)
    return {0: to_a, 1: -to_a}


# -- normalisation and dropout -------------------------------------------------------


def _batch_norm(visit: Visit, delta: Array, fault: str | None) -> Sent:
    x, *affine = visit.inputs
    axes = (0, *range(2, x.ndim))
    row = (1, -1, *(1,) * (x.ndim - 2))
    deviation = np.sqrt(x.var(axes) + visit.element.eps).reshape(row)  # type: ignore[attr-defined]
    normalised = (x - x.mean(axes, keepdims=True)) / deviation
    scale = (affine[0].reshape(row) if affine else 1.0) / deviation
    along = (delta * normalised).mean(axes, keepdims=True) * normalised
    to_x = delta - delta.mean(axes, keepdims=True) - along
    if fault == "batch_norm_constant_statistics":
        to_x = delta
    elif fault == "batch_norm_constant_variance":
        to_x = delta - delta.mean(axes, keepdims=True)
    sent = {0: scale * to_x}
    if affine:
        sent |= {1: (delta * normalised).sum(axes), 2: delta.sum(axes)}
    return {position: each for position, each in sent.items() if position < len(visit.inputs)}


def _dropout(visit: Visit, delta: Array, fault: str | None) -> Sent:
    mask, p = visit.outputs[1], visit.element.p  # type: ignore[attr-defined]
    scale = 1.0 / (1.0 - p) if p < 1 else 0.0
    if fault == "dropout_without_scale":
        scale = 1.0
    if fault == "dropout_mask_redrawn":
        # Which mask was drawn cannot be known, but what was sent is δ times one or none.
        sent = visit.incoming[0] if visit.incoming else None
        mask = mask if sent is None else sent != 0
    return {0: delta * mask * scale}


Expected = Callable[[Visit, Array, str | None], Sent]

_FAMILIES: dict[str, Expected] = {
    "conv2d": windows.convolution,
    "conv1d": windows.convolution,
    "affine": _affine,
    "add": _add,
    "max_pool2d": windows.maximum,
    "avg_pool2d": windows.mean,
    "adaptive_avg_pool2d": windows.mean,
    "global_avg_pool2d": windows.mean,
    "relu": _activation,
    "sigmoid": _activation,
    "tanh": _activation,
    "softmax": _softmax,
    "cross_entropy": _classes,
    "nll_loss": _classes,
    "mse_loss": _pairs,
    "squared_error": _pairs,
    "batch_norm": _batch_norm,
    "dropout": _dropout,
}


_OF_SCALARS = {"relu", "sigmoid", "tanh", "add", "mse_loss", "squared_error"}


def is_known(visit: Visit) -> bool:
    """Tell whether what an element is to send is written out here."""
    if not visit.inputs[0].shape and visit.family not in _OF_SCALARS:
        return False
    return visit.family in _FAMILIES and not getattr(visit.element, "at_zero", 0.0)


def faults_of(visit: Visit) -> tuple[str, ...]:
    """Return the names of the rule faults that touch an element."""
    words = {visit.family, visit.activation}
    return tuple(
        fault.name
        for fault in FAULTS.values()
        if fault.kind == "rule" and words.intersection(fault.touches)
    )


def expected(visit: Visit, fault: str | None = None) -> Sent:
    """Return the error signals that an element of a known family sends, by input position."""
    delta = visit.outgoing[0]
    if delta is None:
        return {}
    if visit.activation is not None:
        delta = through_activation(visit.activation, visit.outputs[0], delta, fault)
    sent = _FAMILIES[visit.family](visit, delta, fault)
    wanted = visit.element.wanted
    return {position: each for position, each in sent.items() if wanted[position]}
