"""Dropout: in training values, or whole channels, are set to zero at random.

What stays is scaled by 1 / (1 - p), so that the expected value is the same, and nothing is to
be done in evaluation.
"""

from typing import Any

import numpy as np

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.arithmetic import multiply
from tinygrad_cnn.elements.reduce import broadcast_to
from tinygrad_cnn.elements.requirements import finite_number, one_float_type, require_variables
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class _Dropout(ArrayElement):
    """Common part: the probability, and the product with a mask."""

    def __init__(self, p: float) -> None:
        self.p = p
        self.scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0

    def options(self) -> dict[str, Any]:
        return {"p": self.p}

    def masked(self, x: Any, mask: Any) -> Any:
        """Return x where the mask says so, scaled; zero elsewhere."""
        out = self.device.empty_activation(x.shape, x.dtype)
        self.device.kernel("dropout", x.dtype).function(
            layout.channels_last(x),
            layout.channels_last(mask),
            self.scale,
            layout.channels_last(out),
        )
        return out


class DropoutElement(_Dropout, name="dropout"):
    """Set values to zero at random."""

    rule = Rule(
        ("x",),
        ("y", "mask"),
        "{x} ∘ {mask} / (1 - p)",
        {"x": "{δy} ∘ {mask} / (1 - p)"},
        r"y = \frac{1}{1 - p} \, x \circ M, \quad M \in \{0, 1\}",
        {"x": r"\delta(x) = \frac{1}{1 - p} \, \delta(y) \circ M"},
    )
    saves = {"x": ("mask",)}
    differentiable = ("y",)

    def __init__(self, p: float, generator: np.random.Generator) -> None:
        super().__init__(p)
        self.generator = generator

    def check(self, x: Variable) -> None:
        one_float_type(self.name, x)

    def forward(self, x: Any) -> Any:
        mask = self.device.keep_mask(x.shape, self.p, self.generator)
        return self.masked(x, mask), mask

    def backward(self, signal: Variable, _: Any) -> Variable:
        return DropoutGradElement(self.p)(signal, self.saved("mask"))


class DropoutGradElement(_Dropout, name="dropout_grad"):
    """Drop, of an error signal, what was dropped of the values."""

    rule = Rule(
        ("δ", "mask"),
        ("y",),
        "{δ} ∘ {mask} / (1 - p)",
        {"δ": "{δy} ∘ {mask} / (1 - p)"},
        r"y = \frac{1}{1 - p} \, \delta \circ M",
        {"δ": r"\delta(\delta) = \frac{1}{1 - p} \, \delta(y) \circ M"},
    )
    saves = {"δ": ("mask",)}

    def forward(self, signal: Any, mask: Any) -> Any:
        return self.masked(signal, mask)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        return DropoutGradElement(self.p)(signal, self.saved("mask")), None


# -- functions -----------------------------------------------------------------------


def dropout(
    x: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    generator: np.random.Generator | None = None,
) -> Any:
    """Set each value to zero with probability p, and scale the others by 1 / (1 - p).

    Parameters
    ----------
    x : Tensor, any shape
    p : float
        Probability that a value is dropped.
    training : bool
        Off, x is returned as it is.
    generator : numpy.random.Generator, optional
        What draws; by default the one that ``tg.manual_seed`` seeds.

    Returns
    -------
    Tensor, shape of x

    Raises
    ------
    OptionError
        If p is not between 0 and 1.
    DTypeError
        If x is not float32 or float64.

    Notes
    -----
    ``y = x ∘ M / (1 - p)`` and ``δ(x) = δ(y) ∘ M / (1 - p)`` with the same mask M. It is drawn
    in one order of the axes, N, H, W, C for images, so the same seed drops the same values
    however x lies in memory, and on any number of threads.
    The paper scales the weights by 1 - p in evaluation instead; the expected values are equal.

    References
    ----------
    .. [1] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: a
       simple way to prevent neural networks from overfitting", JMLR 15, 2014, section 4 and, on
       the scaling, section 10.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> _ = tg.manual_seed(1)
    >>> sorted(set(tg.functional.dropout(tg.ones(100), 0.75).tolist()))
    [0.0, 4.0]
    """
    require_variables("dropout", x)
    p = finite_number("dropout", "p", p, 0.0, 1.0)
    if not training or p == 0.0:
        return x
    return DropoutElement(p, generator or default_generator())(x)[0]


def dropout2d(
    x: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    generator: np.random.Generator | None = None,
) -> Any:
    """Set whole channels to zero with probability p, and scale the others by 1 / (1 - p).

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
    p : float
        Probability that a channel of an image is dropped.
    training : bool
        Off, x is returned as it is.
    generator : numpy.random.Generator, optional
        What draws; by default the one that ``tg.manual_seed`` seeds.

    Returns
    -------
    Tensor, shape of x

    Raises
    ------
    ShapeError
        If x is not (N, C, H, W).
    OptionError, DTypeError
        As in :func:`dropout`.

    Notes
    -----
    Neighbouring pixels say nearly the same, so dropping single ones hides little: a channel is
    dropped as a whole. The mask is :func:`dropout` of ones of shape (N, C, 1, 1), and the
    result its product with x.

    References
    ----------
    .. [1] J. Tompson, R. Goroshin, A. Jain, Y. LeCun, C. Bregler, "Efficient object localization
       using convolutional networks", CVPR 2015, section 3.2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> _ = tg.manual_seed(4)
    >>> tg.functional.dropout2d(tg.ones(1, 4, 1, 2), 0.5)[0, :, 0].tolist()
    [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0], [0.0, 0.0]]
    """
    require_variables("dropout2d", x)
    p = finite_number("dropout2d", "p", p, 0.0, 1.0)
    if len(x.shape) != 4:
        raise ShapeError(f"dropout2d: x is (N, C, H, W); got {x.shape}")
    if not training or p == 0.0:
        return x
    ones = broadcast_to(x.constant(1.0), (*x.shape[:2], 1, 1))
    return multiply(x, dropout(ones, p, generator=generator))
