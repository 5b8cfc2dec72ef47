"""Rectifiers made of straight lines: ReLU and leaky ReLU."""

from functools import lru_cache
from typing import Any, TypeVar

from tinygrad_cnn.elements.activation import (
    ActivationElement,
    ActivationGradientElement,
    numeral,
)
from tinygrad_cnn.elements.requirements import finite_number
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

V = TypeVar("V", bound=Variable)


class _StraightGradientElement(ActivationGradientElement):
    """Common part: the slope is constant but for the kink, so z receives nothing."""

    saves = {"δ": ("z",), "z": ("z",)}

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, _ = self.wanted
        (needed,) = self.saves["δ"]
        again = type(self)(*self.numbers)
        return again(signal, self.saved(needed)) if want_signal else None, None


# -- ReLU ----------------------------------------------------------------------------


class ReluGradElement(_StraightGradientElement, name="relu_grad"):
    """Error signal through a rectifier."""

    rule = Rule(
        ("δ", "a"),
        ("y",),
        "{δ} ∘ [{a} > 0]",
        {"δ": "{δy} ∘ [{a} > 0]"},
        r"y = \delta \circ [a > 0]",
        {"δ": r"\delta(\delta) = \delta(y) \circ [a > 0]"},
    )
    saves = {"δ": ("a",), "a": ("a",)}


def _slope_at_zero(at_zero: float) -> str:
    return f"([{{z}} > 0] + {numeral(at_zero)} [{{z}} = 0])"


@lru_cache(maxsize=256)
def _relu_grad_at_zero_rule(at_zero: float) -> Rule:
    slope = _slope_at_zero(at_zero)
    latex_slope = slope.replace("{z}", "z")
    return Rule(
        ("δ", "z"),
        ("y",),
        f"{{δ}} ∘ {slope}",
        {"δ": f"{{δy}} ∘ {slope}"},
        rf"y = \delta \circ {latex_slope}",
        {"δ": rf"\delta(\delta) = \delta(y) \circ {latex_slope}"},
    )


class ReluGradAtZeroElement(_StraightGradientElement, name="relu_grad_at_zero"):
    """Error signal through a rectifier whose derivative at 0 was chosen."""

    rule = _relu_grad_at_zero_rule(0.5)

    def __init__(self, at_zero: float = 0.5) -> None:
        super().__init__(at_zero)
        self.rule = _relu_grad_at_zero_rule(at_zero)


class ReluElement(ActivationElement, name="relu"):
    """Let positive values through."""

    rule = Rule(
        ("z",),
        ("a",),
        "max(0, {z})",
        {"z": "{δa} ∘ [{a} > 0]"},
        r"a = \max(0, z)",
        {"z": r"\delta(z) = \delta(a) \circ [a > 0]"},
    )
    convention = "the derivative at z = 0 is 0"
    gradient = ReluGradElement
    at_zero: float = 0.0

    def __init__(self, at_zero: float = 0.0) -> None:
        if type(at_zero) is float and not at_zero:
            return
        self.at_zero = finite_number("relu", "at_zero", at_zero, 0.0, 1.0)
        if self.at_zero:  # then the output does not tell 0 from what lies below
            self.saves = {"z": ("z",)}
            self.convention = f"the derivative at z = 0 is {numeral(at_zero)}"
            slope = _slope_at_zero(self.at_zero)
            self.rule = Rule(
                self.rule.inputs,
                self.rule.outputs,
                self.rule.forward,
                {"z": f"{{δa}} ∘ {slope}"},
                self.rule.latex,
                {"z": rf"\delta(z) = \delta(a) \circ {slope.replace('{z}', 'z')}"},
            )

    def options(self) -> dict[str, Any]:
        return {"at_zero": self.at_zero} if self.at_zero else {}

    def backward(self, signal: Variable) -> Variable:
        if self.at_zero:
            return ReluGradAtZeroElement(self.at_zero)(signal, self.saved("z"))
        return ReluGradElement()(signal, self.saved("a"))


