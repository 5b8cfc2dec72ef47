"""Images with a line below each: examples of a data set, and what a network got wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import ArrayDataset
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.train.metrics import names_of_classes
from tinygrad_cnn.train.plots.canvas import as_shown, new_figure, write_figure

__all__ = ["draw_examples", "draw_mistakes"]

_COLUMNS = 10
_INCHES = 1.1  # of an image
_CHARACTERS = 18  # of seven points, in one line below it


def draw_examples(path: Path, dataset: ArrayDataset, most: int = 60, title: str = "") -> int:
    """Draw examples of a data set, as many of each class as of the others.

    The first of each class, then the second of each, and so on: nothing is drawn at random.

    Parameters
    ----------
    path : Path
        PNG file.
    dataset : ArrayDataset
        Of images, shape (N, C, H, W).
    most : int
        Images at the most.
    title : str

    Returns
    -------
    int
        How many images were drawn.

    Raises
    ------
    OptionError
        If there is nothing to draw.
    ShapeError
        If the examples are no images.
    RunDirectoryError
        If the file cannot be written.
    """
    if most < 1 or not len(dataset):
        raise OptionError(
            f"draw_examples: there are images to draw; got most={most} of {len(dataset)}"
        )
    labels = dataset.labels
    turn = np.empty(len(labels), np.int64)  # the how-manieth of its class an image is
    for label in np.unique(labels):
        of_class = labels == label
        turn[of_class] = np.arange(np.count_nonzero(of_class))
    chosen = np.lexsort((labels, turn))[:most]
    names = names_of_classes(dataset.class_names, int(labels.max()) + 1)
    captions = [names[label] for label in labels[chosen]]
    classes = len(np.unique(labels))
    columns = classes if 5 <= classes <= 12 else _COLUMNS
    _draw(path, as_shown(dataset.images[chosen], dataset.standardise), captions, title, columns)
    return len(chosen)


def draw_mistakes(
    path: Path,
    dataset: ArrayDataset,
    probabilities: npt.NDArray[Any],
    most: int = 40,
    title: str = "",
) -> int:
    """Draw images whose class was missed, those first where the network was surest.

    Below each image stand its class, the answer, and the probability given to the answer.

    Parameters
    ----------
    path : Path
        PNG file.
    dataset : ArrayDataset
        Of images, shape (N, C, H, W).
    probabilities : ndarray, shape (N, K)
        See :func:`~tinygrad_cnn.train.answers.probabilities`.
    most : int
        Images at the most.
    title : str
        Goes before the number of mistakes.

    Returns
    -------
    int
        How many answers were wrong, drawn or not.

    Raises
    ------
    ShapeError
        If the examples are no images, or there are not as many rows of probabilities.
    RunDirectoryError
        If the file cannot be written.
    """
    if len(probabilities) != len(dataset):
        raise ShapeError(
            "draw_mistakes: there is a row of probabilities for each image; got "
            f"{len(probabilities)} rows for {len(dataset)} images"
        )
    answers = probabilities.argmax(1)
    sureness = probabilities[np.arange(len(answers)), answers]
    wrong = np.flatnonzero(answers != dataset.labels)
    shown = wrong[np.argsort(-sureness[wrong], kind="stable")][:most]
    names = names_of_classes(dataset.class_names, probabilities.shape[1])
    captions = [
        f"is {names[dataset.labels[n]]}\nsaid {names[answers[n]]}\n{100 * sureness[n]:.0f} % sure"
        for n in shown
    ]
    words = f"{len(wrong):,} of {len(dataset):,} wrong"
    words += f"; the {len(shown)} surest" if len(shown) < len(wrong) else ""
    words = f"{title}: {words}" if title else words
    pixels = as_shown(dataset.images[shown], dataset.standardise)
    _draw(path, pixels, captions, words, _COLUMNS)
    return len(wrong)


def _draw(
    path: Path, pixels: npt.NDArray[Any], captions: list[str], title: str, columns: int
) -> None:
    rows = max(1, -(-len(pixels) // columns))
    captions = ["\n".join(map(_cut, caption.split("\n"))) for caption in captions]
    lines = max([caption.count("\n") + 1 for caption in captions], default=1)
    figure = new_figure(columns * _INCHES, rows * (_INCHES + 0.17 * lines) + 0.5)
    figure.suptitle(title)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, caption in zip(grid, pixels, captions, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_anchor("N")
        text = axes.text(
            0.5, -0.06, caption, transform=axes.transAxes, ha="center", va="top", fontsize=7
        )
        text.set_in_layout(False)  # else a long one would make its image smaller than the others
    write_figure(path, figure)


def _cut(line: str) -> str:
    """Shorten a line that would run into the one beside it."""
    return line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 1]}…"
