"""Activations: the non-linear elements between the linear ones."""

from typing import Any, TypeVar

from tinygrad_cnn.element import FunctionElement, Rule
from tinygrad_cnn.elements.arithmetic import multiply
from tinygrad_cnn.elements.requirements import any_float_type
from tinygrad_cnn.variable import Variable

V = TypeVar("V", bound=Variable)


class _Activation(FunctionElement):
    """Common part: one kernel forward, and one that needs only the output backward."""

    saves = {"z": ("a",)}
    gradient: type["_ActivationGradient"]

    def check(self, z: Variable) -> None:
        any_float_type(self.name, z.dtype)

    def forward(self, z: Any) -> Any:
        return self.device.elementwise(self.name, z)

    def backward(self, signal: Variable) -> Variable:
        return self.gradient()(signal, self.saved("a"))


class _ActivationGradient(FunctionElement):
    """Common part: δ(z) from δ(a) and a, itself differentiable in both."""

    saves = {"δ": ("a",), "a": ("δ", "a")}

    def forward(self, signal: Any, a: Any) -> Any:
        return self.device.elementwise(self.name, signal, a)

    def slope_of_slope(self, a: Any) -> Any:
        """Return the derivative, with respect to a, of the factor that multiplies δ."""
        raise NotImplementedError  # abstract

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_a = self.wanted
        a = self.saved("a")
        to_signal = type(self)()(signal, a) if want_signal else None
        to_a = None
        if want_a:
            to_a = multiply(multiply(signal, self.saved("δ")), self.slope_of_slope(a))
        return to_signal, to_a


class SigmoidGradElement(_ActivationGradient, name="sigmoid_grad"):
    """Error signal through a sigmoid."""

    rule = Rule(
        ("δ", "a"),
        ("y",),
        "{δ} ∘ {a} ∘ (1 - {a})",
        {"δ": "{δy} ∘ {a} ∘ (1 - {a})", "a": "{δy} ∘ {δ} ∘ (1 - 2{a})"},
        r"y = \delta \circ a \circ (1 - a)",
        {
            "δ": r"\delta(\delta) = \delta(y) \circ a \circ (1 - a)",
            "a": r"\delta(a) = \delta(y) \circ \delta \circ (1 - 2a)",
        },
    )

    def slope_of_slope(self, a: Any) -> Any:
        return 1.0 - a - a


class SigmoidElement(_Activation, name="sigmoid"):
    """Squash to (0, 1)."""

    rule = Rule(
        ("z",),
        ("a",),
        "1 / (1 + exp(-{z}))",
        {"z": "{δa} ∘ {a} ∘ (1 - {a})"},
        r"a = \frac{1}{1 + e^{-z}}",
        {"z": r"\delta(z) = \delta(a) \circ a \circ (1 - a)"},
    )
    gradient = SigmoidGradElement


class TanhGradElement(_ActivationGradient, name="tanh_grad"):
    """Error signal through a hyperbolic tangent."""

    rule = Rule(
        ("δ", "a"),
        ("y",),
        "{δ} ∘ (1 - {a}²)",
        {"δ": "{δy} ∘ (1 - {a}²)", "a": "-2 {δy} ∘ {δ} ∘ {a}"},
        r"y = \delta \circ (1 - a^2)",
        {
            "δ": r"\delta(\delta) = \delta(y) \circ (1 - a^2)",
            "a": r"\delta(a) = -2 \, \delta(y) \circ \delta \circ a",
        },
    )

    def slope_of_slope(self, a: Any) -> Any:
        return a * -2.0


class TanhElement(_Activation, name="tanh"):
    """Squash to (-1, 1)."""

    rule = Rule(
        ("z",),
        ("a",),
        "tanh({z})",
        {"z": "{δa} ∘ (1 - {a}²)"},
        r"a = \tanh z",
        {"z": r"\delta(z) = \delta(a) \circ (1 - a^2)"},
    )
    gradient = TanhGradElement


class ScaledTanhGradElement(_ActivationGradient, name="scaled_tanh_grad"):
    """Error signal through LeCun's scaled hyperbolic tangent."""

    rule = Rule(
        ("δ", "a"),
        ("y",),
        "{δ} ∘ 2/3 (1.7159 - {a}² / 1.7159)",
        {
            "δ": "{δy} ∘ 2/3 (1.7159 - {a}² / 1.7159)",
            "a": "-4/3 {δy} ∘ {δ} ∘ {a} / 1.7159",
        },
        r"y = \delta \circ \tfrac{2}{3} (1.7159 - a^2 / 1.7159)",
        {
            "δ": r"\delta(\delta) = \delta(y) \circ \tfrac{2}{3} (1.7159 - a^2 / 1.7159)",
            "a": r"\delta(a) = -\tfrac{4}{3} \delta(y) \circ \delta \circ a / 1.7159",
        },
    )

    def slope_of_slope(self, a: Any) -> Any:
        return a * (-4.0 / 3.0 / 1.7159)


class ScaledTanhElement(_Activation, name="scaled_tanh"):
    """LeCun's squashing function, for which f(1) = 1 and f(-1) = -1."""

    rule = Rule(
        ("z",),
        ("a",),
        "1.7159 tanh(2/3 {z})",
        {"z": "{δa} ∘ 2/3 (1.7159 - {a}² / 1.7159)"},
        r"a = 1.7159 \tanh(\tfrac{2}{3} z)",
        {"z": r"\delta(z) = \delta(a) \circ \tfrac{2}{3} (1.7159 - a^2 / 1.7159)"},
    )
    gradient = ScaledTanhGradElement


class ReluGradElement(_ActivationGradient, name="relu_grad"):
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

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, _ = self.wanted  # the mask is constant in a, away from the kink
        return (ReluGradElement()(signal, self.saved("a")) if want_signal else None), None


class ReluElement(_Activation, name="relu"):
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


# -- functions -----------------------------------------------------------------------


def sigmoid(z: V) -> V:
    """Squash to (0, 1): ``a = 1 / (1 + exp(-z))``; ``δ(z) = δ(a) ∘ a ∘ (1 - a)``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.sigmoid(tg.Scalar(0.0))
    Scalar(0.5)
    """
    return SigmoidElement()(z)


def tanh(z: V) -> V:
    """Squash to (-1, 1): ``a = tanh(z)``; ``δ(z) = δ(a) ∘ (1 - a²)``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.tanh(tg.Scalar(0.0))
    Scalar(0.0)
    """
    return TanhElement()(z)


def scaled_tanh(z: V) -> V:
    """Squash as LeCun did: ``a = 1.7159 tanh(2/3 z)``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.

    Notes
    -----
    ``δ(z) = δ(a) ∘ 2/3 (1.7159 - a² / 1.7159)``; f(1) = 1 and f(-1) = -1, up to rounding of
    the constant.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proc. IEEE 86(11), 1998, appendix A.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> round(tg.functional.scaled_tanh(tg.Scalar(1.0)).item(), 4)
    1.0
    """
    return ScaledTanhElement()(z)


def relu(z: V) -> V:
    """Let positive values through: ``a = max(0, z)``; ``δ(z) = δ(a) ∘ [a > 0]``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.

    Notes
    -----
    The derivative at z = 0 is 0.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.relu(tg.Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return ReluElement()(z)
