"""Index forms of losses over classes, of softmax, and of normalisation."""

import math

import numpy as np

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Condition,
    Expression,
    Number,
    apply,
    equals,
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


def _probability(x: Array, given: Letters, axis: int) -> Expression:
    """Return exp(x[k]) / Σ_l exp(x[l]) along an axis."""
    return apply("exp", x[given]) / _mass(x, given, axis)


def _mass(x: Array, given: Letters, axis: int) -> Expression:
    (other,) = primed((given[axis],))
    index = (*given[:axis], other, *given[axis + 1 :])
    return sum_over([(other, x.data.shape[axis])], apply("exp", x[index]))


@form("cross_entropy", "nll_loss")
def likelihood(place: Place) -> IndexForm | None:
    """Write out -log softmax(x)[label], added up or averaged over the examples."""
    if place.input(2) is not None or place.settings.get("smoothing", 0.0):
        return None  # weighted classes and smoothed labels
    x, labels = place.inputs[0], place.inputs[1]
    shape = x.data.shape
    given = letters("n k i j")[: len(shape)] if len(shape) <= 4 else letters_for(shape)
    example = (given[0], *given[2:])
    label = labels[example]
    ignored = place.settings["ignore_index"]
    counts = labels.data != ignored
    there: Expression = expression(1)
    if not counts.all():
        there = Condition(label, "≠", Number(ignored))
    reduction = place.settings["reduction"]
    divisor = max(int(counts.sum()), 1) if reduction == "mean" else 1
    at_label = (given[0], label, *given[2:])
    score = x.padded(*at_label)
    if place.step.name == "cross_entropy":
        loss = apply("log", _mass(x, given, 1)) - score
        slope = _probability(x, given, 1) - equals(given[1], label)
    else:
        loss, slope = -score, -equals(given[1], label)
    over = sizes(example, labels.data.shape)
    if reduction == "none":
        form = IndexForm(Equation(example, there * loss))
    else:
        form = IndexForm(Equation((), sum_over(over, there * loss) / divisor))
    if place.signals[0] is not None:
        signal = place.signal()[example if reduction == "none" else ()]
        form.signals[0] = Equation(given, signal * there * slope / divisor)
    return form


@form("softmax")
def probabilities(place: Place) -> IndexForm:
    """Write out y = exp(x) / Σ exp(x) along an axis."""
    x, y, axis = place.inputs[0], place.outputs[0], place.settings["dim"]
    given = letters_for(x.data.shape)
    form = IndexForm(Equation(given, _probability(x, given, axis)))
    if place.signals[0] is not None:
        (other,) = primed((given[axis],))
        index = (*given[:axis], other, *given[axis + 1 :])
        total = sum_over([(other, x.data.shape[axis])], place.signal()[index] * y[index])
        form.signals[0] = Equation(given, y[given] * (place.signal()[given] - total))
    return form


@form("log_softmax")
def log_probabilities(place: Place) -> IndexForm:
    """Write out y = x - log Σ exp(x) along an axis."""
    x, y, axis = place.inputs[0], place.outputs[0], place.settings["dim"]
    given = letters_for(x.data.shape)
    form = IndexForm(Equation(given, x[given] - apply("log", _mass(x, given, axis))))
    if place.signals[0] is not None:
        (other,) = primed((given[axis],))
        index = (*given[:axis], other, *given[axis + 1 :])
        total = sum_over([(other, x.data.shape[axis])], place.signal()[index])
        right = place.signal()[given] - apply("exp", y[given]) * total
        form.signals[0] = Equation(given, right)
    return form


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
    if place.signals[0] is None:
        return form
    here, there = place.through(*given), place.through(*inner)
    along = sum_over(over, there * normalised(inner))
    centred = here - sum_over(over, there) / m - normalised(given) * along / m
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
