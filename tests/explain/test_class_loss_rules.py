"""The rules of the losses of classes are true: they are evaluated over a batch of scores."""

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.elements.loss import ClassLossElement
from tinygrad_cnn.elements.loss_cross_entropy import CrossEntropyElement
from tinygrad_cnn.elements.loss_likelihood import NLLLossElement
from tinygrad_cnn.elements.loss_rbf import RBFLossElement

REDUCTIONS = ("mean", "sum", "none")
LABELS = np.array([0, 2, 1, 1])

ELEMENTS: dict[str, Callable[[], ClassLossElement]] = {
    **{
        f"cross_entropy {reduction} weighted={weighted} smoothing={smoothing}": (
            lambda r=reduction, w=weighted, s=smoothing: CrossEntropyElement(r, -100, s, w)
        )
        for reduction, weighted, smoothing in product(REDUCTIONS, (False, True), (0.0, 0.1))
    },
    **{
        f"nll_loss {reduction} weighted={weighted}": (
            lambda r=reduction, w=weighted: NLLLossElement(r, -100, w)
        )
        for reduction, weighted in product(REDUCTIONS, (False, True))
    },
    **{
        f"rbf_loss {reduction} j={j}": lambda r=reduction, j=j: RBFLossElement(r, j)
        for reduction, j in product(REDUCTIONS, (0.1, 2.0))
    },
}

_SPELLING = (
    ("∘", "*"),
    (r"log softmax\(\{x\}\)\[\{labels\}\]", "at_label(logarithms)"),
    (r"log softmax\(\{x\}\)", "logarithms"),
    (r"softmax\(\{x\}\)", "exp(logarithms)"),
    (r"onehot\(\{labels\}\)", "hot"),
    (r"\{weight\}\[\{labels\}\]", "at_label(weight)"),
    (r"\{weight\}", "weight"),
    (r"\{[xs]\}\[\{labels\}\]", "at_label(scores)"),
    (r"\{[xs]\}", "scores"),
    (r"\{δL\}", "signal"),
    (r"(exp\(-[\d.]+\)|log\(.*?\)) hot", r"\1*hot"),
    (r"([\d.]+) hot", r"\1*hot"),
    (r"Σ_k (t \* logarithms|t|exp\(scores\))", r"row(\1)"),
    (r"\) (row)", r")*\1"),
)


def evaluate(template: str, names: dict[str, Any]) -> Any:
    """Read a rule as a formula over a batch; what stands behind a comma is a definition."""
    formula, _, definition = template.partition(", ")
    for pattern, replacement in _SPELLING:
        formula = re.sub(pattern, replacement, formula)
        definition = re.sub(pattern, replacement, definition)
    if definition:
        symbol, _, meaning = definition.partition(" = ")
        names = names | {symbol: eval(meaning, {"__builtins__": {}}, names)}
    formula = re.sub(r"/ Σ (.*)$", r"/ total(\1)", formula)
    formula = re.sub(r"^Σ (.*?)( / (N|total\(.*\)))?$", r"total(\1)\2", formula)
    return eval(formula, {"__builtins__": {}}, names)


@pytest.mark.parametrize("name", sorted(ELEMENTS))
def test_the_rule_of_a_loss_of_classes_says_what_it_does(
    name: str, generator: np.random.Generator
) -> None:
    element = ELEMENTS[name]()
    scores, weight = generator.normal(size=(4, 3)), np.array([0.5, 2.0, 1.25])
    x = tg.Tensor(scores, requires_grad=True)
    weighted = "weight" in element.rule.inputs
    output = element(x, tg.Tensor(LABELS), *[tg.Tensor(weight)] * weighted)
    signal = generator.normal(size=output.shape)
    output.backward(gradient=tg.Tensor(signal))
    names = {
        "scores": scores,
        "logarithms": scores - np.log(np.exp(scores).sum(1, keepdims=True)),
        "weight": np.broadcast_to(weight, scores.shape),
        "hot": np.eye(3)[LABELS],
        "signal": signal[:, None] if signal.ndim else signal,
        "at_label": lambda values: np.take_along_axis(values, LABELS[:, None], 1),
        "row": lambda values: values.sum(1, keepdims=True),
        "total": np.sum,
        "exp": np.exp,
        "log": np.log,
        "N": 4,
        "K": 3,
    }
    symbol = element.rule.inputs[0]
    said = evaluate(element.rule.forward, names)
    np.testing.assert_allclose(np.reshape(said, output.shape), output.numpy(), rtol=1e-12)
    signals = evaluate(element.rule.backward[symbol], names)
    np.testing.assert_allclose(signals, x.grad.numpy(), rtol=1e-12, atol=1e-15)
