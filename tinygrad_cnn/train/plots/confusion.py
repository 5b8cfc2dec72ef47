"""The confusion matrix: which class was taken for which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.train.metrics import names_of_classes, precision, recall
from tinygrad_cnn.train.plots.canvas import new_figure, write_figure

__all__ = ["draw_confusion"]

_COUNTS_UP_TO = 26  # classes; beyond, numbers would be too small to be read
_NAMES_UP_TO = 50


def draw_confusion(
    path: Path, matrix: npt.NDArray[np.int64], class_names: Sequence[str] = (), title: str = ""
) -> None:
    """Draw a confusion matrix, each row coloured by the share of its class.

    Of few classes the counts are written into the fields, the recall of each class at the end
    of its row and the precision of each answer below its column. The colour grows with the
    root of the share, so that rare mistakes are seen.

    Parameters
    ----------
    path : Path
        PNG file.
    matrix : ndarray of int, shape (K, K)
        See :func:`~tinygrad_cnn.train.metrics.confusion_matrix`.
    class_names : sequence of str, optional
        By default their numbers.
    title : str

    Raises
    ------
    RunDirectoryError
        If the file cannot be written.
    """
    classes = len(matrix)
    names = names_of_classes(class_names, classes)
    shares = np.sqrt(matrix / np.maximum(matrix.sum(1, keepdims=True), 1))
    counted = classes <= _COUNTS_UP_TO
    side = 2.6 + 0.55 * classes if counted else 9.0
    figure = new_figure(max(side, 5.0), max(side, 5.0))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title)
    axes.set(xlabel="answer", ylabel="class")
    if classes <= _NAMES_UP_TO:
        turned = 90 if max(map(len, names)) > 3 else 0
        size = 10 if counted else 7
        axes.set_xticks(range(classes), names, rotation=turned, fontsize=size)
        axes.set_yticks(range(classes), names, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if counted:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = "white" if shares[row, column] > 0.6 else "black"
                axes.text(
                    column, row, f"{count}", ha="center", va="center", color=colour, fontsize=8
                )
        for place, (found, right) in enumerate(zip(recall(matrix), precision(matrix), strict=True)):
            axes.text(classes - 0.35, place, _percent(found), va="center", fontsize=8)
            axes.text(
                place,
                classes - 0.35,
                _percent(right),
                ha="center",
                va="top",
                fontsize=8,
                rotation=90,
            )
        axes.text(classes - 0.35, -0.75, "recall", va="center", fontsize=8, style="italic")
        axes.text(
            -0.75, classes - 0.35, "precision", ha="right", va="top", fontsize=8, style="italic"
        )
        axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False)
        axes.xaxis.set_label_position("top")
    write_figure(path, figure)


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"
