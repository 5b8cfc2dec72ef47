"""Rectifiers with an exponential bend: ELU and softplus."""

import math
from functools import lru_cache
from typing import Any, TypeVar

from tinygrad_cnn.elements.activation import (
    ActivationElement,
    ActivationGradientElement,
    numeral,
)
from tinygrad_cnn.elements.activation_rectifiers import ReluGradElement
from tinygrad_cnn.elements.arithmetic import multiply, subtract
from tinygrad_cnn.elements.requirements import constants, finite_number, positive_number
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

V = TypeVar("V", bound=Variable)


# -- ELU -----------------------------------------------------------------------------


def _times(factor: float) -> str:
    """Return a factor as it stands before what it multiplies: nothing for 1."""
    return "" if factor == 1.0 else f"{numeral(factor)} "


def _elu_slope(alpha: float) -> str:
    return f"([{{z}} > 0] + {_times(alpha)}exp({{z}}) [{{z}} ≤ 0])"


def _elu_latex_slope(alpha: float) -> str:
    return rf"([z > 0] + {_times(alpha)}e^z [z \le 0])"


@lru_cache(maxsize=256)
def _elu_rule(alpha: float) -> Rule:
    return Rule(
        ("z",),
        ("a",),
        f"max(0, {{z}}) + {_times(alpha)}(exp(min(0, {{z}})) - 1)",
        {"z": f"{{δa}} ∘ {_elu_slope(alpha)}"},
        rf"a = \max(0, z) + {_times(alpha)}(e^{{\min(0, z)}} - 1)",
        {"z": rf"\delta(z) = \delta(a) \circ {_elu_latex_slope(alpha)}"},
    )


@lru_cache(maxsize=256)
def _elu_grad_rule(alpha: float) -> Rule:
    return Rule(
        ("δ", "z"),
        ("y",),
        f"{{δ}} ∘ {_elu_slope(alpha)}",
        {
            "δ": f"{{δy}} ∘ {_elu_slope(alpha)}",
            "z": f"{_times(alpha)}{{δy}} ∘ {{δ}} ∘ exp({{z}}) ∘ [{{z}} ≤ 0]",
        },
        rf"y = \delta \circ {_elu_latex_slope(alpha)}",
        {
            "δ": rf"\delta(\delta) = \delta(y) \circ {_elu_latex_slope(alpha)}",
            "z": rf"\delta(z) = {_times(alpha)}\, \delta(y) \circ \delta \circ e^z [z \le 0]",
        },
    )


class EluGradElement(ActivationGradientElement, name="elu_grad"):
    """Error signal through an exponential linear unit."""

    rule = _elu_grad_rule(1.0)
    saves = {"δ": ("z",), "z": ("δ", "z")}

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha)
        self.rule = _elu_grad_rule(alpha)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_z = self.wanted
        z = self.saved("z")
        to_signal = EluGradElement(*self.numbers)(signal, z) if want_signal else None
        to_z = None
        if want_z:  # the slope's slope is the slope itself, but for the 1 above z = 0
            both = multiply(signal, self.saved("δ"))
            to_z = subtract(EluGradElement(*self.numbers)(both, z), ReluGradElement()(both, z))
        return to_signal, to_z


class EluElement(ActivationElement, name="elu"):
    """Let positive values through, and bend negative ones towards -alpha."""

    rule = _elu_rule(1.0)
    saves = {"z": ("z",)}
    gradient = EluGradElement

    def __init__(self, alpha: float = 1.0) -> None:
        self.numbers = (finite_number("elu", "alpha", alpha),)
        self.rule = _elu_rule(alpha)
        if alpha != 1.0:  # else there is no kink
            self.convention = "the derivative at z = 0 is alpha"

    def options(self) -> dict[str, Any]:
        (alpha,) = self.numbers
        return {} if alpha == 1.0 else {"alpha": alpha}


# -- softplus ------------------------------------------------------------------------


def _softplus_slope(beta: float) -> str:
    return f"1 / (1 + exp(-{_times(beta)}{{z}}))"


def _softplus_latex_slope(beta: float) -> str:
    return rf"\frac{{1}}{{1 + e^{{-{_times(beta)}z}}}}"


@lru_cache(maxsize=256)
def _softplus_rule(beta: float) -> Rule:
    share = "" if beta == 1.0 else f" / {numeral(beta)}"
    latex_share = "" if beta == 1.0 else rf"\frac{{1}}{{{numeral(beta)}}} "
    return Rule(
        ("z",),
        ("a",),
        f"log(1 + exp({_times(beta)}{{z}})){share}",
        {"z": f"{{δa}} ∘ {_softplus_slope(beta)}"},
        rf"a = {latex_share}\ln (1 + e^{{{_times(beta)}z}})",
        {"z": rf"\delta(z) = \delta(a) \circ {_softplus_latex_slope(beta)}"},
    )


