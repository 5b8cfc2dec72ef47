"""Activations: the non-linear elements between the linear ones; here those that squash.

The rectifiers, which do not, stand in `activation_rectifiers`.
"""

from functools import lru_cache
from typing import Any, ClassVar, TypeVar

from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.elements.arithmetic import multiply
from tinygrad_cnn.elements.requirements import any_float_type, constants, positive_number
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

V = TypeVar("V", bound=Variable)


class ActivationElement(FunctionElement):
    """Common part: one kernel forward, one for the error signal."""

    saves = {"z": ("a",)}
    gradient: ClassVar[type["ActivationGradientElement"]]
    numbers: tuple[float, ...] = ()  # options, as the kernels take them

    def check(self, z: Variable) -> None:
        if z.dtype.kind != "f":
            any_float_type(self.name, z.dtype)

    def forward(self, z: Any) -> Any:
        if not self.numbers:
            return self.device.elementwise(self.name, z)
        return self.device.elementwise(self.name, z, *constants(z, self.numbers))

    def backward(self, signal: Variable) -> Variable:
        (needed,) = self.saves["z"]
        return self.gradient(*self.numbers)(signal, self.saved(needed))


class ActivationGradientElement(FunctionElement):
    """Common part: δ(z) from δ(a) and the value that the slope is computed from."""

    saves = {"δ": ("a",), "a": ("δ", "a")}

    def __init__(self, *numbers: float) -> None:
        self.numbers = numbers

    def forward(self, signal: Any, a: Any) -> Any:
        if not self.numbers:
            return self.device.elementwise(self.name, signal, a)
        return self.device.elementwise(self.name, signal, a, *constants(a, self.numbers))

    def slope_of_slope(self, a: Any) -> Any:
        """Return the derivative, with respect to a, of the factor that multiplies δ."""
        raise NotImplementedError  # abstract

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_a = self.wanted
        a = self.saved("a")
        to_signal = type(self)(*self.numbers)(signal, a) if want_signal else None
        to_a = None
        if want_a:
            to_a = multiply(multiply(signal, self.saved("δ")), self.slope_of_slope(a))
        return to_signal, to_a


class SigmoidGradElement(ActivationGradientElement, name="sigmoid_grad"):
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


class SigmoidElement(ActivationElement, name="sigmoid"):
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


class TanhGradElement(ActivationGradientElement, name="tanh_grad"):
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


class TanhElement(ActivationElement, name="tanh"):
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


class ScaledTanhGradElement(ActivationGradientElement, name="scaled_tanh_grad"):
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


class ScaledTanhElement(ActivationElement, name="scaled_tanh"):
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


def numeral(number: float) -> str:
    """Return a number as it is written in a rule."""
    return repr(float(number)).removesuffix(".0")


def _fraction(slope: float) -> str:
    return "1/6" if slope == 1 / 6 else numeral(slope)


@lru_cache(maxsize=256)
def _hardsigmoid_rule(slope: str) -> Rule:
    return Rule(
        ("z",),
        ("a",),
        f"max(0, min(1, {slope} ∘ {{z}} + 1/2))",
        {"z": f"{slope} ∘ {{δa}} ∘ [0 < {{a}} < 1]"},
        rf"a = \max(0, \min(1, {slope} z + \tfrac{{1}}{{2}}))",
        {"z": rf"\delta(z) = {slope} \, \delta(a) \circ [0 < a < 1]"},
    )


@lru_cache(maxsize=256)
def _hardsigmoid_grad_rule(slope: str) -> Rule:
    return Rule(
        ("δ", "a"),
        ("y",),
        f"{slope} ∘ {{δ}} ∘ [0 < {{a}} < 1]",
        {"δ": f"{slope} ∘ {{δy}} ∘ [0 < {{a}} < 1]"},
        rf"y = {slope} \, \delta \circ [0 < a < 1]",
        {"δ": rf"\delta(\delta) = {slope} \, \delta(y) \circ [0 < a < 1]"},
    )


class HardsigmoidGradElement(ActivationGradientElement, name="hardsigmoid_grad"):
    """Error signal through a sigmoid made of straight lines."""

    saves = {"δ": ("a",), "a": ("a",)}

    rule = _hardsigmoid_grad_rule("1/6")

    def __init__(self, slope: float = 1 / 6) -> None:
        super().__init__(slope)
        self.rule = _hardsigmoid_grad_rule(_fraction(slope))

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, _ = self.wanted  # the slope is constant in a, away from the kinks
        again = HardsigmoidGradElement(*self.numbers)
        return again(signal, self.saved("a")) if want_signal else None, None


class HardsigmoidElement(ActivationElement, name="hardsigmoid"):
    """Squash to 0..1 with straight lines."""

    convention = "the derivative at both kinks is 0"
    gradient = HardsigmoidGradElement
    rule = _hardsigmoid_rule("1/6")

    def __init__(self, slope: float = 1 / 6) -> None:
        self.numbers = (positive_number("hardsigmoid", "slope", slope),)
        self.rule = _hardsigmoid_rule(_fraction(slope))

    def options(self) -> dict[str, Any]:
        (slope,) = self.numbers
        return {} if slope == 1 / 6 else {"slope": slope}


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

    References
    ----------
    .. [1] D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by
       back-propagating errors", Nature 323, 1986, equation 2.

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

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", in Neural Networks:
       Tricks of the Trade, Springer 1998, section 4.4.

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


def hardsigmoid(z: V, slope: float = 1 / 6) -> V:
    """Squash with straight lines: ``a = max(0, min(1, slope z + 1/2))``.

    Parameters
    ----------
    z : Scalar or Tensor, any shape
    slope : float
        Slope between the kinks, which lie at ``z = ±1 / (2 slope)``. A sixth by default, as in
        PyTorch, where it is written relu6(z + 3) / 6; 0.2 is the older form of Theano and Keras.

    Returns
    -------
    Scalar or Tensor, the shape of z

    Raises
    ------
    DTypeError
        If z is no variable, or not of a floating-point type.
    OptionError
        If the slope is not above 0.

    Notes
    -----
    ``δ(z) = slope δ(a) ∘ [0 < a < 1]``: the derivative at the kinks is 0.

    References
    ----------
    .. [1] M. Courbariaux, Y. Bengio, J.-P. David, "BinaryConnect", NIPS 2015, equation 3, with
       slope 1/2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.hardsigmoid(tg.Tensor([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return HardsigmoidElement(slope)(z)
