"""What the graph and its walk backward refuse."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.element import ELEMENTS, FunctionElement
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError, ShapeError
from tinygrad_cnn.rule import Rule

from .row import Refusal, ints, leaf, refusal, zeros


class AnswersTooMuch(FunctionElement):
    """An element whose backward gives two signals for one input."""

    rule = Rule(("x",), ("y",), "{x}", {"x": "{δy}"})

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, signal: Any) -> Any:
        return signal, signal


class AnswersInTheWrongShape(AnswersTooMuch):
    def backward(self, signal: Any) -> Any:
        return signal.sum()


class WithoutDerivative(AnswersTooMuch):
    backward = FunctionElement.backward


def backward_twice() -> None:
    loss = (leaf(2) * 2).sum()
    loss.backward()
    loss.backward()


def set_requires_grad_inside() -> None:
    (leaf(2) * 2).requires_grad = True


def set_grad(variable: Any, grad: Any) -> Callable[[], None]:
    return lambda: setattr(variable, "grad", grad)


def register_twice() -> None:
    class Second(FunctionElement, name="relu"):
        pass


def call_twice() -> None:
    element = ELEMENTS["exp"]()
    element(leaf(1))
    element(leaf(1))


def change_what_was_saved() -> None:
    x = tg.Tensor([1.0, 2.0], name="x")
    loss = (leaf(2) * x).sum()
    x[0] = 5.0
    loss.backward()


REFUSALS: tuple[Refusal, ...] = (
    refusal("nothing-recorded", lambda: zeros().sum().backward(), GraphError, "requires_grad=True"),
    refusal("many-elements", lambda: (leaf(2) * 2).backward(), GraphError,
            r"one-element value .*got shape \(2,\).*gradient="),
    refusal("gradient-shape", lambda: (leaf(2) * 2).backward(zeros(3)), ShapeError,
            r"got \(3,\) for \(2,\)"),
    refusal("gradient-type", lambda: (leaf(2) * 2).backward(zeros(2, dtype=np.float64)), DTypeError,
            "float64 for Tensor of float32"),
    refusal("gradient-kind", lambda: (leaf(2) * 2).backward(np.ones(2)), DTypeError, "got ndarray"),
    refusal("twice", backward_twice, GraphError, r"freed by its first walk.*retain_graph=True"),
    refusal("requires-grad-inside", set_requires_grad_inside, GraphError,
            "on leaves only; got the result of 'multiply'"),
    refusal("requires-grad-integers", lambda: ints(2).requires_grad_(), DTypeError, "int64"),
    refusal("retain-grad", lambda: zeros(2).retain_grad(), GraphError, r"shape \(2,\)"),
    refusal("grad-shape", set_grad(leaf(2), zeros(3)), ShapeError, r"grad: .*\(3,\) for \(2,\)"),
    refusal("grad-type", set_grad(leaf(2), zeros(2, dtype=np.float64)), DTypeError,
            "grad: .*got Tensor of float64 for Tensor of float32"),
    refusal("grad-array", set_grad(leaf(2), np.ones(2)), DTypeError, "grad: .*got ndarray"),
    refusal("grad-number", set_grad(tg.Scalar(1.0), 3), DTypeError, "grad: .*got int .*for Scalar"),
    refusal("grad-kind", set_grad(tg.Tensor(np.zeros(())), tg.Scalar(1.0)), DTypeError,
            "got Scalar of float64 for Tensor of float64"),
    refusal("changed-in-place", change_what_was_saved, GraphError,
            r"multiply saved 'x' .*in place since \(1 times\)"),
    refusal("called-twice", call_twice, GraphError, "recorded once; got a second .*ExpElement"),
    refusal("registered-twice", register_twice, OptionError, "second 'relu'"),
    refusal("no-derivative", lambda: WithoutDerivative()(leaf(1)).backward(), GraphError,
            r"has no derivative.*detach\(\)"),
    refusal("answers-too-much", lambda: AnswersTooMuch()(leaf(1)).backward(), GraphError,
            "got 2 for 1"),
    refusal("answers-in-the-wrong-shape", lambda: AnswersInTheWrongShape()(leaf(1)).backward(),
            GraphError, r"got \(\) for \(1,\)"),
)  # fmt: skip
