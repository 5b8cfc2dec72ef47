"""Activation layers."""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.activation_smooth import sharpness
from tinygrad_cnn.elements.requirements import finite_number, positive_number
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.tensor import Tensor


class Sigmoid(Module):
    """a = 1 / (1 + exp(-z)); see :func:`tinygrad_cnn.functional.sigmoid`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> Sigmoid()(tg.Tensor([0.0])).tolist()
    [0.5]
    """

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.sigmoid(z)


class Tanh(Module):
    """a = tanh(z); see :func:`tinygrad_cnn.functional.tanh`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> Tanh()(tg.Tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.tanh(z)


class ScaledTanh(Module):
    """a = 1.7159 tanh(2/3 z); see :func:`tinygrad_cnn.functional.scaled_tanh`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> [round(a, 3) for a in ScaledTanh()(tg.Tensor([-1.0, 1.0])).tolist()]
    [-1.0, 1.0]
    """

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.scaled_tanh(z)


class ReLU(Module):
    """a = max(0, z); see :func:`tinygrad_cnn.functional.relu`.

    Parameters
    ----------
    inplace : bool
        Taken for the sake of PyTorch's signature; the result is a new tensor in either case.
    at_zero : float, from 0 to 1
        The derivative at z = 0.

    Examples
    --------
    >>> ReLU(at_zero=0.5)
    ReLU(at_zero=0.5)
    """

    def __init__(self, inplace: bool = False, *, at_zero: float = 0.0) -> None:
        super().__init__()
        self.at_zero = finite_number("ReLU", "at_zero", at_zero, 0.0, 1.0)

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.relu(z, self.at_zero)

    def options(self) -> str:
        return f"at_zero={self.at_zero}" if self.at_zero else ""


class LeakyReLU(Module):
    """a = max(0, z) + negative_slope min(0, z); see :func:`tinygrad_cnn.functional.leaky_relu`.

    Parameters
    ----------
    negative_slope : float
        Slope below 0.
    inplace : bool
        As for ReLU.

    Examples
    --------
    >>> LeakyReLU(0.2)
    LeakyReLU(negative_slope=0.2)
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = finite_number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.leaky_relu(z, self.negative_slope)

    def options(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """a = z above 0, else alpha (exp(z) - 1); see :func:`tinygrad_cnn.functional.elu`.

    Parameters
    ----------
    alpha : float
        Where large negative values end, with its sign changed.
    inplace : bool
        As for ReLU.

    Examples
    --------
    >>> ELU()
    ELU(alpha=1.0)
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = finite_number("ELU", "alpha", alpha)

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.elu(z, self.alpha)

    def options(self) -> str:
        return f"alpha={self.alpha}"


class Softplus(Module):
    """a = log(1 + exp(beta z)) / beta; see :func:`tinygrad_cnn.functional.softplus`.

    Parameters
    ----------
    beta : float
        Sharpness of the corner.
    threshold : float
        Where beta z lies above it, a is z itself.

    Examples
    --------
    >>> Softplus(beta=2.0)
    Softplus(beta=2.0, threshold=20.0)
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = sharpness("Softplus", beta, threshold)

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.softplus(z, self.beta, self.threshold)

    def options(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardsigmoid(Module):
    """a = max(0, min(1, slope z + 1/2)); see :func:`tinygrad_cnn.functional.hardsigmoid`.

    Parameters
    ----------
    inplace : bool
        As for ReLU.
    slope : float
        A sixth by default; 0.2 is the older form.

    Examples
    --------
    >>> Hardsigmoid(slope=0.2)
    Hardsigmoid(slope=0.2)
    """

    def __init__(self, inplace: bool = False, *, slope: float = 1 / 6) -> None:
        super().__init__()
        self.slope = positive_number("Hardsigmoid", "slope", slope)

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.hardsigmoid(z, self.slope)

    def options(self) -> str:
        return "" if self.slope == 1 / 6 else f"slope={self.slope}"


class _AlongAxis(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise OptionError(
                f"{type(self).__name__}: dim is an integer, and stated; got {dim}. "
                "Of scores (N, K) it is 1"
            )
        self.dim = dim

    def options(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """y = exp(x) / Σ exp(x) along an axis; see :func:`tinygrad_cnn.functional.softmax`.

    Parameters
    ----------
    dim : int
        Axis of the classes.

    Examples
    --------
    >>> Softmax(1)
    Softmax(dim=1)
    """

    def forward(self, x: Tensor) -> Any:
        """Turn scores into probabilities."""
        return F.softmax(x, self.dim)


class LogSoftmax(_AlongAxis):
    """y = x - log Σ exp(x) along an axis; see :func:`tinygrad_cnn.functional.log_softmax`.

    Parameters
    ----------
    dim : int
        Axis of the classes.

    Examples
    --------
    >>> LogSoftmax(1)
    LogSoftmax(dim=1)
    """

    def forward(self, x: Tensor) -> Any:
        """Turn scores into log-probabilities."""
        return F.log_softmax(x, self.dim)
