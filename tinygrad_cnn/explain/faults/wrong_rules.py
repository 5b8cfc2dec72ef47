"""Wrong rules of elements, as they run in the engine in place of the right ones.

Each takes the right method first. They are what one would write by mistake: the same kernels, but
with the kernel unturned, the window one pixel off, a factor left out.
"""

import math
from typing import Any

import numpy as np

from tinygrad_cnn.elements.activation_rectifiers import ReluGradElement
from tinygrad_cnn.elements.batch_norm import BatchNormElement
from tinygrad_cnn.elements.pool_max import MaxPool2dGradElement
from tinygrad_cnn.elements.pool_mean import SumPool2dElement, SumPool2dGradElement
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.variable import Variable

# -- convolutions --------------------------------------------------------------------


def _turned(weight: Any) -> Any:
    """Return filters with all of their spatial axes reversed."""
    return weight[(..., *(slice(None, None, -1) for _ in weight.shape[2:]))]


def unturned_kernel(right: Any, self: Any, signal: Any, weight: Any, shape: Any) -> Any:
    """Correlate the error signal with the filter, where it is to be convolved with it."""
    return right(self, signal, _turned(weight), shape)


def turned_weight_gradient(right: Any, self: Any, signal: Any, x: Any, shape: Any) -> Any:
    """Convolve where it is to be correlated: the gradient comes out turned by 180°."""
    return _turned(right(self, signal, x, shape))


def _moved(value: Any, axes: int) -> Any:
    """Return values moved by one place along the last axes; what enters is 0."""
    array, moved = value._value, np.zeros_like(value._value)
    inner = (slice(1, None),) * axes, (slice(None, -1),) * axes
    moved[(..., *inner[0])] = array[(..., *inner[1])]
    return value.wrap(moved)


def moved_grad_input(right: Any, self: Any, signal: Any, weight: Any, shape: Any) -> Any:
    """Cut the padding off one pixel too early."""
    return _moved(right(self, signal, weight, shape), len(shape) - 2)


def moved_grad_weight(right: Any, self: Any, signal: Any, x: Any, shape: Any) -> Any:
    """Read the image one pixel off, as if there were one more of padding."""
    return right(self, signal, _moved(x, len(shape) - 2), shape)


def packed_grad_input(right: Any, self: Any, signal: Any, weight: Any, shape: Any) -> Any:
    """Leave the stride out: the error signals are not spread apart before they are sent back."""
    window = self.window
    if (window.sh, window.sw) == (1, 1):
        return right(self, signal, weight, shape)
    dense = window._replace(sh=1, sw=1)
    rows = (1, *shape[2:]) if len(shape) == 3 else shape[2:]
    packed = np.zeros((*signal.shape[:2], *dense.output_size(*rows)), signal.dtype)
    value = signal._value if len(shape) == 4 else signal._value[:, :, None]
    packed[:, :, : value.shape[2], : value.shape[3]] = value
    self.window = dense
    try:
        return right(self, signal.wrap(packed if len(shape) == 4 else packed[:, :, 0]),
                     weight, shape)  # fmt: skip
    finally:
        self.window = window


# -- affine maps ---------------------------------------------------------------------


def transposed_weight_gradient(right: Any, self: Any, signal: Any, x: Any) -> Any:
    """Multiply the other way round, x δᵀ, and reshape until it fits."""
    gradient = right(self, signal, x)
    if not isinstance(gradient, np.ndarray):
        return gradient
    return np.ascontiguousarray(gradient.T).reshape(gradient.shape)


def untransposed_weight(right: Any, self: Any, signal: Any, weight: Any) -> Any:
    """Use W where Wᵀ belongs, and reshape until it fits."""
    if not isinstance(weight, np.ndarray):
        return right(self, signal, weight)
    return right(self, signal, np.ascontiguousarray(weight.reshape(weight.shape[::-1]).T))


def bias_of_one_place(right: Any, self: Any, signal: Any) -> Any:
    """Take for the bias the error signal of the first image, at its first place."""
    return _other_bias(right, self, signal, lambda rows: rows[0])


