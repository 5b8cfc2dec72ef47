"""Index forms of normalisation, and of dropout."""

import math
from typing import Any

import numpy as np

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Expression,
    Power,
    apply,
    expression,
    sum_over,
)
from tinygrad_cnn.explain.derivation.forms import (
    Equation,
    IndexForm,
    Letters,
    Place,
    form,
    letters,
    letters_for,
    primed,
    sizes,
)


@form("batch_norm", "batch_norm_relu")
def batch_norm(place: Place) -> IndexForm:
    """Write out y = γ x̂ + β, with an error signal that flows through mean and variance too."""
    x, weight, bias = place.inputs[0], place.input(1), place.input(2)
    mean, variance = place.outputs[1], place.outputs[2]
    shape = x.data.shape
    given = letters_for(shape)
    others = primed(given)
    c = given[1]
    inner = (others[0], c, *others[2:])
    over = [pair for axis, pair in enumerate(sizes(inner, shape)) if axis != 1]
    m = math.prod(size for _, size in over)
    spread = apply("sqrt", variance[c] + place.settings["eps"])

    def normalised(index: Letters) -> Expression:
        return (x[index] - mean[c]) / spread

    right = normalised(given)
    if weight is not None:
        right = weight[c] * right
    if bias is not None:
        right = right + bias[c]
    form = IndexForm(Equation(given, place.activated(right)))
    form.outputs[1] = Equation((c,), sum_over(over, x[inner]) / m)
    form.outputs[2] = Equation((c,), sum_over(over, (x[inner] - mean[c]) ** 2) / m)
    if place.signals[0] is None:
        return form
    here, there = place.through(*given), place.through(*inner)
    along = sum_over(over, there * normalised(inner))
    centred = here - sum_over(over, there) / m - normalised(given) * (along / m)
    scale = weight[c] if weight is not None else expression(1)
    form.signals[0] = Equation(given, scale / spread * centred)
    form.signals[1] = Equation((c,), along)
    form.signals[2] = Equation((c,), sum_over(over, there))
    return form


@form("batch_norm_inference")
def batch_norm_inference(place: Place) -> IndexForm:
    """Write out y = γ (x - μ) / √(σ² + ε) + β with given μ and σ²."""
    x, mean, variance = place.inputs[:3]
    weight, bias = place.input(3), place.input(4)
    given = letters_for(x.data.shape)
    c = given[1]
    over = [pair for axis, pair in enumerate(sizes(given, x.data.shape)) if axis != 1]
    spread = apply("sqrt", variance[c] + place.settings["eps"])
    normalised = (x[given] - mean[c]) / spread
    scale = weight[c] if weight is not None else expression(1)
    right = scale * normalised
    form = IndexForm(Equation(given, right if bias is None else right + bias[c]))
    if place.signals[0] is not None:
        signal = place.signal()[given]
        form.signals[0] = Equation(given, scale / spread * signal)
        form.signals[3] = Equation((c,), sum_over(over, signal * normalised))
        form.signals[4] = Equation((c,), sum_over(over, signal))
    return form


@form("dropout")
def dropout(place: Place) -> IndexForm:
    """Write out y = x · mask / (1 - p), with the mask that was drawn."""
    x, mask, scale = place.inputs[0], place.outputs[1], place.settings["scale"]
    given = letters_for(x.data.shape)
    kept = Array(mask.name, np.asarray(mask.data, np.int64))
    form = IndexForm(Equation(given, x[given] * kept[given] * scale))
    if place.signals[0] is not None:
        form.signals[0] = Equation(given, place.signal()[given] * kept[given] * scale)
    return form


@form("local_response_norm")
def local_response_norm(place: Place) -> IndexForm:
    """Write out y = x / d^β, d = k + α / n Σ x² over n channels around each."""
    x, given = place.inputs[0], letters_for(place.inputs[0].data.shape)
    n, c, *pixel = given
    size, alpha, beta, k = (place.settings[name] for name in ("size", "alpha", "beta", "k"))
    t, s = letters("t s")

    def divisor(channel: Any) -> Expression:
        neighbour = x.padded(n, channel + t - size // 2, *pixel)
        return k + alpha / size * sum_over([(t, size)], neighbour**2)

    right = x[given] * Power(divisor(c), expression(-beta))
    form = IndexForm(Equation(given, right))
    if place.signals[0] is not None:
        other = c + s - (size - 1) // 2  # the channels whose window holds this one
        term = place.signal().padded(n, other, *pixel) * x.padded(n, other, *pixel)
        total = sum_over([(s, size)], term * Power(divisor(other), expression(-beta - 1)))
        own = place.signal()[given] * Power(divisor(c), expression(-beta))
        form.signals[0] = Equation(given, own - (2 * alpha * beta / size) * x[given] * total)
    return form
