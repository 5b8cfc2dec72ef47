"""Activations: the non-linear elements between the linear ones."""

from typing import Any, TypeVar

from tinygrad_cnn.element import ArrayElement, FunctionElement, Rule
from tinygrad_cnn.elements.arithmetic import exp, multiply, subtract
from tinygrad_cnn.elements.reduce import sum
from tinygrad_cnn.elements.requirements import any_float_type, normalise_axis, one_float_type
from tinygrad_cnn.errors import ShapeError
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


class _RowElement(ArrayElement):
    """Common part of functions of the vectors along one axis."""

    saves = {"x": ("y",)}

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def options(self) -> dict[str, Any]:
        return {"dim": self.dim}

    def check(self, x: Variable) -> None:
        one_float_type(self.name, x)
        self.dim = normalise_axis(self.name, self.dim, len(x.shape))
        if x.shape[self.dim] == 0:
            raise ShapeError(f"{self.name}: there is at least one class; got shape {x.shape}")

    def forward(self, x: Any) -> Any:
        xp = self.device.xp
        last = xp.moveaxis(x, self.dim, -1)
        out = self.device.rowwise(self.name, last, vector=last.shape[-1:])
        return xp.moveaxis(out, -1, self.dim)


class SoftmaxElement(_RowElement, name="softmax"):
    """Turn scores into probabilities."""

    rule = Rule(
        ("x",),
        ("y",),
        "exp({x}) / Σ exp({x})",
        {"x": "{y} ∘ ({δy} - Σ {δy} ∘ {y})"},
        r"y_k = e^{x_k} / \sum_l e^{x_l}",
        {"x": r"\delta(x) = y \circ (\delta(y) - \sum_l \delta(y_l) y_l)"},
    )

    def backward(self, signal: Variable) -> Variable:
        y = self.saved("y")
        weighted = multiply(signal, y)
        return subtract(weighted, multiply(y, sum(weighted, self.dim, keepdim=True)))


class LogSoftmaxElement(_RowElement, name="log_softmax"):
    """Turn scores into logarithms of probabilities."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} - log Σ exp({x})",
        {"x": "{δy} - exp({y}) ∘ Σ {δy}"},
        r"y = x - \ln \sum_l e^{x_l}",
        {"x": r"\delta(x) = \delta(y) - e^y \circ \sum_l \delta(y_l)"},
    )

    def backward(self, signal: Variable) -> Variable:
        probabilities = exp(self.saved("y"))
        return subtract(signal, multiply(probabilities, sum(signal, self.dim, keepdim=True)))


# -- functions -----------------------------------------------------------------------


def sigmoid(z: V) -> V:
    """Return ``a = 1 / (1 + exp(-z))``; ``δ(z) = δ(a) a (1 - a)``.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.sigmoid(tg.Scalar(0.0))
    Scalar(0.5)
    """
    return SigmoidElement()(z)


def tanh(z: V) -> V:
    """Return ``a = tanh(z)``; ``δ(z) = δ(a) (1 - a²)``."""
    return TanhElement()(z)


def scaled_tanh(z: V) -> V:
    """Return ``a = 1.7159 tanh(2/3 z)``, LeCun's squashing function.

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
    """Return ``a = max(0, z)``; ``δ(z) = δ(a)`` where a > 0, else 0, also at z = 0.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.relu(tg.Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return ReluElement()(z)


def softmax(x: Any, dim: int = -1) -> Any:
    """Return ``y_k = exp(x_k) / Σ_l exp(x_l)`` along the axis `dim`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.softmax(tg.Tensor([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    return SoftmaxElement(dim)(x)


def log_softmax(x: Any, dim: int = -1) -> Any:
    """Return ``y = x - log Σ_l exp(x_l)`` along the axis `dim`, without overflow.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.log_softmax(tg.Tensor([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """
    return LogSoftmaxElement(dim)(x)
