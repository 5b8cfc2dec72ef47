"""Averages over a grid of cells that covers an image of any size, one cell among them."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.pool_mean import AvgPool2dGradElement, Spans, over_spans, span_table
from tinygrad_cnn.elements.requirements import is_integer, one_float_type
from tinygrad_cnn.elements.shape import reshape
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

GridSize = tuple[int | None, int | None]  # (down, across) in cells; None for that of the image


@lru_cache(maxsize=256)
def _even_spans(pixels: int, outputs: int) -> layout.Array:
    """Return spans from floor(i · pixels / outputs) to ceil((i + 1) · pixels / outputs)."""
    i = np.arange(outputs)
    first, end = i * pixels // outputs, -(-(i + 1) * pixels // outputs)
    return span_table(first, end, end - first)


class AdaptiveAvgPool2dElement(ArrayElement, name="adaptive_avg_pool2d"):
    """Average the values in each cell of a grid that covers the image."""

    rule = Rule(
        ("x",),
        ("y",),
        "Σ {x} / m over each cell",
        {"x": "{δy} / m spread over each cell"},
        r"y = \frac{1}{m} \sum_{k \in \text{cell}} x_k",
        {"x": r"\delta(x)_k = \sum_{\text{cells} \ni k} \frac{1}{m} \delta(y)"},
    )

    def __init__(self, output_size: GridSize) -> None:
        self.output_size = output_size

    def options(self) -> dict[str, Any]:
        down, across = self.output_size
        return {"output_size": f"{down or 'H'}x{across or 'W'}"}

    def check(self, x: Variable) -> None:
        self.spans = _grid(self.name, x, self.output_size)

    def forward(self, x: Any) -> Any:
        rows, columns = self.spans
        shape = (*x.shape[:2], len(rows), len(columns))
        return over_spans(self, "mean_pool2d_forward", x, self.spans, shape)

    def backward(self, signal: Variable) -> Variable:
        again = partial(AdaptiveAvgPool2dElement, self.output_size)
        return AvgPool2dGradElement(self.spans, self.inputs[0].shape, again)(signal)


class GlobalAvgPool2dElement(ArrayElement, name="global_avg_pool2d"):
    """Average all pixels of each channel."""

    rule = Rule(
        ("x",),
        ("y",),
        "Σ {x} / m over all pixels",
        {"x": "{δy} / m repeated"},
        r"y_{nc} = \frac{1}{m} \sum_{ij} x_{ncij}",
        {"x": r"\delta(x)_{ncij} = \frac{1}{m} \delta(y)_{nc}"},
    )
    sees_everything = True

    def check(self, x: Variable) -> None:
        self.spans = _grid(self.name, x, (1, 1))

    def forward(self, x: Any) -> Any:
        shape = (*x.shape[:2], 1, 1)
        return over_spans(self, "mean_pool2d_forward", x, self.spans, shape).reshape(shape[:2])

    def backward(self, signal: Variable) -> Variable:
        again = partial(AdaptiveAvgPool2dElement, (1, 1))
        element = AvgPool2dGradElement(self.spans, self.inputs[0].shape, again)
        return element(reshape(signal, (*signal.shape, 1, 1)))


def grid_size(operation: str, output_size: Any) -> GridSize:
    """Return the size of a grid as (down, across)."""
    both = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * 2
    if len(both) != 2 or not all(size is None or is_integer(size, 1) for size in both):
        raise OptionError(
            f"{operation}: output_size is an integer of at least 1 or None, or two of "
            f"them (down, across); got {output_size!r}"
        )
    return both[0], both[1]


def _grid(operation: str, x: Variable, output_size: GridSize) -> Spans:
    """Refuse what is no batch of images with pixels; return the spans of a grid of cells."""
    if len(x.shape) != 4:
        raise ShapeError(f"{operation}: x is (N, C, H, W); got {x.shape}")
    if 0 in x.shape[2:]:
        raise ShapeError(f"{operation}: an image has pixels; got x {x.shape}")
    one_float_type(operation, x)
    height, width = x.shape[2:]
    down, across = output_size
    return (
        _even_spans(height, height if down is None else down),
        _even_spans(width, width if across is None else across),
    )


# -- functions -----------------------------------------------------------------------


def adaptive_avg_pool2d(x: Any, output_size: int | Sequence[int | None] | None) -> Any:
    """Average the values in each cell of a grid, so that images of any size become one size.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.
    output_size : int or (int or None, int or None), in cells
        The grid, (down, across); None keeps the size of the image.

    Returns
    -------
    Tensor, shape (N, C, OH, OW)
        With (OH, OW) the `output_size`.

    Raises
    ------
    ShapeError
        If x is not a batch of images, or these have no pixels.
    DTypeError
        If x is not float32 or float64.
    OptionError
        If a size is below 1.

    Notes
    -----
    Cell i takes the rows from ``floor(i H / OH)`` to ``ceil((i + 1) H / OH) - 1``, columns
    likewise: neighbouring cells share a row where OH does not divide H.
    ``y = Σ x / m``; ``δ(x) = δ(y) / m`` for each of the m pixels of a cell, added up where
    cells overlap.

    References
    ----------
    .. [1] K. He et al., "Spatial pyramid pooling in deep convolutional networks for visual
       recognition", ECCV 2014, section 2.2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[[1.0, 2.0, 6.0]]]])
    >>> tg.functional.adaptive_avg_pool2d(x, (None, 2)).tolist()
    [[[[1.5, 4.0]]]]
    """
    return AdaptiveAvgPool2dElement(grid_size("adaptive_avg_pool2d", output_size))(x)


def global_avg_pool2d(x: Any) -> Any:
    """Average all pixels of each channel: images become vectors.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Images.

    Returns
    -------
    Tensor, shape (N, C)

    Raises
    ------
    ShapeError
        If x is not a batch of images, or these have no pixels.
    DTypeError
        If x is not float32 or float64.

    Notes
    -----
    ``y = Σ x / (H W)``; ``δ(x) = δ(y) / (H W)`` for each pixel. It is
    ``adaptive_avg_pool2d(x, 1)`` without the last two axes.

    References
    ----------
    .. [1] M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014, section 3.2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.global_avg_pool2d(tg.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]])).tolist()
    [[3.0]]
    """
    return GlobalAvgPool2dElement()(x)
