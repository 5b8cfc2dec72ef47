"""What gradients as return values, and checkpoints, refuse."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError, ShapeError

from .row import Refusal, leaf, refusal, zeros

grad, hvp, checkpoint = tg.grad, tg.hessian_vector_product, tg.checkpoint


def walked_twice() -> None:
    w = leaf(2)
    loss = (w * w).sum()
    grad(loss, w)
    grad(loss, w)


def changed_before_the_second_run() -> None:
    x, w = tg.Tensor([1.0, 2.0], name="x"), leaf(2)
    loss = checkpoint(lambda x, w: (x * w).sum(), x, w)
    x[0] = 5.0
    loss.backward()


def a_constant_changed_between_the_runs() -> None:
    constant, w = tg.Tensor([2.0, 2.0]), tg.Tensor([1.0, 1.0], requires_grad=True)
    loss = checkpoint(lambda w: w * constant, w).sum()
    constant[...] = 50.0
    loss.backward()


def running_averages_changed_between_the_runs() -> None:
    norm, x = tg.nn.BatchNorm1d(2).eval(), tg.Tensor([[1.0, 2.0]], requires_grad=True)
    loss = checkpoint(norm, x).sum()
    norm.running_var[...] = 99.0
    loss.backward()


def the_mode_of_a_hidden_module_changed_between_the_runs() -> None:
    dropout, x = tg.nn.Dropout(0.5), tg.ones(64).requires_grad_()
    loss = checkpoint(lambda x: dropout(x), x).sum()
    dropout.eval()
    loss.backward()


def a_generator_went_on_between_the_runs() -> None:
    generator, x = np.random.default_rng(0), tg.ones(64).requires_grad_()
    dropout = tg.functional.dropout
    checkpoint(lambda x: dropout(x, generator=generator), x).sum().backward()


def another_result_in_the_second_run(*results: Any) -> Callable[[], None]:
    def walk() -> None:
        rest = list(results)
        checkpoint(lambda x: rest.pop(0)(x), leaf(2)).sum().backward()

    return walk


def undeclared() -> Any:
    w = leaf(2)
    return checkpoint(lambda x: x * w, zeros(2))


REFUSALS: tuple[Refusal, ...] = (
    refusal("grad-of-nothing", lambda: grad([], leaf(2)), OptionError, "there are outputs"),
    refusal("grad-by-nothing", lambda: grad(leaf(2).sum(), []), OptionError, "there are inputs"),
    refusal("grad-of-array", lambda: grad(leaf(2).sum(), np.ones(2)), DTypeError,
            "grad: .*got float64"),
    refusal("grad-of-none", lambda: grad(None, leaf(2)), DTypeError, "grad: .*got NoneType"),
    refusal("grad-by-number", lambda: grad(leaf(2).sum(), 3), DTypeError, "grad: .*got int"),
    refusal("grad-signal-number", lambda: grad(leaf(2) * 2, leaf(2), 1.0), DTypeError,
            "error signal of output 0 .*got float"),
    refusal("grad-signal-array", lambda: grad(leaf(2) * 2, leaf(2), np.ones(2)), DTypeError,
            "error signal of output 0 .*got ndarray"),
    refusal("grad-constant-output", lambda: grad(zeros(), leaf(2)), GraphError,
            r"output 0 of shape \(\) that does not"),
    refusal("grad-constant-input", lambda: grad(leaf(2).sum(), zeros(3)), GraphError,
            r"input 0 of shape \(3,\) that does not"),
    refusal("grad-unused", lambda: grad(leaf(2).sum(), leaf(3)), GraphError,
            r"no error signal for input 0 'w' of shape \(3,\).*allow_unused=True"),
    refusal("grad-many-elements", lambda: grad(leaf(2) * 2, leaf(2)), GraphError,
            r"grad: only a one-element .*grad_outputs="),
    refusal("grad-signals", lambda: grad(leaf(2) * 2, leaf(2), [zeros(2), None]), OptionError,
            "got 2 for 1"),
    refusal("grad-signal-shape", lambda: grad(leaf(2) * 2, leaf(2), zeros(3)), ShapeError,
            r"error signal of output 0 .*got \(3,\) for \(2,\)"),
    refusal("grad-twice", walked_twice, GraphError, "freed by its first walk"),
    refusal("hvp-function", lambda: hvp(3, leaf(2), zeros(2)), DTypeError,
            "hessian_vector_product: it takes a function; got int"),
    refusal("hvp-vectors", lambda: hvp(lambda x: x.sum(), leaf(2), [zeros(2), zeros(2)]),
            OptionError, "got 2 vectors for 1"),
    refusal("hvp-shape", lambda: hvp(lambda x: x.sum(), leaf(2), zeros(3)), ShapeError,
            r"vector 0 .*got \(3,\) for \(2,\)"),
    refusal("hvp-number", lambda: hvp(lambda x: 3.0, leaf(2), zeros(2)), DTypeError, "got float"),
    refusal("checkpoint-function", lambda: checkpoint(None, leaf(2)), DTypeError,
            "checkpoint: it takes a function; got NoneType"),
    refusal("checkpoint-fewer", another_result_in_the_second_run(
                lambda x: x * x, lambda x: (x, x)), GraphError,
            r"second run .*got shapes \[\(2,\), \(2,\)\], not \[\(2,\)\]"),
    refusal("checkpoint-smaller", another_result_in_the_second_run(
                lambda x: x * x, lambda x: x.sum()), GraphError,
            r"second run .*got shapes \[\(\)\], not \[\(2,\)\]"),
    refusal("checkpoint-constant", a_constant_changed_between_the_runs, GraphError,
            "checkpoint: .*second run .*got other values"),
    refusal("checkpoint-averages", running_averages_changed_between_the_runs, GraphError,
            "got other values.* a running average"),
    refusal("checkpoint-mode", the_mode_of_a_hidden_module_changed_between_the_runs, GraphError,
            "got other values.* the mode of a module"),
    refusal("checkpoint-generator", a_generator_went_on_between_the_runs, GraphError,
            "got other values.* a generator of your own"),
    refusal("checkpoint-half-segments", lambda: tg.checkpoint_sequential([abs, abs], 1.5, leaf(2)),
            OptionError, "got 1.5 for 2"),
    refusal("checkpoint-no-functions", lambda: tg.checkpoint_sequential([1, 2], 2, leaf(2)),
            DTypeError, "checkpoint_sequential: it takes a function; got int"),
    refusal("checkpoint-nothing", lambda: checkpoint(lambda: 1), OptionError,
            "neither an input nor a parameter"),
    refusal("checkpoint-number", lambda: checkpoint(lambda x: 3.0, leaf(2)), DTypeError,
            "checkpoint: the function returns .*got float as output 0"),
    refusal("checkpoint-undeclared", undeclared, GraphError,
            r"got w of shape \(2,\) that multiply reads besides.*parameters="),
    refusal("checkpoint-changed", changed_before_the_second_run, GraphError,
            "checkpoint saved 'x' .*changed in place"),
    refusal("checkpoint-segments", lambda: tg.checkpoint_sequential([], 1, leaf(2)), OptionError,
            "got 1 for 0"),
    refusal("saved-bytes", lambda: tg.saved_bytes(3), DTypeError, "got int"),  # type: ignore[arg-type]
)  # fmt: skip
