"""Index forms of elements that work number by number, read off the text of their rules.

Where operands are of different shapes they broadcast: an axis of size one is repeated, and its
error signal is the sum over the repeats.
"""

import re

import numpy as np

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Condition,
    Expression,
    Number,
    apply,
    sum_over,
)
from tinygrad_cnn.explain.derivation.forms import (
    Equation,
    IndexForm,
    Letters,
    Place,
    form,
    letters_for,
    sizes,
)
from tinygrad_cnn.explain.derivation.rule_text import read_rule
from tinygrad_cnn.graph import Shape

# fmt: off
POINTWISE = (
    "abs", "add", "add_relu", "cast", "clone", "divide", "elu", "exp", "hardsigmoid", "identity",
    "leaky_relu", "log", "multiply", "negative", "power", "relu", "scaled_tanh", "sigmoid",
    "sqrt", "subtract", "tanh",
)
LOSSES = ("binary_cross_entropy_with_logits", "hinge_loss", "l1_loss", "mse_loss", "squared_error")
# fmt: on


def _aligned(array: Array, letters: Letters, shape: Shape) -> Expression:
    """Return the number of an operand that meets those at these letters of a full shape."""
    own = array.data.shape
    last = letters[len(letters) - len(own) :]
    return array[tuple(
        Number(0) if size == 1 and shape[-len(own) :][axis] != 1 else letter
        for axis, (letter, size) in enumerate(zip(last, own, strict=True))
    )]  # fmt: skip


@form(*POINTWISE, *LOSSES)
def pointwise(place: Place) -> IndexForm:
    """Read the rule with the numbers of all operands that meet at one place."""
    full = np.broadcast_shapes(*(each.data.shape for each in place.inputs))
    given = letters_for(full)
    out = place.outputs[0]
    symbols: dict[str, Expression] = {
        "m": Number(max(int(np.prod(full)), 1)),
        "N": Number(max(full[0] if full else 1, 1)),
    }
    for position, array in enumerate(place.inputs):
        symbols[place.rule.declared_symbol(position)] = _aligned(array, given, full)
    reduced = out.data.shape != full
    plain = out[()] if reduced else out[given]
    signal = place.signals[0]
    signals = {}
    # The output comes last: of `a = |a|` its symbol would be the input's.
    symbols.setdefault(place.rule.outputs[0], plain)
    for position, array in enumerate(place.inputs):
        text = place.rule.backward.get(place.rule.declared_symbol(position))
        if text is None or signal is None:
            continue
        symbols[f"δ{place.rule.outputs[0]}"] = signal[()] if reduced else signal[given]
        signals[position] = _summed(array, given, full, read_rule(text, symbols))
    forward = _forward_text(place.rule.forward)
    right = read_rule(forward.strip("Σ "), symbols)
    if reduced:
        return IndexForm(Equation((), sum_over(sizes(given, full), right)), signals)
    return IndexForm(Equation(given, right), signals)


@form("softplus")
def softplus(place: Place) -> IndexForm:
    """Write out a = log(1 + exp(β z)) / β, and a = z above a threshold of β z."""
    z, (beta, threshold) = place.inputs[0], place.settings["numbers"]
    given = letters_for(z.data.shape)
    here = z[given]
    above = Condition(beta * here, ">", Number(threshold))
    low = apply("min", here, threshold / beta)  # where the exponential is asked for
    smooth = apply("log", 1 + apply("exp", beta * low)) / beta
    form = IndexForm(Equation(given, (1 - above) * smooth + above * here))
    if place.signals[0] is not None:
        slope = (1 - above) / (1 + apply("exp", -beta * low)) + above
        form.signals[0] = Equation(given, place.signal()[given] * slope)
    return form


def _forward_text(text: str) -> str:
    """Write a squared norm as the sum that it is."""
    return re.sub(r"^(½?) ?‖(.*?)‖²(.*)$", r"Σ \1 (\2)²\3", text)


def _summed(array: Array, given: Letters, full: Shape, right: Expression) -> Equation:
    """Add up over the repeats of an operand."""
    own = array.data.shape
    skipped = len(full) - len(own)
    repeated = [
        (letter, size)
        for axis, (letter, size) in enumerate(sizes(given, full))
        if axis < skipped or (own[axis - skipped] == 1 and size != 1)
    ]
    return Equation(given[skipped:], sum_over(repeated, right) if repeated else right)
