"""Layers that drop values at random in training."""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.requirements import finite_number
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.tensor import Tensor


class Dropout(Module):
    """Drop values at random in training; see :func:`tinygrad_cnn.functional.dropout`.

    Parameters
    ----------
    p : float
        Probability that a value is dropped.
    inplace : bool
        As for :class:`ReLU`: the result is a new tensor in either case.

    Raises
    ------
    OptionError
        If p is not between 0 and 1.

    References
    ----------
    .. [1] N. Srivastava et al., "Dropout: a simple way to prevent neural networks from
       overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> layer = tg.nn.Dropout(0.5).eval()
    >>> layer(tg.Tensor([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = finite_number(type(self).__name__, "p", p, 0.0, 1.0)

    def forward(self, x: Tensor) -> Any:
        """Drop each value with probability p, and scale the others by 1 / (1 - p)."""
        return F.dropout(x, self.p, self.training)

    def options(self) -> str:
        return f"p {self.p}"


class Dropout2d(Dropout):
    """Drop whole channels in training; see :func:`tinygrad_cnn.functional.dropout2d`.

    Parameters
    ----------
    p : float
        Probability that a channel of an image is dropped.
    inplace : bool
        As for :class:`ReLU`: the result is a new tensor in either case.

    References
    ----------
    .. [1] J. Tompson et al., "Efficient object localization using convolutional networks",
       CVPR 2015, section 3.2: "SpatialDropout".

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.Dropout2d(0.5)(tg.ones(1, 3, 2, 2)).shape
    (1, 3, 2, 2)
    """

    def forward(self, x: Tensor) -> Any:
        """Drop each channel with probability p, and scale the others by 1 / (1 - p)."""
        return F.dropout2d(x, self.p, self.training)
