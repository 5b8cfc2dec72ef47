"""Index forms of losses over classes, of softmax, and of distances to codes."""

import math

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


@form("rbf_loss")
def with_rubbish(place: Place) -> IndexForm:
    """Write out cross entropy with one more class of constant score -j."""
    s, labels = place.inputs[0], place.inputs[1]
    n, k = letters("n k")
    reduction, rubbish = place.settings["reduction"], math.exp(-place.settings["j"])
    divisor = max(labels.data.size, 1) if reduction == "mean" else 1
    mass = rubbish + _mass(s, (n, k), 1)
    loss = apply("log", mass) - s[n, labels[n]]
    if reduction == "none":
        form = IndexForm(Equation((n,), loss))
    else:
        form = IndexForm(Equation((), sum_over([(n, labels.data.size)], loss) / divisor))
    if place.signals[0] is not None:
        slope = apply("exp", s[n, k]) / mass - equals(k, labels[n])
        signal = place.signal()[(n,) if reduction == "none" else ()]
        form.signals[0] = Equation((n, k), signal * slope / divisor)
    return form


@form("squared_distances")
def distances(place: Place) -> IndexForm:
    """Write out y = ‖x - w‖² for each vector and each code."""
    x, weight = place.inputs[0], place.inputs[1]
    n, k, d = letters("n k d")
    difference = x[n, d] - weight[k, d]
    form = IndexForm(Equation((n, k), sum_over([(d, x.data.shape[1])], difference**2)))
    if place.signals[0] is not None:
        signal = place.signal()[n, k]
        over_codes, over_batch = [(k, weight.data.shape[0])], [(n, x.data.shape[0])]
        form.signals[0] = Equation((n, d), 2 * sum_over(over_codes, signal * difference))
        form.signals[1] = Equation((k, d), -2 * sum_over(over_batch, signal * difference))
    return form
