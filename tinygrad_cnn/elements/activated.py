"""Elements with an activation behind them: one element that computes what two would.

A rectifier by itself reads a value, compares it with zero and writes it back: nearly all of
its time goes into moving memory. So a convolution, an affine map, a normalisation or a sum
can rectify its values before it writes them. A sigmoid or a hyperbolic tangent costs more to
compute than to move; behind a convolution or an affine map it is computed where the result
lies, which spares an element and its memory. The rule is that of the two, one behind the
other, and says so.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from tinygrad_cnn.element import ArrayElement, FunctionElement
from tinygrad_cnn.elements.activation import ActivationElement
from tinygrad_cnn.elements.activation_rectifiers import ReluElement
from tinygrad_cnn.elements.arithmetic import AddElement
from tinygrad_cnn.elements.requirements import one_float_type, require_variables
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


def activated(rule: Rule, activation: Rule) -> Rule:
    r"""Return the rule of an element and an activation behind it.

    Examples
    --------
    >>> double = Rule(("x",), ("z",), "2 {x}", {"x": "2 {δz}"}, "z = 2 x", {"x": r"2 \delta(z)"})
    >>> both = activated(double, ReluElement.rule)
    >>> both.forward_text(), both.backward_text("x")
    ('a = max(0, 2 x)', 'δ(x) = 2 (δ(a) ∘ [a > 0])')
    >>> both.latex
    'a = \\max(0, z), \\quad z = 2 x'
    >>> from tinygrad_cnn.elements.activation import SigmoidElement
    >>> activated(double, SigmoidElement.rule).forward_text()
    'a = 1 / (1 + exp(-(2 x)))'
    """
    z = rule.outputs[0]
    signal = f"({activation.backward['z']})"
    latex_signal = rf", \quad {activation.latex_backward['z'].replace('(z)', f'({z})')}"
    forward = activation.forward.replace("-{z}", f"-({rule.forward})")
    return replace(
        rule,
        outputs=("a", *rule.outputs[1:]),
        forward=forward.replace("{z}", rule.forward),
        backward={x: text.replace(f"{{δ{z}}}", signal) for x, text in rule.backward.items()},
        latex=rf"{activation.latex}, \quad {rule.latex}",
        latex_backward={x: text + latex_signal for x, text in rule.latex_backward.items()},
    )


def require_activation(operation: str, activation: str | None, known: Iterable[str]) -> None:
    """Refuse an activation that is none of those known.

    Raises
    ------
    OptionError
        If it is neither None nor one of them.
    """
    if activation is not None and activation not in (*known,):
        names = " or ".join(", ".join(map(repr, (None, *known))).rsplit(", ", 1))
        raise OptionError(
            f"{operation}: activation is {names}, which becomes part of the element; got "
            f"{activation!r}. Apply another one to the result"
        )


class ActivatedElement(FunctionElement):
    """Common part: the error signal of z is that of a through the activation."""

    activation: ClassVar[type[ActivationElement]]

    def backward(self, signal: Variable, *others: Any) -> Any:
        return super().backward(self.activation.gradient()(signal, self.saved("a")), *others)


class RectifiedElement(ActivatedElement):
    """A kernel that rectifies what it computes before it stores it."""

    activation = ReluElement
    convention = ReluElement.convention


class SquashedElement(ActivatedElement):
    """The kernel without an activation, and that of the activation where the result lies."""

    def finish(self, out: Any) -> None:
        name = self.activation.name
        self.device.kernel(name, out.dtype).function(out, out)


class AddReluElement(RectifiedElement, AddElement, ArrayElement, name="add_relu"):
    """Add and rectify the sum: where a shortcut meets the branch beside it."""

    rule = activated(AddElement.rule, ReluElement.rule)
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
