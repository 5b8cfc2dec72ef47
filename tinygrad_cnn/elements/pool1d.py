"""Pooling along one axis: that of images one pixel high."""

from typing import Any

from tinygrad_cnn.elements.pool import Size, pool_window
from tinygrad_cnn.elements.pool_max import max_pool2d
from tinygrad_cnn.elements.pool_mean import avg_pool2d
from tinygrad_cnn.elements.requirements import require_variables
from tinygrad_cnn.elements.shape import squeeze, unsqueeze
from tinygrad_cnn.elements.window import single
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.kernels.geometry import Pair


def _as_images(operation: str, x: Any) -> Any:
    require_variables(operation, x)
    if len(x.shape) != 3:
        raise ShapeError(f"{operation}: x is (N, C, L); got {x.shape}")
    return unsqueeze(x, 2)


def _window(
    operation: str, kernel_size: Size, stride: Size | None, padding: Size
) -> tuple[Pair, Pair, Pair]:
    kernel = single(operation, "kernel_size", kernel_size, 1)
    step = kernel if stride is None else single(operation, "stride", stride, 1)
    border = single(operation, "padding", padding, 0)
    pool_window(operation, kernel, step, border)  # refuses under the name that was called
    return kernel, step, border


def max_pool1d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    ties: str = "first",
) -> Any:
    """Keep the largest value under each window of a row.

    Parameters
    ----------
    x : Tensor, shape (N, C, L)
        Rows.
    kernel_size, stride, padding, dilation : int, in values
        As in :func:`max_pool2d`.
    ceil_mode, return_indices, ties
        As in :func:`max_pool2d`.

    Returns
    -------
    Tensor, shape (N, C, OL)
        With ``OL = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1``.
    indices : Tensor of int64, shape (N, C, OL)
        The place of each winner; only with `return_indices`.

    Raises
    ------
    ShapeError, DTypeError, OptionError
        As in :func:`max_pool2d`.

    Notes
    -----
    It is :func:`max_pool2d` of images one pixel high.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.max_pool1d(tg.Tensor([[[1.0, 4.0, 3.0, 2.0]]]), 2).tolist()
    [[[4.0, 3.0]]]
    """
    images = _as_images("max_pool1d", x)
    window = _window("max_pool1d", kernel_size, stride, padding)
    gaps = single("max_pool1d", "dilation", dilation, 1)
    pooled = max_pool2d(images, *window, gaps, ceil_mode, return_indices, ties=ties)
    if return_indices:
        return squeeze(pooled[0], 2), squeeze(pooled[1], 2)
    return squeeze(pooled, 2)


def avg_pool1d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """Average the values under each window of a row.

    Parameters
    ----------
    x : Tensor, shape (N, C, L)
        Rows.
    kernel_size, stride, padding : int, in values
        As in :func:`avg_pool2d`.
    ceil_mode, count_include_pad
        As in :func:`avg_pool2d`.

    Returns
    -------
    Tensor, shape (N, C, OL)

    Raises
    ------
    ShapeError, DTypeError, OptionError
        As in :func:`avg_pool2d`.

    Notes
    -----
    It is :func:`avg_pool2d` of images one pixel high.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.avg_pool1d(tg.Tensor([[[1.0, 4.0, 3.0, 2.0]]]), 2).tolist()
    [[[2.5, 2.5]]]
    """
    images = _as_images("avg_pool1d", x)
    window = _window("avg_pool1d", kernel_size, stride, padding)
    return squeeze(avg_pool2d(images, *window, ceil_mode, count_include_pad), 2)
