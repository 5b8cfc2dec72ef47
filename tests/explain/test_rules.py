"""The rules that elements declare are true: they are evaluated, and compared with the kernels."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS, FunctionElement
from tinygrad_cnn.elements import activation, affine, arithmetic, loss, powers
from tinygrad_cnn.errors import OptionError

# Elements whose rule is a formula on numbers, made anew for each case.
FORMULAS: dict[str, Callable[[], FunctionElement]] = {
    "add": arithmetic.AddElement,
    "subtract": arithmetic.SubtractElement,
    "multiply": arithmetic.MultiplyElement,
    "divide": arithmetic.DivideElement,
    "power": powers.PowerElement,
    "negative": arithmetic.NegativeElement,
    "exp": powers.ExpElement,
    "log": powers.LogElement,
    "sqrt": powers.SquareRootElement,
    "sigmoid": activation.SigmoidElement,
    "sigmoid_grad": activation.SigmoidGradElement,
    "tanh": activation.TanhElement,
    "tanh_grad": activation.TanhGradElement,
    "scaled_tanh": activation.ScaledTanhElement,
    "scaled_tanh_grad": activation.ScaledTanhGradElement,
    "relu": activation.ReluElement,
    "relu_grad": activation.ReluGradElement,
    "affine": affine.AffineElement,
    "affine_grad_input": affine.AffineGradInputElement,
    "affine_grad_weight": affine.AffineGradWeightElement,
    "mse_loss mean": lambda: loss.MeanSquaredErrorElement("mean"),
    "mse_loss sum": lambda: loss.MeanSquaredErrorElement("sum"),
    "mse_loss none": lambda: loss.MeanSquaredErrorElement("none"),
    "squared_error sum": lambda: loss.SquaredErrorElement("sum"),
    "squared_error mean": lambda: loss.SquaredErrorElement("mean"),
}
ON_ARRAYS = {
    "cross_entropy mean": lambda: loss.CrossEntropyElement("mean"),
    "cross_entropy sum": lambda: loss.CrossEntropyElement("sum"),
    "cross_entropy none": lambda: loss.CrossEntropyElement("none"),
}

_SPELLING = (
    ("∘", "*"),
    ("·", "*"),
    ("½", "0.5*"),
    ("ᵀ", ""),
    (r"‖(.*?)‖²", r"total((\1)**2)"),
    (r"\((.*?)\)²", r"(\1)**2"),
    (r"(\{\w+\})²", r"(\1)**2"),
    (r"\^", "**"),
    (r"√(\{\w+\})", r"sqrt(\1)"),
    (r"2/3 ", "2/3*"),
    (r"4/3 ", "4/3*"),
    (r"1\.7159 tanh", "1.7159*tanh"),
    (r"(\d)\{", r"\1*{"),
    (r"(\d) \{", r"\1*{"),
    (r"2/3\*\(", "2/3*("),
    (r"\[(\{\w+\}) > 0\]", r"(\1 > 0)"),
)


def evaluate(template: str, values: Mapping[str, Any], sizes: Mapping[str, float]) -> Any:
    """Read a rule as a formula, with values in place of its symbols."""
    text = template
    for pattern, replacement in _SPELLING:
        text = re.sub(pattern, replacement, text)
    if (found := re.match(r"Σ (.*?)( / [mN])?$", text)) is not None:
        text = f"total({found[1]}){found[2] or ''}"
    symbols = {f"{{{symbol}}}": f"v{k}" for k, symbol in enumerate(values)}
    for symbol, variable in symbols.items():
        text = text.replace(symbol, variable)
    names = {f"v{k}": value for k, value in enumerate(values.values())}
    functions = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "max": np.maximum}
    return eval(text, {"__builtins__": {}}, {**names, **functions, **sizes, "total": np.sum})


def spoken(element: FunctionElement, values: list[Any], signal: Any) -> tuple[Any, dict[str, Any]]:
    """Return what the element's rule says: the output, and the error signal of each input."""
    rule, sizes = element.rule, {"m": np.size(values[0]), "N": len(np.atleast_1d(values[0]))}
    named = dict(zip(rule.inputs, values, strict=False))
    named[rule.outputs[0]] = evaluate(rule.forward, named, sizes)
    named[f"δ{rule.outputs[0]}"] = signal
    signals = {
        s: evaluate(rule.backward[s], named, sizes) for s in rule.inputs if s in rule.backward
    }
    return named[rule.outputs[0]], signals


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_a_rule_says_on_numbers_what_the_element_does(
    name: str, generator: np.random.Generator
) -> None:
    for _ in range(5):
        element = FORMULAS[name]()
        count = len(element.rule.inputs)
        # The output of a squashing function lies inside (0, 1), and so may every operand.
        values = [float(value) for value in generator.uniform(0.1, 0.9, count)]
        inputs = [tg.Scalar(value, requires_grad=True) for value in values]
        output = element(*inputs)
        signal = float(generator.normal())
        output.backward(gradient=tg.Scalar(signal))
        said, signals = spoken(element, values, signal)
        assert float(said) == pytest.approx(float(output), rel=1e-12)
        for symbol, value in signals.items():
            received = inputs[element.rule.inputs.index(symbol)].grad
            assert received is not None
            assert float(received) == pytest.approx(float(value), rel=1e-12)