@lru_cache(maxsize=256)
def _softplus_grad_rule(beta: float) -> Rule:
    slope, latex_slope = _softplus_slope(beta), _softplus_latex_slope(beta)
    return Rule(
        ("δ", "z"),
        ("y",),
        f"{{δ}} ∘ {slope}",
        {
            "δ": f"{{δy}} ∘ {slope}",
            "z": f"{_times(beta)}{{δy}} ∘ {{δ}} ∘ {slope} ∘ (1 - {slope})",
        },
        rf"y = \delta \circ {latex_slope}",
        {
            "δ": rf"\delta(\delta) = \delta(y) \circ {latex_slope}",
            "z": rf"\delta(z) = {_times(beta)}\delta(y) \circ \delta \circ s \circ (1 - s),"
            rf" \; s = {latex_slope}",
        },
    )


class SoftplusGradElement(ActivationGradientElement, name="softplus_grad"):
    """Error signal through a softplus: times a sigmoid."""

    rule = _softplus_grad_rule(1.0)
    saves = {"δ": ("z",), "z": ("δ", "z")}

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta, threshold)
        self.rule = _softplus_grad_rule(beta)

    def forward(self, signal: Any, z: Any) -> Any:
        slope = self.device.elementwise("softplus_slope", z, *constants(z, self.numbers))
        return self.device.elementwise("multiply", signal, slope)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_z = self.wanted
        z, numbers = self.saved("z"), self.numbers
        to_signal = SoftplusGradElement(*numbers)(signal, z) if want_signal else None
        to_z = None
        if want_z:  # β δ(y) δ s (1 - s), which is 0 where s is 1
            part = SoftplusGradElement(*numbers)(multiply(signal, self.saved("δ")), z)
            to_z = subtract(part, SoftplusGradElement(*numbers)(part, z)) * numbers[0]
        return to_signal, to_z


def sharpness(operation: str, beta: Any, threshold: Any) -> tuple[float, float]:
    """Return how sharp the corner is and where it ends, or refuse them."""
    beta = positive_number(operation, "beta", beta)
    if threshold != math.inf:
        threshold = finite_number(operation, "threshold", threshold)
    return beta, threshold


class SoftplusElement(ActivationElement, name="softplus"):
    """Let positive values through a rounded corner."""

    rule = _softplus_rule(1.0)
    saves = {"z": ("z",)}
    convention = "above the threshold of beta z, a is z itself and the derivative is 1"
    gradient = SoftplusGradElement

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.numbers = sharpness("softplus", beta, threshold)
        self.rule = _softplus_rule(beta)

    def options(self) -> dict[str, Any]:
        beta, threshold = self.numbers
        options = {} if beta == 1.0 else {"beta": beta}
        return options if threshold == 20.0 else options | {"threshold": threshold}


# -- functions -----------------------------------------------------------------------


def elu(z: V, alpha: float = 1.0) -> V:
    """Bend negative values towards -alpha: ``a = z`` above 0, else ``alpha (exp(z) - 1)``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape
    alpha : float
        Where large negative values end, with its sign changed.

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.
    OptionError
        If alpha is no finite number.

    Notes
    -----
    ``δ(z) = δ(a)`` above 0, else ``alpha exp(z) δ(a)``, also at z = 0, where there is a kink
    unless alpha is 1.

    References
    ----------
    .. [1] D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning
       by exponential linear units (ELUs)", ICLR 2016, equations 15 and 16.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.elu(tg.Tensor([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """
    return EluElement(alpha)(z)


def softplus(z: V, beta: float = 1.0, threshold: float = 20.0) -> V:
    """Rectify with a rounded corner: ``a = log(1 + exp(beta z)) / beta``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape
    beta : float
        Sharpness of the corner.
    threshold : float
        Where beta z lies above it, a is z itself; infinity for nowhere.

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.
    OptionError
        If beta is not above 0, or the threshold no number.

    Notes
    -----
    ``δ(z) = δ(a) ∘ sigmoid(beta z)``, and δ(a) above the threshold. Computed as
    ``max(z, 0) + log(1 + exp(-|beta z|)) / beta``, so nothing overflows.

    References
    ----------
    .. [1] C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau, R. Garcia, "Incorporating second-order
       functional knowledge for better option pricing", NIPS 2000, section 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.softplus(tg.Tensor([-1000.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """
    return SoftplusElement(beta, threshold)(z)
