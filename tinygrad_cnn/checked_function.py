"""A function under test: its inputs and outputs, error signals for them, and its gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_cnn.differences import Array, values_of
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.variable import Variable


def refuse_inputs(operation: str, inputs: Sequence[Variable], single: bool = False) -> None:
    """Refuse what cannot be checked; `single` precision only where that is asked for."""
    for position, variable in enumerate(inputs):
        if not isinstance(variable, Variable):
            raise DTypeError(
                f"{operation}: inputs are Tensors and Scalars; got "
                f"{type(variable).__name__} as input {position}. Wrap it, or close over it: "
                "gradcheck(lambda x: f(x, option), x)"
            )
        if not variable.is_leaf:
            raise GraphError(
                f"{operation}: inputs are leaves; got the result of an element as input "
                f"{position}. Pass x.detach().requires_grad_()"
            )
        if not single and variable.dtype.kind == "f" and variable.dtype != np.float64:
            raise DTypeError(
                f"{operation}: differences of values with 7 digits show nothing, inputs are "
                f"float64; got {variable.dtype} as input {position}. Convert with .double()"
            )
    if not any(variable.requires_grad for variable in inputs):
        raise OptionError(
            f"{operation}: at least one input has requires_grad=True; got none of {len(inputs)}"
        )


class left_as_they_are:  # noqa: N801  # reads as a with-statement
    """Give the inputs back, after a ``with`` block, the state that they had before it."""

    def __init__(self, inputs: Sequence[Variable]) -> None:
        self._before = [(x, x._value, x._grad, x.grad_passes) for x in inputs]

    def __enter__(self) -> None:
        for variable, *_ in self._before:
            variable.grad = None

    def __exit__(self, *exception: object) -> None:
        for variable, value, grad, passes in self._before:
            variable._value = value
            variable._grad = grad
            variable.grad_passes = passes


def differentiable(operation: str, result: Any, single: bool = False) -> list[Variable]:
    """Return the outputs of a function that have a gradient."""
    outputs = list(result) if isinstance(result, tuple | list) else [result]
    for position, output in enumerate(outputs):
        if not isinstance(output, Variable):
            raise DTypeError(
                f"{operation}: the function returns Tensors and Scalars; got "
                f"{type(output).__name__} as output {position}"
            )
        if not single and output.dtype.kind == "f" and output.dtype != np.float64:
            raise DTypeError(
                f"{operation}: outputs are float64; got {output.dtype} as output {position}. "
                "Leave out conversions inside the function"
            )
    floats = [output for output in outputs if output.dtype.kind == "f"]
    if not floats:
        raise DTypeError(
            f"{operation}: an output has a gradient; got {len(outputs)} outputs, none of float64"
        )
    return floats


def cotangents_of(outputs: Sequence[Variable], generator: np.random.Generator) -> list[Variable]:
    """Draw an error signal for each output: of either sign, none of them near zero."""
    signals: list[Variable] = []
    for output in outputs:
        size = generator.uniform(0.5, 1.5, output.shape)
        drawn = size * generator.choice([-1.0, 1.0], output.shape)
        if isinstance(output, Scalar):
            signals.append(Scalar(float(drawn)))
        else:
            signals.append(Tensor(drawn.astype(output.dtype)))
    return signals


def names_of(inputs: Sequence[Variable]) -> list[str]:
    """Return how inputs are called: by their name, or else their place."""
    return [variable.name or f"input {position}" for position, variable in enumerate(inputs)]


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, or of its class."""
    return getattr(function, "__name__", type(function).__name__)


def label_of(function: Callable[..., Any], outputs: Sequence[Variable]) -> str:
    """Return the name of a function, and that of the element that made its first output."""
    creator = outputs[0].creator
    return name_of(function) + (f" (element {creator.name!r})" if creator is not None else "")


def grad_or_zeros(variable: Variable) -> Variable:
    """Return the gradient of a variable; zeros where no error signal reached it."""
    if variable.grad is not None:
        return variable.grad
    if isinstance(variable, Scalar):
        return Scalar(0.0)
    return Tensor.wrap(np.zeros(variable.shape, variable.dtype))


def gradients_by_backward(
    inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
) -> list[Array]:
    """Return the gradients that backward() leaves, and leave none."""
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if output.requires_grad:
            output.backward(cotangent, retain_graph=True)
    grads = [values_of(grad_or_zeros(variable)) for variable in inputs]
    for variable in inputs:
        variable.grad = None
    return grads
