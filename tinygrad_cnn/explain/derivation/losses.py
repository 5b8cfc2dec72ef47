"""Index forms of losses over classes, of softmax, and of distances to codes."""

import math
from typing import NamedTuple

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Condition,
    Expression,
    Number,
    Symbol,
    Value,
    apply,
    equals,
    expression,
    substituted,
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


class _Truth(NamedTuple):
    """What a likelihood is compared with: how much each class counts for an example."""

    label: Value
    weight: Array | None
    smoothing: float
    classes: int

    def of_label(self) -> Expression:
        """Return the weight of the label."""
        return expression(1) if self.weight is None else self.weight.padded(self.label)

    def of(self, k: Symbol) -> Expression:
        """Return the target t of a class: w_k ((1 - ε) [k = label] + ε / K)."""
        target = (1 - self.smoothing) * equals(k, self.label) + self.smoothing / self.classes
        return target if self.weight is None else self.weight[k] * target


@form("cross_entropy", "nll_loss")
def likelihood(place: Place) -> IndexForm:
    """Write out -log softmax(x)[label], added up or averaged over the examples.

    Classes may have weights, which the mean divides by; with smoothed labels each class counts.
    """
    x, labels, weight = place.inputs[0], place.inputs[1], place.input(2)
    shape = x.data.shape
    given = letters("n k i j")[: len(shape)] if len(shape) <= 4 else letters_for(shape)
    example = (given[0], *given[2:])
    label = labels[example]
    ignored = place.settings["ignore_index"]
    counts = labels.data != ignored
    there: Expression = expression(1)
    if not counts.all():
        there = Condition(label, "≠", Number(ignored))
    truth = _Truth(label, weight, place.settings.get("smoothing", 0.0), shape[1])
    loss, slope = _likelihood(place, truth, given)
    over, reduction = sizes(example, labels.data.shape), place.settings["reduction"]

    def divisor(letters: Letters) -> Expression:
        """Return what the mean divides by: the weights of the labels, or how many there are."""
        if reduction != "mean" or weight is None:
            return expression(int(counts.sum()) if reduction == "mean" else 1)
        by: dict[Symbol, Expression] = dict(zip(example, letters, strict=True))
        share = substituted(there * truth.of_label(), by)
        return sum_over(sizes(letters, labels.data.shape), share)

    if reduction == "none":
        form = IndexForm(Equation(example, there * loss))
    else:
        form = IndexForm(Equation((), sum_over(over, there * loss) / divisor(example)))
    if place.signals[0] is not None:
        signal = place.signal()[example if reduction == "none" else ()]
        right = signal * there * slope / divisor(primed(example))
        form.signals[0] = Equation(given, right)
    return form


def _likelihood(place: Place, truth: _Truth, given: Letters) -> tuple[Expression, Expression]:
    """Return the loss of one example, and its derivative by the score of a class."""
    x, k = place.inputs[0], given[1]
    softened = place.step.name == "cross_entropy"
    other = primed((k,))[0]
    every = [(other, truth.classes)]
    if truth.smoothing:
        target = truth.of(other)
        there = (given[0], other, *given[2:])
        loss = sum_over(every, target * (apply("log", _mass(x, given, 1)) - x[there]))
        if truth.weight is None:
            return loss, _probability(x, given, 1) - truth.of(k)
        return loss, _probability(x, given, 1) * sum_over(every, target) - truth.of(k)
    score = x.padded(given[0], truth.label, *given[2:])
    hit = equals(k, truth.label)
    if not softened:
        return -1 * truth.of_label() * score, -1 * truth.of_label() * hit
    loss = truth.of_label() * (apply("log", _mass(x, given, 1)) - score)
    return loss, truth.of_label() * (_probability(x, given, 1) - hit)


@form("multi_margin_loss")
def within_a_margin(place: Place) -> IndexForm:
    """Write out how much other classes come within a margin of the true one."""
    x, labels = place.inputs[0], place.inputs[1]
    n, k = letters("n k")
    (other,) = primed((k,))
    count, classes = x.data.shape
    margin, reduction = place.settings["margin"], place.settings["reduction"]
    label, divisor = labels[n], max(count, 1) if reduction == "mean" else 1
    excess = apply("max", 0, margin - x[n, label] + x[n, k])
    loss = sum_over([(k, classes)], excess, Condition(k, "≠", label)) / classes
    if reduction == "none":
        form = IndexForm(Equation((n,), loss))
    else:
        form = IndexForm(Equation((), sum_over([(n, count)], loss) / divisor))
    if place.signals[0] is not None:

        def short(of: Symbol) -> Condition:
            return Condition(margin - x[n, label] + x[n, of], ">", Number(0))

        others = sum_over([(other, classes)], short(other), Condition(other, "≠", label))
        slope = Condition(k, "≠", label) * short(k) - equals(k, label) * others
        signal = place.signal()[(n,) if reduction == "none" else ()]
        form.signals[0] = Equation((n, k), signal * slope / (classes * divisor))
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