@pytest.mark.parametrize("name", [n for n in FORMULAS if "mse" in n or "squared" in n])
def test_the_rule_of_a_loss_says_what_its_reduction_does(
    name: str, generator: np.random.Generator
) -> None:
    element = FORMULAS[name]()
    values = [generator.normal(size=(4, 3)) for _ in range(2)]
    inputs = [tg.Tensor(value, requires_grad=True) for value in values]
    output = element(*inputs)
    signal = generator.normal(size=output.shape)
    output.backward(gradient=tg.Tensor(signal))
    said, signals = spoken(element, values, signal)
    np.testing.assert_allclose(said, output.numpy(), rtol=1e-12)
    for variable, value in zip(inputs, signals.values(), strict=True):
        np.testing.assert_allclose(variable.grad.numpy(), value, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(ON_ARRAYS))
def test_the_rule_of_cross_entropy_says_what_its_reduction_does(
    name: str, generator: np.random.Generator
) -> None:
    element = ON_ARRAYS[name]()
    scores, labels = generator.normal(size=(4, 3)), np.array([0, 2, 1, 1])
    x = tg.Tensor(scores, requires_grad=True)
    output = element(x, tg.Tensor(labels))
    signal = generator.normal(size=output.shape)
    output.backward(gradient=tg.Tensor(signal))
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    picked = -np.log(probabilities[np.arange(4), labels])
    forward = element.rule.forward.replace("-log softmax({x})[{labels}]", "{p}")
    said = evaluate(forward, {"p": picked}, {"N": 4})
    np.testing.assert_allclose(said, output.numpy(), rtol=1e-12)
    backward = element.rule.backward["x"].replace("(softmax({x}) - onehot({labels}))", "{d}")
    each = signal[:, None] if signal.ndim else signal
    values = {"δL": each, "d": probabilities - np.eye(3)[labels]}
    np.testing.assert_allclose(evaluate(backward, values, {"N": 4}), x.grad.numpy(), rtol=1e-12)


def test_evaluating_a_wrong_rule_is_noticed() -> None:
    element = activation.SigmoidElement()
    assert evaluate("1 / (1 + exp(-{z}))", {"z": 0.0}, {}) == 0.5
    assert math.isclose(evaluate("{δa} ∘ {a} ∘ (1 + {a})", {"δa": 1.0, "a": 0.5}, {}), 0.75)
    assert element.rule.backward["z"] == "{δa} ∘ {a} ∘ (1 - {a})"


def test_the_list_holds_every_element_with_its_rule_and_convention() -> None:
    text, latex = tg.explain.rules(), tg.explain.rules("latex")
    for name, element in ELEMENTS.items():
        assert f"{name}: " in text
        assert element.rule.forward_text() in text
        assert f"### {name}\n" in latex
        assert f"$${element.rule.latex}$$" in latex
        if element.convention:
            assert element.convention in text
            assert element.convention in latex


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(OptionError, match="form is one of text, latex; got 'html'"):
        tg.explain.rules("html")


def test_a_story_states_the_convention_of_an_element_that_has_one() -> None:
    x = tg.Tensor([1.0, -1.0], requires_grad=True)
    with tg.explain.record():
        y = F.relu(x).sum()
    assert "note: relu: the derivative at z = 0 is 0" in tg.explain.story(y)
