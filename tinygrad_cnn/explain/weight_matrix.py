"""A convolution as what it is: a sparse matrix whose entries are shared.

Written out for all pixels, a convolution is a fully connected layer most of whose weights
are zero, and whose others repeat along diagonals: each tap of a filter once for every output
pixel. That is *weight sharing*, and :func:`draw_weight_matrix` draws it.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.requirements import is_integer
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.kernels.geometry import Pair
from tinygrad_cnn.tensor import Tensor

__all__ = ["draw_weight_matrix", "weight_matrix"]

Array = npt.NDArray[Any]

_LABELLED = 40  # rows or columns: beyond, their pixels are not named
_NUMBERED = 30  # rows or columns: beyond, taps are not written into their cells


def weight_matrix(
    weight: Any,
    image_shape: tuple[int, int, int],
    stride: int | Pair = 1,
    padding: Any = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    *,
    flip: bool = False,
) -> Array:
    """Return the matrix of a convolution: what a fully connected layer would have to learn.

    Parameters
    ----------
    weight : Tensor or array, shape (O, C / groups, KH, KW)
        Filters.
    image_shape : (int, int, int)
        C, H and W.
    stride, padding, dilation, groups, flip
        As in :func:`tinygrad_cnn.functional.conv2d`.

    Returns
    -------
    ndarray, shape (O · OH · OW, C · H · W)
        M, with ``M @ x.ravel() == conv2d(x).ravel()`` for an image x.

    Raises
    ------
    ShapeError
        If the image has other than three sizes, or they do not fit the filters.

    Notes
    -----
    Column (c, r, q) is what the convolution makes of an image whose one pixel is 1: the
    matrix of a linear map. Dense, it has O·OH·OW·C·H·W weights; the convolution has
    O·C·KH·KW / groups.

    References
    ----------
    .. [1] V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning",
       arXiv:1603.07285, section 4.1.

    Examples
    --------
    >>> weight_matrix(np.array([[[[2.0, 3.0, 5.0]]]]), (1, 1, 5))
    array([[2., 3., 5., 0., 0.],
           [0., 2., 3., 5., 0.],
           [0., 0., 2., 3., 5.]])
    """
    shape = image_shape if isinstance(image_shape, tuple | list) else ()
    if len(shape) != 3 or not all(is_integer(size, 1) for size in shape):
        raise ShapeError(
            f"weight_matrix: an image is (C, H, W), in pixels; got {image_shape!s:.60}"
        )
    filters = weight.numpy() if isinstance(weight, Tensor) else np.asarray(weight)
    pixels = int(np.prod(image_shape))
    images = np.eye(pixels, dtype=filters.dtype).reshape(pixels, *image_shape)
    answers = F.conv2d(
        Tensor(images), Tensor(filters), None, stride, padding, dilation, groups, flip=flip
    )
    return np.ascontiguousarray(answers.numpy().reshape(pixels, -1).T)


def draw_weight_matrix(
    weight: Any,
    image_shape: tuple[int, int, int],
    path: str | Path,
    stride: int | Pair = 1,
    padding: Any = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    *,
    flip: bool = False,
) -> None:
    """Draw the matrix of a convolution into a PNG file.

    Above, each weight by its value, blue below zero and red above; below, each weight by
    which tap of which filter it is: cells of one colour are one shared weight. Small
    matrices carry the number of the tap, w1 being the first of the filter. Black lines part
    filters and channels.

    Parameters
    ----------
    weight, image_shape, stride, padding, dilation, groups, flip
        As in :func:`weight_matrix`.
    path : str or Path
        PNG file.

    Raises
    ------
    ShapeError
        As :func:`weight_matrix`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "weights.png")
    ...     draw_weight_matrix(np.ones((2, 1, 3, 3)), (1, 5, 5), file)
    ...     file.stat().st_size > 0
    True
    """
    # Without pyplot: no window system is asked for, no global state is left behind.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    filters = weight.numpy() if isinstance(weight, Tensor) else np.asarray(weight)
    options: dict[str, Any] = {"flip": flip}
    places = (stride, padding, dilation, groups)
    values = weight_matrix(filters, image_shape, *places, **options)
    # Taps are numbered from 1 within each filter; 0 is no weight at all.
    numbers = np.arange(1, filters[0].size + 1, dtype=np.float64).reshape(1, *filters.shape[1:])
    taps = weight_matrix(np.repeat(numbers, len(filters), 0), image_shape, *places, **options)

    rows, columns = values.shape
    cell = min(0.6, 8 / columns, 6 / rows)  # inches
    size = (max(5.0, 2.2 + cell * columns), max(4.0, 1.8 + 2 * cell * rows))
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    dense, shared = rows * columns, filters.size
    figure.suptitle(
        f"{shared} shared weights in place of {dense:,}, "
        f"{1 - np.count_nonzero(taps) / dense:.0%} of which are no connection",
        fontsize=10,
    )
    above, below = figure.subplots(2, 1)
    largest = float(np.abs(values).max()) or 1.0
    box = (0.5, columns + 0.5, rows + 0.5, 0.5)  # pixels are counted from 1
    drawn = above.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, extent=box)
    figure.colorbar(drawn, ax=above, label="weight")
    above.set_title("by value", fontsize=10)
    which, whole = np.ma.masked_equal(taps, 0), MaxNLocator(integer=True)
    last = int(filters[0].size)
    drawn = below.imshow(which, cmap="turbo", vmin=1, vmax=max(last, 2), extent=box)
    figure.colorbar(drawn, ax=below, label="tap of the filter", ticks=whole)
    below.set_title("by which tap of its filter it is", fontsize=10)
    for axes in (above, below):
        _label(axes, values.shape, image_shape, len(filters))
    if max(rows, columns) <= _NUMBERED:
        for row, column in zip(*np.nonzero(taps), strict=True):
            tap = int(taps[row, column])
            color = "black" if 0.15 < (tap - 1) / max(1, last - 1) < 0.85 else "white"
            place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6}
            below.text(column + 1, row + 1, f"w{tap}", color=color, **place)
    stream = io.BytesIO()
    # No date and no version of the program inside: the same weights give the same file.
    figure.savefig(stream, format="png", metadata={"Software": None})
    Path(path).write_bytes(stream.getvalue())


def _label(
    axes: Any, size: tuple[int, ...], image_shape: tuple[int, int, int], filters: int
) -> None:
    """Name the pixels, and draw lines between filters and between channels."""
    rows, columns = size
    axes.set_xlabel("pixel of the image")
    axes.set_ylabel("pixel of the output")
    if columns <= _LABELLED:
        axes.set_xticks(range(1, columns + 1))
    if rows <= _LABELLED:
        axes.set_yticks(range(1, rows + 1))
    axes.tick_params(labelsize=6 if max(rows, columns) <= _LABELLED else 8)
    for k in range(1, filters):
        axes.axhline(k * rows / filters + 0.5, color="black", linewidth=1)
    for k in range(1, image_shape[0]):
        axes.axvline(k * columns / image_shape[0] + 0.5, color="black", linewidth=1)
    if max(rows, columns) <= 3 * _LABELLED:
        axes.set_xticks(np.arange(columns + 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(rows + 1) + 0.5, minor=True)
        axes.grid(which="minor", color="0.85", linewidth=0.4)
        axes.tick_params(which="minor", length=0)