# -- leaky ReLU ----------------------------------------------------------------------


def _leaky_slope(slope: float) -> str:
    return f"([{{z}} > 0] + {numeral(slope)} [{{z}} ≤ 0])"


@lru_cache(maxsize=256)
def _leaky_rule(slope: float) -> Rule:
    latex_slope = _leaky_slope(slope).replace("{z}", "z").replace("≤", r"\le")
    return Rule(
        ("z",),
        ("a",),
        f"max(0, {{z}}) + {numeral(slope)} min(0, {{z}})",
        {"z": f"{{δa}} ∘ {_leaky_slope(slope)}"},
        rf"a = \max(0, z) + {numeral(slope)} \min(0, z)",
        {"z": rf"\delta(z) = \delta(a) \circ {latex_slope}"},
    )


@lru_cache(maxsize=256)
def _leaky_grad_rule(slope: float) -> Rule:
    latex_slope = _leaky_slope(slope).replace("{z}", "z").replace("≤", r"\le")
    return Rule(
        ("δ", "z"),
        ("y",),
        f"{{δ}} ∘ {_leaky_slope(slope)}",
        {"δ": f"{{δy}} ∘ {_leaky_slope(slope)}"},
        rf"y = \delta \circ {latex_slope}",
        {"δ": rf"\delta(\delta) = \delta(y) \circ {latex_slope}"},
    )


class LeakyReluGradElement(_StraightGradientElement, name="leaky_relu_grad"):
    """Error signal through a rectifier that leaks."""

    rule = _leaky_grad_rule(0.01)

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__(negative_slope)
        self.rule = _leaky_grad_rule(negative_slope)


class LeakyReluElement(ActivationElement, name="leaky_relu"):
    """Let positive values through, and a small part of negative ones."""

    rule = _leaky_rule(0.01)
    saves = {"z": ("z",)}
    convention = "the derivative at z = 0 is the negative slope"
    gradient = LeakyReluGradElement

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.numbers = (finite_number("leaky_relu", "negative_slope", negative_slope),)
        self.rule = _leaky_rule(negative_slope)

    def options(self) -> dict[str, Any]:
        (slope,) = self.numbers
        return {} if slope == 0.01 else {"negative_slope": slope}


# -- functions -----------------------------------------------------------------------


def relu(z: V, at_zero: float = 0.0) -> V:
    """Let positive values through: ``a = max(0, z)``; ``δ(z) = δ(a) ∘ [a > 0]``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape
    at_zero : float, from 0 to 1
        The derivative at z = 0, where there is none: any number of the sub-differential
        [0, 1] may stand for it. 0 by default, as in PyTorch.

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.
    OptionError
        If `at_zero` does not lie from 0 to 1.

    Notes
    -----
    The derivative at z = 0 is `at_zero`.

    References
    ----------
    .. [1] X. Glorot, A. Bordes, Y. Bengio, "Deep sparse rectifier neural networks", AISTATS 2011,
       section 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.relu(tg.Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    >>> z = tg.Scalar(0.0, requires_grad=True)
    >>> tg.functional.relu(z, at_zero=0.5).backward()
    >>> z.grad
    Scalar(0.5)
    """
    return ReluElement(at_zero)(z)


def leaky_relu(z: V, negative_slope: float = 0.01) -> V:
    """Let a part of negative values through too: ``a = max(0, z) + negative_slope min(0, z)``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape
    negative_slope : float
        Slope below 0.

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.
    OptionError
        If the slope is no finite number.

    Notes
    -----
    ``δ(z) = δ(a)`` above 0, else ``negative_slope δ(a)``, also at z = 0.

    References
    ----------
    .. [1] A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier nonlinearities improve neural network
       acoustic models", ICML workshop 2013, section 2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.leaky_relu(tg.Tensor([-8.0, 2.0]), 0.25).tolist()
    [-2.0, 2.0]
    """
    return LeakyReluElement(negative_slope)(z)
