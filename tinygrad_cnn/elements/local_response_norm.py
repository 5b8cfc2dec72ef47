"""Local response normalisation: a channel is damped where its neighbours are strong."""

from typing import Any

import numpy as np

from tinygrad_cnn.elements.affine import matmul
from tinygrad_cnn.elements.arithmetic import add, divide, multiply, subtract
from tinygrad_cnn.elements.channelwise import ChannelwiseElement
from tinygrad_cnn.elements.powers import power
from tinygrad_cnn.elements.requirements import (
    finite_number,
    is_integer,
    one_float_type,
    require_variables,
)
from tinygrad_cnn.elements.shape import reshape
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

Formula = tuple[int, float, float, float]  # n, α, β and k

DIVISOR = "d = k + α / n ∘ Σ {x}² over n channels"
LATEX_DIVISOR = r"d_c = k + \frac{\alpha}{n} \sum_{c' \in W(c)} x_{c'}^2"


class _LocalResponseNorm(ChannelwiseElement):
    """Common part: the four numbers of the formula."""

    def __init__(self, size: int, alpha: float, beta: float, k: float) -> None:
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    @property
    def numbers(self) -> Formula:
        """Return n, α, β and k."""
        return self.size, self.alpha, self.beta, self.k

    def options(self) -> dict[str, Any]:
        return {"size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}

    def check(self, *inputs: Variable) -> None:
        x = inputs[-1]
        if len(x.shape) < 3:
            raise ShapeError(
                f"{self.name}: x is (N, C, ...) with at least one axis behind C; got {x.shape}"
            )
        one_float_type(self.name, *inputs)

    def run(self, operation: str, *inputs: Any) -> Any:
        """Run a kernel on arrays of one shape."""
        out = self.empty_like(inputs[0])
        arrays = (self.channels_last(each) for each in inputs)
        kernel = self.device.kernel(operation, inputs[0].dtype).function
        kernel(*arrays, *self.numbers, layout.channels_last(out))
        return self.api_view(out, inputs[0].shape)


class LocalResponseNormElement(_LocalResponseNorm, name="local_response_norm"):
    """Divide each value by a power of the energy in the channels around it."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} / d^β, " + DIVISOR,
        {"x": "{δy} / d^β - 2αβ / n ∘ {x} ∘ Σ {δy} ∘ {x} / d^(β + 1) over the windows with {x}"},
        rf"y_c = \frac{{x_c}}{{d_c^\beta}}, \quad {LATEX_DIVISOR}",
        {
            "x": r"\delta(x)_c = \frac{\delta(y)_c}{d_c^\beta} - \frac{2 \alpha \beta}{n} x_c"
            r" \sum_{j : c \in W(j)} \frac{\delta(y)_j x_j}{d_j^{\beta + 1}}"
        },
    )
    saves = {"x": ("x",)}

    def forward(self, x: Any) -> Any:
        return self.run("local_response_norm_forward", x)

    def backward(self, signal: Variable) -> Variable:
        return LocalResponseNormGradElement(*self.numbers)(signal, self.saved("x"))


class LocalResponseNormGradElement(_LocalResponseNorm, name="local_response_norm_grad"):
    """Error signal through a local response normalisation."""

    rule = Rule(
        ("δ", "x"),
        ("y",),
        "{δ} / d^β - 2αβ / n ∘ {x} ∘ Σ {δ} ∘ {x} / d^(β + 1) over the windows with {x}, " + DIVISOR,
        {
            "δ": "{δy} / d^β - 2αβ / n ∘ {x} / d^(β + 1) ∘ Σ {δy} ∘ {x} over n channels",
            "x": "2α / n ∘ {x} ∘ Σ e over the windows with {x} - 2αβ / n ∘ ({δ} / d^(β + 1) ∘ s + "
            "{δy} ∘ Σ {δ} ∘ {x} / d^(β + 1) over the windows with {x}), "
            "s = Σ {δy} ∘ {x} over n channels, "
            "e = 2αβ(β + 1) / n ∘ {δ} ∘ {x} ∘ s / d^(β + 2) - β {δy} ∘ {δ} / d^(β + 1)",
        },
        r"y_c = \frac{\delta_c}{d_c^\beta} - \frac{2 \alpha \beta}{n} x_c"
        r" \sum_{j : c \in W(j)} \frac{\delta_j x_j}{d_j^{\beta + 1}}, \quad " + LATEX_DIVISOR,
        {
            "δ": r"\delta(\delta)_c = \frac{\delta(y)_c}{d_c^\beta} - \frac{2 \alpha \beta}{n}"
            r" \frac{x_c}{d_c^{\beta + 1}} s_c, \quad"
            r" s_c = \sum_{c' \in W(c)} \delta(y)_{c'} x_{c'}",
            "x": r"\delta(x)_c = \frac{2 \alpha}{n} x_c \sum_{j : c \in W(j)} e_j"
            r" - \frac{2 \alpha \beta}{n} \Bigl( \frac{\delta_c s_c}{d_c^{\beta + 1}} + \delta(y)_c"
            r" \sum_{j : c \in W(j)} \frac{\delta_j x_j}{d_j^{\beta + 1}} \Bigr), \quad"
            r" e = \frac{2 \alpha \beta (\beta + 1)}{n} \frac{\delta x s}{d^{\beta + 2}}"
            r" - \frac{\beta \, \delta(y) \, \delta}{d^{\beta + 1}}",
        },
    )
    saves = {"δ": ("x",), "x": ("δ", "x")}

    def forward(self, signal: Any, x: Any) -> Any:
        return self.run("local_response_norm_grad", signal, x)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_delta, want_x = self.wanted
        x: Any = self.saved("x")
        beta, share = self.beta, self.alpha / self.size
        neighbours = _Neighbours(x, self.size)
        divisor = share * neighbours.sums(multiply(x, x)) + self.k
        small = power(divisor, x.constant(-beta))  # 1 / d^β
        smaller = divide(small, divisor)
        around = neighbours.sums(multiply(signal, x))
        to_delta = to_x = None
        if want_delta:
            damped = multiply(multiply(x, smaller), around) * (2.0 * share * beta)
            to_delta = subtract(multiply(signal, small), damped)
        if want_x:
            delta: Any = self.saved("δ")
            product = multiply(delta, smaller)
            steep = multiply(multiply(divide(product, divisor), x), around)
            steep = steep * (2.0 * share * beta * (beta + 1.0))
            through = subtract(steep, multiply(signal, product) * beta)
            direct = add(
                multiply(product, around),
                multiply(signal, neighbours.adjoint_sums(multiply(product, x))),
            )
            inside = multiply(x, neighbours.adjoint_sums(through)) * (2.0 * share)
            to_x = subtract(inside, direct * (2.0 * share * beta))
        return to_delta, to_x


class _Neighbours:
    """Sums over windows of channels as products with a matrix of zeros and ones."""

    def __init__(self, x: Any, size: int) -> None:
        c = np.arange(x.shape[1])
        reach = c[None, :] - c[:, None]
        inside = (reach >= -(size // 2)) & (reach <= (size - 1) // 2)
        self.matrix = x.lift(inside.astype(x.dtype))
        self.transposed = x.lift(inside.T.astype(x.dtype))

    def sums(self, values: Any) -> Any:
        """Add up the window of each channel."""
        return self._product(self.matrix, values)

    def adjoint_sums(self, values: Any) -> Any:
        """Add up, for each channel, those whose window holds it."""
        return self._product(self.transposed, values)

    def _product(self, matrix: Any, values: Any) -> Any:
        images, channels = values.shape[:2]
        pixels = int(np.prod(values.shape[2:]))
        rows = reshape(values, (images, channels, pixels))
        return reshape(matmul(matrix, rows), values.shape)


def formula(operation: str, size: Any, alpha: Any, beta: Any, k: Any) -> Formula:
    """Return the four numbers of the formula, or refuse them."""
    if not is_integer(size, 1):
        raise OptionError(f"{operation}: size is a positive integer; got {size!r}")
    numbers = zip(("alpha", "beta", "k"), (alpha, beta, k), strict=True)
    alpha, beta, k = (finite_number(operation, name, number) for name, number in numbers)
    return int(size), alpha, beta, k


# -- functions -----------------------------------------------------------------------


def local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """Divide each value by a power of the energy in the channels around it.

    Parameters
    ----------
    x : Tensor, shape (N, C, ...), with at least one axis behind C
    size : int, in channels
        Width n of the window: n // 2 channels before its own and (n - 1) // 2 behind, as far
        as there are any.
    alpha, beta, k : float
        Factor α, exponent β and constant k of the divisor.

    Returns
    -------
    Tensor, shape of x

    Raises
    ------
    ShapeError
        If x has less than three axes.
    DTypeError
        If x is not float32 or float64.
    OptionError
        If size is not a positive integer, or alpha, beta or k no finite number.

    Notes
    -----
    ``y = x / d^β`` with ``d = k + α / n · Σ x²`` over the window of each channel;
    ``δ(x) = δ(y) / d^β - 2αβ / n · x · Σ δ(y) x / d^(β + 1)`` over the channels whose window
    holds it.

    As in PyTorch α is divided by n. The paper's formula is without that division: AlexNet's
    α = 1e-4, β = 0.75, k = 2 over n = 5 channels is ``size=5, alpha=5e-4, k=2.0`` here.

    References
    ----------
    .. [1] A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep
       convolutional neural networks", NIPS 2012, section 3.3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[1.0], [2.0], [3.0]]])
    >>> y = tg.functional.local_response_norm(x, 3, alpha=3.0, beta=1.0)
    >>> [round(1.0 / value, 3) for value in (y / x).flatten().tolist()]
    [6.0, 15.0, 14.0]
    """
    require_variables("local_response_norm", x)
    return LocalResponseNormElement(*formula("local_response_norm", size, alpha, beta, k))(x)
