"""Concatenate and stack, and the two elements that cross between scalars and tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_cnn.device import CPU, SCALAR, SHAPES
from tinygrad_cnn.element import ArrayElement, FunctionElement
from tinygrad_cnn.elements.arithmetic import CastElement
from tinygrad_cnn.elements.index import IndexElement
from tinygrad_cnn.elements.requirements import normalise_axis, require_variables
from tinygrad_cnn.elements.shape import unsqueeze
from tinygrad_cnn.errors import DeviceError, DTypeError, OptionError, ShapeError
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class ConcatenateElement(ArrayElement, name="concatenate"):
    """Join along an axis."""

    rule = Rule(
        ("x", "..."),
        ("y",),
        "[{x}; …] joined",
        {"x": "its part of {δy}"},
        r"y = [x_1; x_2; \dots]",
        {"x": r"\delta(x_k) = \delta(y)_{\text{part } k}"},
    )

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def options(self) -> dict[str, Any]:
        return {"dim": self.dim}

    def check(self, *inputs: Variable) -> None:
        self.dim = normalise_axis("concatenate", self.dim, len(inputs[0].shape))
        rest = {(*x.shape[: self.dim], *x.shape[self.dim + 1 :]) for x in inputs}
        if len(rest) > 1:
            raise ShapeError(
                f"concatenate: sizes are equal but along dim {self.dim}; got "
                f"{', '.join(str(x.shape) for x in inputs)}"
            )
        if len({x.dtype for x in inputs}) > 1:
            raise DTypeError(
                "concatenate: all inputs have one type; got "
                f"{', '.join(str(x.dtype) for x in inputs)}"
            )

    def forward(self, *values: Any) -> Any:
        if self.dim != 1 or not all(map(layout.is_channels_last, values)):
            return self.device.xp.concatenate(values, axis=self.dim)
        n, _, h, w = values[0].shape
        shape = n, sum(x.shape[1] for x in values), h, w
        out = self.device.empty_activation(shape, values[0].dtype)
        arrays = map(layout.channels_last, (*values, out))
        self.device.kernel("join_channels", out.dtype).function(*arrays)
        return out

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        parts: list[Variable | None] = []
        begin = 0
        for node, wanted in zip(self.inputs, self.wanted, strict=True):
            end = begin + node.shape[self.dim]
            key = (*(slice(None),) * self.dim, slice(begin, end))
            parts.append(IndexElement(key)(signal) if wanted else None)
            begin = end
        return tuple(parts)


class StackScalarsElement(FunctionElement, name="stack_scalars"):
    """Join scalars to a tensor of one axis: the way from floats to arrays."""

    rule = Rule(
        ("x", "..."),
        ("y",),
        "[{x}, …]",
        {"x": "its element of {δy}"},
        r"y = [x_1, x_2, \dots]",
        {"x": r"\delta(x_k) = \delta(y)_k"},
    )
    destination = CPU

    def forward(self, *values: float) -> Any:
        return np.array(values)

    def backward(self, signal: Variable) -> tuple[Variable, ...]:
        return UnstackScalarsElement()(signal)


class UnstackScalarsElement(FunctionElement, name="unstack_scalars"):
    """Take a tensor of one axis apart into scalars: the way from arrays to floats."""

    rule = Rule(
        ("x",),
        ("y", "..."),
        "{x}[k]",
        {"x": "[{δy}, …]"},
        r"y_k = x_k",
        {"x": r"\delta(x) = [\delta(y_1), \delta(y_2), \dots]"},
    )
    destination = SCALAR

    def check(self, x: Variable) -> None:
        if len(x.shape) != 1:
            raise ShapeError(
                f"scalars: a tensor of one axis is taken apart; got shape {x.shape}. "
                "Use tensor.reshape(-1).scalars()"
            )
        if x.device == SHAPES.name:
            raise DeviceError(
                "scalars: values are read from memory; got a tensor of shape "
                f"{x.shape} on 'shapes', which has a shape and no values"
            )

    def forward(self, x: Any) -> tuple[float, ...]:
        return tuple(float(value) for value in x)

    def backward(self, *signals: Variable | None) -> Variable:
        present = [SCALAR.variable(0.0) if signal is None else signal for signal in signals]
        stacked: Variable = StackScalarsElement()(*present)
        dtype = self.inputs[0].dtype
        if stacked.dtype != dtype:
            stacked = CastElement(dtype)(stacked)
        return stacked


# -- functions -----------------------------------------------------------------------


def concatenate(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Join tensors along an existing axis: ``y = [x_1; x_2; …]``.

    Parameters
    ----------
    tensors : sequence of Tensor, shapes equal but along `dim`
        At least one.
    dim : int
        The axis; the first by default.

    Returns
    -------
    Tensor, shape of the first with the sizes along `dim` added up

    Raises
    ------
    ShapeError
        If the axis does not exist, or other sizes differ.
    DTypeError
        If one of them is no Tensor, or the types differ.
    OptionError
        If there is none, or `dim` is no integer.

    Notes
    -----
    ``δ(x_k)`` is the part of ``δ(y)`` that came from x_k.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.concatenate([tg.Tensor([1.0]), tg.Tensor([2.0, 3.0])]).tolist()
    [1.0, 2.0, 3.0]
    """
    if not tensors:
        raise OptionError("concatenate: at least one tensor is joined; got none")
    return ConcatenateElement(dim)(*tensors)


cat = concatenate


def stack(variables: Sequence[Any], dim: int = 0) -> Any:
    """Join scalars, or tensors of one shape, along a new axis: ``y_k = x_k``.

    Parameters
    ----------
    variables : sequence of K Scalars, or of K Tensors of one shape
        At least one.
    dim : int
        Place of the new axis; the first by default.

    Returns
    -------
    Tensor, shape (K,), or shape of one tensor with a K at `dim`

    Raises
    ------
    ShapeError
        If the shapes differ, or the result has no such axis.
    DTypeError
        If one of them is no variable, or the types differ.
    DeviceError
        If scalars and tensors are mixed.
    OptionError
        If there is none, or `dim` is no integer.

    Notes
    -----
    ``δ(x_k) = δ(y)_k``: an error signal crosses from a tensor back to its scalars.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.stack([tg.Scalar(1.0), tg.Scalar(2.0)]).tolist()
    [1.0, 2.0]
    """
    if not variables:
        raise OptionError("stack: at least one value is joined; got none")
    require_variables("stack", *variables)
    kinds = {variable.device for variable in variables}
    if len(kinds) > 1 and "scalar" in kinds:
        given = ", ".join(variable.name or type(variable).__name__ for variable in variables)
        raise DeviceError(
            f"stack: scalars and tensors do not mix; got {given}. Make a tensor of the scalars "
            "first: tg.stack(scalars)"
        )
    if "scalar" in kinds:
        if dim not in (0, -1):
            raise ShapeError(f"stack: scalars make a tensor of one axis, dim 0; got dim {dim}")
        return StackScalarsElement()(*variables)
    if len({variable.shape for variable in variables}) > 1:
        shapes = ", ".join(str(variable.shape) for variable in variables)
        raise ShapeError(f"stack: all tensors have one shape; got {shapes}")
    position = normalise_axis("stack", dim, len(variables[0].shape) + 1)
    return concatenate([unsqueeze(x, position) for x in variables], position)
