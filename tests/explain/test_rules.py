"""The rules that elements declare are true: they are evaluated, and compared with the kernels."""

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS, FunctionElement
from tinygrad_cnn.elements import (
    absolute,
    activation,
    activation_rectifiers,
    activation_smooth,
    affine,
    arithmetic,
    loss_binary,
    loss_cross_entropy,
    loss_margin,
    loss_regression,
    powers,
)
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
    "relu": activation_rectifiers.ReluElement,
    "relu_grad": activation_rectifiers.ReluGradElement,
    "relu half": lambda: activation_rectifiers.ReluElement(0.5),
    "relu_grad_at_zero": activation_rectifiers.ReluGradAtZeroElement,
    "leaky_relu": activation_rectifiers.LeakyReluElement,
    "leaky_relu quarter": lambda: activation_rectifiers.LeakyReluElement(0.25),
    "leaky_relu_grad": activation_rectifiers.LeakyReluGradElement,
    "elu": activation_smooth.EluElement,
    "elu part": lambda: activation_smooth.EluElement(0.3),
    "elu_grad": activation_smooth.EluGradElement,
    "elu_grad part": lambda: activation_smooth.EluGradElement(0.3),
    "softplus": activation_smooth.SoftplusElement,
    "softplus sharp": lambda: activation_smooth.SoftplusElement(2.5),
    "softplus_grad": activation_smooth.SoftplusGradElement,
    "softplus_grad sharp": lambda: activation_smooth.SoftplusGradElement(2.5),
    "hardsigmoid": activation.HardsigmoidElement,
    "hardsigmoid steep": lambda: activation.HardsigmoidElement(0.75),
    "hardsigmoid_grad": activation.HardsigmoidGradElement,
    "abs": absolute.AbsoluteElement,
    "abs_grad": absolute.AbsoluteGradElement,
    "affine": affine.AffineElement,
    "affine_grad_input": affine.AffineGradInputElement,
    "affine_grad_weight": affine.AffineGradWeightElement,
    "mse_loss mean": lambda: loss_regression.MeanSquaredErrorElement("mean"),
    "mse_loss sum": lambda: loss_regression.MeanSquaredErrorElement("sum"),
    "mse_loss none": lambda: loss_regression.MeanSquaredErrorElement("none"),
    "squared_error sum": lambda: loss_regression.SquaredErrorElement("sum"),
    "squared_error mean": lambda: loss_regression.SquaredErrorElement("mean"),
    "l1_loss mean": lambda: loss_regression.L1LossElement("mean"),
    "l1_loss sum": lambda: loss_regression.L1LossElement("sum"),
    "l1_loss none": lambda: loss_regression.L1LossElement("none"),
    "hinge_loss mean": lambda: loss_margin.HingeLossElement("mean"),
    "hinge_loss none": lambda: loss_margin.HingeLossElement("none", 0.5),
    **{
        f"binary {reduction} {weighted} {pos_weighted}": functools.partial(
            loss_binary.BinaryCrossEntropyElement, reduction, weighted, pos_weighted
        )
        for reduction in ("mean", "sum", "none")
        for weighted in (False, True)
        for pos_weighted in (False, True)
    },
    "binary_grad": loss_binary.BinaryCrossEntropyGradElement,
}
# Those that are something else below zero.
ON_BOTH_SIDES = ("relu", "leaky", "elu", "softplus", "hardsigmoid", "abs", "l1", "hinge", "binary")
ON_ARRAYS = {
    "cross_entropy mean": lambda: loss_cross_entropy.CrossEntropyElement("mean"),
    "cross_entropy sum": lambda: loss_cross_entropy.CrossEntropyElement("sum"),
    "cross_entropy none": lambda: loss_cross_entropy.CrossEntropyElement("none"),
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
    (r"(\d) (\(|\[|min|max|exp)", r"\1*\2"),
    (r"\) \[", ")*["),
    (r"\[0 < (\{\w+\}) < 1\]", r"((0 < \1) & (\1 < 1))"),
    (r"\[([^\[\]]*?) ([<>]) ([\d.]+)\]", r"((\1) \2 \3)"),
    (r"\[(\{\w+\}) ≤ 0\]", r"(\1 <= 0)"),
    (r"\[(\{\w+\}) = 0\]", r"(\1 == 0)"),
    (r"\|(.*?)\|", r"abs(\1)"),
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
    functions |= {"min": np.minimum, "sign": np.sign, "abs": np.abs}
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
        symbols = element.rule.inputs
        if name == "binary_grad":
            symbols = symbols[:3]  # the last is an option
        # The output of a squashing function lies inside (0, 1), and so may every operand.
        values = [float(value) for value in generator.uniform(0.1, 0.9, len(symbols))]
        if name.startswith(ON_BOTH_SIDES):
            values = [value * float(generator.choice([-1.0, 1.0])) for value in values]
        if "t" in symbols:
            values[symbols.index("t")] = float(generator.choice([-1.0, 1.0]))
        inputs = [
            tg.Scalar(value, requires_grad=symbol in element.rule.backward)
            for symbol, value in zip(symbols, values, strict=True)
        ]
        output = element(*inputs)
        signal = float(generator.normal())
        output.backward(gradient=tg.Scalar(signal))
        said, signals = spoken(element, values, signal)
        assert float(said) == pytest.approx(float(output), rel=1e-12)
        for symbol, value in signals.items():
            received = inputs[element.rule.inputs.index(symbol)].grad
            assert received is not None
            assert float(received) == pytest.approx(float(value), rel=1e-12)


@pytest.mark.parametrize("name", [n for n in FORMULAS if n.startswith(("mse", "squared", "l1"))])
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