def averaged_bias(right: Any, self: Any, signal: Any) -> Any:
    """Average the error signals for the bias, over images and places, where they add up."""
    return _other_bias(right, self, signal, lambda rows: rows.mean(0))


def _other_bias(right: Any, self: Any, signal: Any, of_rows: Any) -> Any:
    *others, to_bias = right(self, signal)
    if len(self.inputs) == 3 and to_bias is not None and isinstance(signal._value, np.ndarray):
        delta = signal._value
        channels = -1 if self.name.startswith("affine") else 1
        rows = np.moveaxis(delta, channels, -1).reshape(-1, delta.shape[channels])
        to_bias = signal.wrap(np.ascontiguousarray(of_rows(rows), dtype=delta.dtype))
    return (*others, to_bias)


# -- pooling -------------------------------------------------------------------------


def max_to_first_place(right: Any, self: Any, signal: Variable, _: Any) -> Variable:
    """Send the error signal of a window to its first pixel, whoever won."""
    window, shape = self.window, self.inputs[0].shape
    rows = np.maximum(np.arange(signal.shape[2]) * window.sh - window.ph, 0)
    columns = np.maximum(np.arange(signal.shape[3]) * window.sw - window.pw, 0)
    places = (rows[:, None] * shape[3] + columns).astype(np.intp)
    winners = signal.wrap(np.broadcast_to(places, signal.shape).copy())
    return MaxPool2dGradElement(shape)(signal, winners)


def max_to_all_places(right: Any, self: Any, signal: Variable, _: Any) -> Variable:
    """Send the error signal of a window to all of its pixels."""
    if (self.window.dh, self.window.dw) != (1, 1):
        return right(self, signal, _)
    shape = self.inputs[0].shape
    adder = SumPool2dElement(self.window)
    adder.check(signal.wrap(np.empty(shape, signal.dtype)))
    return SumPool2dGradElement(adder.spans, shape, adder.again)(signal)


def mean_without_share(right: Any, self: Any, signal: Variable) -> Variable:
    """Send every pixel the whole error signal of its windows, where 1/m of it is due."""
    if self.name == "sum_pool2d":
        return right(self, signal)
    return _spread(self, signal, first=False)


def mean_to_first_place(right: Any, self: Any, signal: Variable) -> Variable:
    """Send the error signal of a window to its first pixel alone."""
    if self.name == "sum_pool2d":
        return right(self, signal)
    return _spread(self, signal, first=True)


def _spread(self: Any, signal: Any, first: bool) -> Any:
    spans = []
    for table in self.spans:
        changed = np.array(table)
        changed[:, 2] = 1
        if first:
            changed[:, 1] = changed[:, 0] + 1
        spans.append(changed)
    if len(signal.shape) == 2:
        signal = signal.wrap(signal._value.reshape(*signal.shape, 1, 1))
    rows, columns = spans
    return SumPool2dGradElement((rows, columns), self.inputs[0].shape, _never)(signal)


def _never() -> Any:
    raise GraphError("fault: a wrong rule has no derivative; got create_graph=True")


# -- activations ---------------------------------------------------------------------


def _inverse(name: str, a: Any) -> Any:
    """Return what was squashed to a."""
    inside = np.clip(a, np.finfo(np.float32).tiny, 1 - 2.0**-24) if name == "sigmoid_grad" else a
    if name == "sigmoid_grad":
        return np.log(inside) - np.log1p(-inside)
    return np.arctanh(np.clip(a, -1 + 2.0**-24, 1 - 2.0**-24))


def sigmoid_slope_of_z(right: Any, self: Any, signal: Any, a: Any) -> Any:
    """Put z into the formula z (1 - z), which is meant for a."""
    if self.name != "sigmoid_grad":
        return right(self, signal, a)
    z = _inverse(self.name, a)
    return _like(signal, signal * z * (1 - z))


def tanh_slope_of_z(right: Any, self: Any, signal: Any, a: Any) -> Any:
    """Put z into the formula 1 - z², which is meant for a."""
    if self.name != "tanh_grad":
        return right(self, signal, a)
    z = _inverse(self.name, a)
    return _like(signal, signal * (1 - z * z))


