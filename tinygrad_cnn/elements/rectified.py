"""Elements with a rectifier behind them, computed in one pass over memory.

A rectifier by itself reads a value, compares it with zero and writes it back: nearly all of
its time goes into moving memory. So a convolution, an affine map, a normalisation or a sum
can rectify its values before it writes them. The rule is that of the two, one behind the
other, and says so.
"""

from dataclasses import replace
from typing import Any

from tinygrad_cnn.element import ArrayElement, FunctionElement, Rule
from tinygrad_cnn.elements.activation_rectifiers import ReluElement, ReluGradElement
from tinygrad_cnn.elements.arithmetic import AddElement
from tinygrad_cnn.elements.requirements import one_float_type, require_variables
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.variable import Variable


def rectified(rule: Rule) -> Rule:
    r"""Return the rule of an element and a rectifier behind it.

    Examples
    --------
    >>> double = Rule(("x",), ("z",), "2 {x}", {"x": "2 {δz}"}, "z = 2 x", {"x": r"2 \delta(z)"})
    >>> both = rectified(double)
    >>> both.forward_text(), both.backward_text("x")
    ('a = max(0, 2 x)', 'δ(x) = 2 (δ(a) ∘ [a > 0])')
    >>> both.latex
    'a = \\max(0, z), \\quad z = 2 x'
    """
    z = rule.outputs[0]
    signal = "({δa} ∘ [{a} > 0])"
    latex_signal = rf", \quad \delta({z}) = \delta(a) \circ [a > 0]"
    return replace(
        rule,
        outputs=("a", *rule.outputs[1:]),
        forward=f"max(0, {rule.forward})",
        backward={x: text.replace(f"{{δ{z}}}", signal) for x, text in rule.backward.items()},
        latex=rf"a = \max(0, {z}), \quad {rule.latex}",
        latex_backward={x: text + latex_signal for x, text in rule.latex_backward.items()},
    )


def rectifies(operation: str, activation: str | None) -> bool:
    """Tell whether a rectifier is asked for.

    Raises
    ------
    OptionError
        If something else is.
    """
    if activation not in (None, "relu"):
        raise OptionError(
            f"{operation}: activation is None or 'relu', which is computed in the same pass; got "
            f"{activation!r}. Apply another one to the result"
        )
    return activation is not None


class RectifiedElement(FunctionElement):
    """Common part: the error signal of z is that of a where a is positive."""

    convention = ReluElement.convention

    def backward(self, signal: Variable, *others: Any) -> Any:
        return super().backward(ReluGradElement()(signal, self.saved("a")), *others)


class AddReluElement(RectifiedElement, AddElement, ArrayElement, name="add_relu"):
    """Add and rectify the sum: where a shortcut meets the branch beside it."""

    rule = rectified(AddElement.rule)
    saves = {"x": ("a",), "y": ("a",)}

    def check(self, x: Variable, y: Variable) -> None:
        one_float_type("add_relu", x, y)
        super().check(x, y)


def add_relu(x: Any, y: Any) -> Any:
    """Add two tensors and rectify the sum in one pass over memory, ``a = max(0, x + y)``.

    Parameters
    ----------
    x, y : Tensor, of shapes that broadcast

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        If the shapes do not broadcast.
    DTypeError
        If the types differ or are not float32 or float64.

    Notes
    -----
    ``δ(x) = δ(y) = δ(a) ∘ [a > 0]``, summed over the repeats of an operand. The derivative at
    x + y = 0 is 0.

    References
    ----------
    .. [1] K. He et al., "Deep residual learning for image recognition", CVPR 2016, figure 2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.add_relu(tg.Tensor([1.0, -3.0]), tg.Tensor([1.0, 2.0])).tolist()
    [2.0, 0.0]
    """
    require_variables("add_relu", x, y)
    return AddReluElement()(x, y)
