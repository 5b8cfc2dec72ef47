"""The affine element z = W x + b, its two adjoints, and the plain matrix product."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_cnn.device import SCALAR
from tinygrad_cnn.element import ArrayElement, FunctionElement
from tinygrad_cnn.elements.activated import (
    RectifiedElement,
    SquashedElement,
    activated,
    require_activation,
)
from tinygrad_cnn.elements.activation import SigmoidElement, TanhElement
from tinygrad_cnn.elements.activation_rectifiers import ReluElement
from tinygrad_cnn.elements.reduce import ChannelSumElement, sum_to
from tinygrad_cnn.elements.requirements import any_float_type, one_float_type, require_variables
from tinygrad_cnn.elements.shape import reshape
from tinygrad_cnn.elements.transpose import TransposeElement
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.graph import Node, Shape
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class AffineElement(FunctionElement, name="affine"):
    """Map each vector x of a batch to W x + b."""

    rule = Rule(
        ("x", "weight", "bias"),
        ("z",),
        "{weight}·{x} + {bias}",
        {"x": "{weight}ᵀ·{δz}", "weight": "Σ {δz}·{x}ᵀ", "bias": "Σ {δz}"},
        "z = W x + b",
        {
            "x": r"\delta(x) = W^T \delta(z)",
            "weight": r"\nabla W = \sum_n \delta(z_n) x_n^T",
            "bias": r"\nabla b = \sum_n \delta(z_n)",
        },
    )
    saves = {"x": ("weight",), "weight": ("x",)}
    sees_everything = True
    answers_anew = True
    operation: ClassVar[str] = "affine_forward"

    def check(self, x: Variable, weight: Variable, bias: Variable | None = None) -> None:
        given = (x, weight) if bias is None else (x, weight, bias)
        one_float_type("affine", *given)
        if self.device is SCALAR:
            return
        x_shape, w_shape = x.shape, weight.shape
        if len(w_shape) != 2 or not x_shape or x_shape[-1] != w_shape[1]:
            raise ShapeError(
                "affine: weight is (out, in) and the last axis of x has size in; got x "
                f"{x_shape} and weight {w_shape}"
            )
        if bias is not None and bias.shape != w_shape[:1]:
            raise ShapeError(
                "affine: bias has one value for each row of weight; got bias "
                f"{bias.shape} and weight {w_shape}"
            )

    def forward(self, x: Any, weight: Any, bias: Any = None) -> Any:
        features = _shape(weight)[:1]
        if bias is None:
            bias = self.device.no_bias(weight)
        out = self.device.rowwise(self.operation, x, weight, bias, vector=features)
        self.finish(out)
        return out

    def finish(self, out: Any) -> None:
        """Apply, in the memory of the result, what the kernel did not: an activation."""

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_weight, *want_bias = self.wanted
        to_bias = [ChannelSumElement(axis=-1)(signal) if want else None for want in want_bias]
        return (
            AffineGradInputElement()(signal, self.saved("weight")) if want_x else None,
            AffineGradWeightElement()(signal, self.saved("x")) if want_weight else None,
            *to_bias,
        )

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        work = math.prod(outputs[0].shape[:-1]) * math.prod(inputs[1].shape)
        return work, {"x": work, "weight": work}


_SAVED = {"x": ("weight", "a"), "weight": ("x", "a"), "bias": ("a",)}  # with an activation


class AffineReluElement(RectifiedElement, AffineElement, ArrayElement, name="affine_relu"):
    """Map each vector x of a batch to W x + b and rectify the result."""

    rule = activated(AffineElement.rule, ReluElement.rule)
    saves = _SAVED
    operation = "affine_relu_forward"


class AffineSigmoidElement(SquashedElement, AffineElement, ArrayElement, name="affine_sigmoid"):
    """Map each vector x of a batch to W x + b and squash the result to (0, 1)."""

    activation = SigmoidElement
    rule = activated(AffineElement.rule, SigmoidElement.rule)
    saves = _SAVED


class AffineTanhElement(SquashedElement, AffineElement, ArrayElement, name="affine_tanh"):
    """Map each vector x of a batch to W x + b and squash the result to (-1, 1)."""

    activation = TanhElement
    rule = activated(AffineElement.rule, TanhElement.rule)
    saves = _SAVED


_KINDS: dict[str, type[AffineElement]] = {
    "relu": AffineReluElement,
    "sigmoid": AffineSigmoidElement,
    "tanh": AffineTanhElement,
}


class AffineGradInputElement(FunctionElement, name="affine_grad_input"):
    """Send an error signal back through W."""

    rule = Rule(
        ("δ", "weight"),
        ("y",),
        "{weight}ᵀ·{δ}",
        {"δ": "{weight}·{δy}", "weight": "Σ {δ}·{δy}ᵀ"},
        r"y = W^T \delta",
        {"δ": r"\delta(\delta) = W \delta(y)", "weight": r"\nabla W = \sum \delta \, \delta(y)^T"},
    )
    saves = {"δ": ("weight",), "weight": ("δ",)}

    def forward(self, signal: Any, weight: Any) -> Any:
        features = _shape(weight)[1:]
        return self.device.rowwise("affine_grad_input", signal, weight, vector=features)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_weight = self.wanted
        return (
            AffineElement()(signal, self.saved("weight")) if want_signal else None,
            AffineGradWeightElement()(self.saved("δ"), signal) if want_weight else None,
        )


class AffineGradWeightElement(FunctionElement, name="affine_grad_weight"):
    """Add up the outer products of error signals and inputs over the batch."""

    rule = Rule(
        ("δ", "x"),
        ("y",),
        "Σ {δ}·{x}ᵀ",
        {"δ": "{δy}·{x}", "x": "{δy}ᵀ·{δ}"},
        r"y = \sum_n \delta_n x_n^T",
        {"δ": r"\delta(\delta) = \delta(y) x", "x": r"\delta(x) = \delta(y)^T \delta"},
    )
    saves = {"δ": ("x",), "x": ("δ",)}

    def forward(self, signal: Any, x: Any) -> Any:
        rows = self.device.rows
        shape = (*_shape(signal)[-1:], *_shape(x)[-1:])
        return self.device.dense("affine_grad_weight", rows(signal), rows(x), shape=shape)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_x = self.wanted
        return (
            AffineElement()(self.saved("x"), signal) if want_signal else None,
            AffineGradInputElement()(self.saved("δ"), signal) if want_x else None,
        )


def _shape(value: Any) -> Shape:
    """Return the shape of an array, and () of a float."""
    return getattr(value, "shape", ())


class MatrixProductElement(ArrayElement, name="matmul"):
    """Multiply matrices, or stacks of matrices."""

    rule = Rule(
        ("a", "b"),
        ("y",),
        "{a}·{b}",
        {"a": "{δy}·{b}ᵀ", "b": "{a}ᵀ·{δy}"},
        "y = a b",
        {"a": r"\delta(a) = \delta(y) b^T", "b": r"\delta(b) = a^T \delta(y)"},
    )
    saves = {"a": ("b",), "b": ("a",)}
    sees_everything = True

    def check(self, a: Variable, b: Variable) -> None:
        one_float_type("matmul", a, b)
        if min(len(a.shape), len(b.shape)) < 2 or a.shape[-1] != b.shape[-2]:
            raise ShapeError(
                "matmul: the columns of the first are as many as the rows of the second; got "
                f"{a.shape} and {b.shape}"
            )
        try:
            self.stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            raise ShapeError(
                f"matmul: the leading axes broadcast; got {a.shape} and {b.shape}"
            ) from None

    def forward(self, a: Any, b: Any) -> Any:
        xp = self.device.xp
        rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
        count = math.prod(self.stack)
        out = self.device.dense(
            "matmul",
            xp.broadcast_to(a, (*self.stack, rows, inner)).reshape(count, rows, inner),
            xp.broadcast_to(b, (*self.stack, inner, columns)).reshape(count, inner, columns),
            shape=(count, rows, columns),
        )
        return out.reshape(*self.stack, rows, columns)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_a, want_b = self.wanted
        to_a = to_b = None
        if want_a:
            to_a = sum_to(_product(signal, _turn(self.saved("b"))), self.inputs[0].shape)
        if want_b:
            to_b = sum_to(_product(_turn(self.saved("a")), signal), self.inputs[1].shape)
        return to_a, to_b

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        work = math.prod(outputs[0].shape) * inputs[0].shape[-1]
        return work, {"a": work, "b": work}


def _turn(x: Variable) -> Variable:
    ndim = len(x.shape)
    return TransposeElement((*range(ndim - 2), ndim - 1, ndim - 2))(x)


def _product(a: Variable, b: Variable) -> Variable:
    return MatrixProductElement()(a, b)


# -- functions -----------------------------------------------------------------------


def affine(x: Any, weight: Any, bias: Any = None, *, activation: str | None = None) -> Any:
    """Map each vector of a batch to ``z = W x + b``.

    Parameters
    ----------
    x : Tensor, shape (..., D), or Scalar
        Inputs.
    weight : Tensor, shape (E, D), or Scalar
        One row for each output.
    bias : Tensor, shape (E,), or Scalar, optional
        Zero by default.
    activation : {None, "relu", "sigmoid", "tanh"}
        Of tensors: what is applied to the result in the same element, which has the rule of
        both.

    Returns
    -------
    Tensor, shape (..., E), or Scalar

    Raises
    ------
    ShapeError
        If the sizes do not fit.
    DTypeError
        If the types differ or are not float32 or float64.
    OptionError
        If the activation is another.

    Notes
    -----
    ``δ(x) = Wᵀ δ(z)``, ``∇W = Σ δ(z) xᵀ``, ``∇b = Σ δ(z)``, summed over the batch.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x, weight = tg.Tensor([[1.0, 2.0]]), tg.Tensor([[3.0, 4.0], [5.0, 6.0]])
    >>> tg.functional.affine(x, weight, tg.Tensor([0.5, -0.5])).tolist()
    [[11.5, 16.5]]
    """
    kind: type[AffineElement] = AffineElement
    if activation is not None:
        require_activation("affine", activation, _KINDS)
        kind = _KINDS[activation]
    element = kind()
    return element(x, weight) if bias is None else element(x, weight, bias)


linear = affine


def matmul(a: Any, b: Any) -> Any:
    """Multiply matrices, ``y = a b``, as NumPy's ``@`` does: stacks broadcast.

    Parameters
    ----------
    a : Tensor, shape (..., M, K) or (K,)
    b : Tensor, shape (..., K, N) or (K,)

    Returns
    -------
    Tensor, shape (..., M, N), without the axis of an operand that was a vector

    Raises
    ------
    ShapeError
        If an operand has no axis, K differs, or the stacks do not broadcast.
    DTypeError
        If an operand is no variable, or the types differ or are not float32 or float64.

    Notes
    -----
    ``δ(a) = δ(y) bᵀ``, ``δ(b) = aᵀ δ(y)``, summed over the repeats of a stack.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.matmul(tg.Tensor([[1.0, 2.0]]), tg.Tensor([3.0, 4.0])).tolist()
    [11.0]
    """
    require_variables("matmul", a, b)
    any_float_type("matmul", a.dtype)
    any_float_type("matmul", b.dtype)
    if not a.shape or not b.shape:
        raise ShapeError(f"matmul: operands have at least one axis; got {a.shape} and {b.shape}")
    left = reshape(a, (1, *a.shape)) if len(a.shape) == 1 else a
    right = reshape(b, (*b.shape, 1)) if len(b.shape) == 1 else b
    out = _product(left, right)
    shape = list(out.shape)
    if len(b.shape) == 1:
        del shape[-1]
    if len(a.shape) == 1:
        del shape[-1 if len(b.shape) == 1 else -2]
    return out if tuple(shape) == out.shape else reshape(out, shape)