def relu_mask_of_signal(right: Any, self: Any, signal: Any, a: Any) -> Any:
    """Let error signals through that are positive themselves."""
    if self.name != "relu_grad":
        return right(self, signal, a)
    return _like(signal, signal * (signal > 0))


def relu_mask_moved(right: Any, self: Any, signal: Any, a: Any) -> Any:
    """Use the mask of the neighbour to the left."""
    if self.name != "relu_grad" or not np.ndim(a):
        return right(self, signal, a)
    return _like(signal, signal * np.roll(a > 0, 1, -1))


def relu_mask_left_out(right: Any, self: Any, signal: Any, a: Any) -> Any:
    """Let everything through."""
    return _like(signal, signal * 1) if self.name == "relu_grad" else right(self, signal, a)


def through_both(right: Any, self: Any, signal: Any, *_: Any) -> Any:
    """Go back through a rectifier and a normalisation one by one, not by the kernel of both."""
    before = ReluGradElement()(signal, self.saved("a"))
    return BatchNormElement.backward(self, before)


def _like(signal: Any, result: Any) -> Any:
    return result.astype(signal.dtype) if isinstance(signal, np.ndarray) else float(result)


# -- softmax and losses --------------------------------------------------------------


def softmax_without_cross_terms(right: Any, self: Any, signal: Any) -> Any:
    """Differentiate each probability after its own score alone: y (1 - y)."""
    y = self.saved("y")
    return signal * y * (1.0 - y)


def without_share(right: Any, self: Any, signal: Any, *_: Any) -> Any:
    """Do not divide by how many there are."""
    return signal


def pairs_without_share(right: Any, self: Any, signal: Any) -> Any:
    """Do not divide the error signal of a prediction by how many there are."""
    if self.reduction != "mean":
        return right(self, signal)
    shape = self.inputs[0].shape
    count = math.prod(shape) if self.name == "mse_loss" else (shape[0] if shape else 1)
    return right(self, signal) * float(max(count, 1))


def turned_sign(right: Any, self: Any, signal: Any) -> Any:
    """Subtract the other way round: target less prediction."""
    answers = right(self, signal)
    each = answers if isinstance(answers, tuple) else (answers,)
    turned = tuple(None if answer is None else -answer for answer in each)
    return turned if isinstance(answers, tuple) else turned[0]


# -- normalisation and dropout -------------------------------------------------------


def constant_statistics(right: Any, self: Any, signal: Any, *others: Any) -> Any:
    """Take mean and variance for constants: nothing flows back through them."""
    return _other_normalisation(right, self, signal, others, centred=False)


def constant_variance(right: Any, self: Any, signal: Any, *others: Any) -> Any:
    """Take the variance for a constant; the mean has its error signal."""
    return _other_normalisation(right, self, signal, others, centred=True)


def _other_normalisation(
    right: Any, self: Any, signal: Any, others: Any, centred: bool
) -> tuple[Any, ...]:
    answers = right(self, signal, *others)
    if answers[0] is None:
        return answers
    delta = signal._value
    if self.name == "batch_norm_relu":
        delta = delta * (self.saved("a")._value > 0)
    axes = (0, *range(2, delta.ndim))
    row = (1, -1, *(1,) * (delta.ndim - 2))
    scale = 1.0 / np.sqrt(self.saved("variance")._value + self.eps)
    if "weight" in self._saved:
        scale = scale * self.saved("weight")._value
    if centred:
        delta = delta - delta.mean(axes, keepdims=True)
    to_x = np.asarray(delta * scale.reshape(row), signal.dtype)
    return (signal.wrap(to_x), *answers[1:])


def redrawn_mask(right: Any, self: Any, signal: Any, _: Any) -> Any:
    """Draw the mask of a dropout anew, in the walk back."""
    drawn = default_generator().random(signal.shape) >= self.p
    return signal.wrap((signal._value * drawn * self.scale).astype(signal.dtype))


def unscaled_mask(right: Any, self: Any, signal: Any, _: Any) -> Any:
    """Forget the 1 / (1 - p) that the values were multiplied by."""
    return right(self, signal, _) * (1.0 - self.p)
