"""The rules of the perceptron and of ADALINE, and what they are gradients of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.optim import Adaline, Perceptron

INPUTS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
TRUTH = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "nand": (1, 1, 1, 0), "xor": (0, 1, 1, 0)}
number = st.floats(-4.0, 4.0).map(lambda value: round(value, 3))


def examples(name):
    return list(zip(INPUTS, TRUTH[name], strict=True))


def values(neuron):
    return [parameter.item() for parameter in neuron.parameters()]


def with_values(kind, numbers, rate):
    neuron = kind(len(numbers) - 1, rate)
    for parameter, value in zip(neuron.parameters(), numbers, strict=True):
        parameter.data = value
    return neuron


def descended(neuron, x, d):
    """Return the parameters after a step of gradient descent for the neuron's criterion."""
    neuron.criterion(x, d).backward()
    with no_grad():
        return [
            p.item() - neuron.rate * (p.grad.item() if p.grad is not None else 0.0)
            for p in neuron.parameters()
        ]


@given(st.lists(number, min_size=3, max_size=3), st.tuples(number, number), number)
def test_the_rule_of_adaline_is_a_gradient_step_of_the_squared_error(weights, x, d):
    neuron = with_values(Adaline, weights, 0.05)
    expected = descended(neuron, x, d)
    error = neuron.update(x, d)
    assert error == pytest.approx(d - np.dot(weights, [*x, 1.0]), abs=1e-12)
    assert values(neuron) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(
    st.lists(number, min_size=3, max_size=3), st.tuples(number, number), st.sampled_from([0.0, 1.0])
)
def test_the_rule_of_the_perceptron_is_a_gradient_step_of_its_criterion(weights, x, d):
    neuron = with_values(Perceptron, weights, 0.5)
    if abs(neuron.score(x).item()) < 1e-9:  # at the kink the answer decides
        return
    expected = descended(neuron, x, d)
    neuron.update(x, d)
    assert values(neuron) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_answer_of_a_perceptron_has_no_slope():
    neuron = with_values(Perceptron, [1.0, -2.0, 0.5], 1.0)
    x, step = (0.75, -1.0), 1e-6
    for parameter in neuron.parameters():
        before = neuron.answer(x)
        parameter.data = parameter.item() + step
        assert neuron.answer(x) == before
    assert isinstance(neuron.answer(x), float)  # a number: nothing to propagate through


@pytest.mark.parametrize("name", ["and", "or", "nand"])
@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_a_perceptron_learns_what_a_line_separates(name, rate):
    neuron = Perceptron(2, rate)
    epochs = 0
    while neuron.epoch(examples(name)):
        epochs += 1
        assert epochs < 20
    assert [neuron.answer(x) for x in INPUTS] == list(TRUTH[name])


def test_a_perceptron_never_stops_making_mistakes_on_xor():
    neuron = Perceptron(2)
    seen = set()
    for _ in range(50):
        assert neuron.epoch(examples("xor")) > 0
        state = tuple(values(neuron))
        if state in seen:  # it runs in a circle from here on
            break
        seen.add(state)
    else:
        pytest.fail("the weights do not run in a circle")


@pytest.mark.parametrize("name", ["and", "or"])
def test_adaline_comes_to_the_least_squares_solution(name):
    neuron = Adaline(2, rate=0.03)
    for _ in range(800):
        neuron.epoch(examples(name))
    columns = np.array([[*x, 1.0] for x in INPUTS])
    best, *_ = np.linalg.lstsq(columns, np.array(TRUTH[name], float), rcond=None)
    assert values(neuron) == pytest.approx(best, abs=0.04)
    assert [neuron.answer(x) > 0.5 for x in INPUTS] == [bool(d) for d in TRUTH[name]]


def test_the_best_that_adaline_can_do_on_xor_is_one_half():
    neuron = Adaline(2, rate=0.03)
    for _ in range(800):
        neuron.epoch(examples("xor"))
    assert [neuron.answer(x) for x in INPUTS] == pytest.approx([0.5] * 4, abs=0.04)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Perceptron(0), OptionError, "Perceptron: inputs is a positive integer; got 0"),
        (lambda: Adaline(2, rate=0), OptionError, "Adaline: rate is a number above 0; got 0"),
        (lambda: Adaline(2, rate="x"), OptionError, "rate is a number above 0; got 'x'"),
        (lambda: Perceptron(2).answer([1]), ShapeError, "an example has 2 numbers; got 1"),
        (lambda: Perceptron(1).criterion([1], 2), OptionError, "targets are 1 or -1"),
    ],
)
def test_what_makes_no_neuron_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
