"""Clamp: values kept between bounds."""

from typing import Any

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.arithmetic import multiply
from tinygrad_cnn.elements.requirements import any_float_type, finite_number
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class ClampElement(ArrayElement, name="clamp"):
    """Keep values between bounds."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} between its bounds",
        {"x": "{δy} where {x} is within the bounds, 0 elsewhere"},
        r"y = \min(\max(x, a), b)",
        {"x": r"\delta(x) = \delta(y) \circ [a \le x \le b]"},
    )
    saves = {"x": ("x",)}
    convention = "at a bound the derivative is 1"

    def __init__(self, least: float | None, most: float | None) -> None:
        self.least, self.most = least, most

    def options(self) -> dict[str, Any]:
        bounds = {"min": self.least, "max": self.most}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def check(self, x: Variable) -> None:
        any_float_type("clamp", x.dtype)

    def forward(self, x: Any) -> Any:
        return self.device.xp.asarray(self.device.xp.clip(x, self.least, self.most))

    def backward(self, signal: Variable) -> Variable:
        x = self.saved("x")
        values = x._value
        within = values == values  # a NaN stays one, and passes nothing on
        if self.least is not None:
            within = within & (values >= self.least)
        if self.most is not None:
            within = within & (values <= self.most)
        return multiply(signal, x.lift(within.astype(x.dtype)))


# -- functions -----------------------------------------------------------------------


def clamp(x: Any, min: float | None = None, max: float | None = None) -> Any:
    """Keep values between bounds: ``y = min(max(x, a), b)``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    min, max : float, optional
        Bounds a and b; one of them may be left out.

    Returns
    -------
    Tensor, the shape of x

    Raises
    ------
    DTypeError
        If x is no Tensor, or not of a floating-point type.
    OptionError
        If there is no bound, one is no finite number, or the lower lies above the upper.

    Notes
    -----
    ``δ(x) = δ(y)`` where x is within the bounds or at one of them, as in PyTorch, and 0
    elsewhere.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.clamp(tg.Tensor([-1.0, 0.5, 2.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    least = None if min is None else finite_number("clamp", "min", min)
    most = None if max is None else finite_number("clamp", "max", max)
    if least is None and most is None:
        raise OptionError("clamp: there is a bound; got neither min nor max")
    if least is not None and most is not None and least > most:
        raise OptionError(f"clamp: min is at most max; got {least:g} and {most:g}")
    return ClampElement(least, most)(x)
