"""All pictures of a trained network, in a folder.

====================  =============================================================
``curves.png``        loss and accuracy by epoch, where the epochs are given
``confusion.png``     which class was taken for which
``mistakes.png``      images whose class was missed
``filters.png``       filters of the first convolution, where there is one
``feature_maps.png``  what the layers make of the first image
====================  =============================================================
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinygrad_cnn.atomic import plain_writing
from tinygrad_cnn.data import Split
from tinygrad_cnn.nn import Module
from tinygrad_cnn.train.answers import probabilities as of_network
from tinygrad_cnn.train.metrics import confusion_matrix
from tinygrad_cnn.train.plots.confusion import draw_confusion
from tinygrad_cnn.train.plots.curves import draw_curves
from tinygrad_cnn.train.plots.filters import draw_feature_maps, draw_filters
from tinygrad_cnn.train.plots.samples import draw_mistakes
from tinygrad_cnn.train.state import EpochRecord

__all__ = ["draw_report"]


def draw_report(
    folder: str | os.PathLike[str],
    model: Module,
    split: Split,
    *,
    history: Sequence[EpochRecord] = (),
    probabilities: npt.NDArray[Any] | None = None,
    title: str = "",
) -> list[Path]:
    """Draw what there is to see of a trained network; files of the same names are replaced.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    model : Module
    split : Split
        Its test images are judged.
    history : sequence of EpochRecord, optional
        For the curves.
    probabilities : ndarray, shape (N, K), optional
        Given to the test images, such as the average of several networks; by default those
        of `model`.
    title : str
        Stands above each picture, such as "lenet5 on mnist".

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    RunDirectoryError
        If a file cannot be written.
    ShapeError
        If the test examples are no images.

    Examples
    --------
    >>> draw_report("pictures", model, split, title="lenet5 on digits")  # doctest: +SKIP
    """
    folder, test = Path(folder), split.test
    rows = of_network(model, test.images) if probabilities is None else probabilities
    answers = rows.argmax(1)
    with plain_writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    drawn = []

    def place(name: str) -> Path:
        drawn.append(folder / f"{name}.png")
        return drawn[-1]

    if history:
        draw_curves(place("curves"), list(history), title)
    right = float((answers == test.labels).mean())
    words = f"{title}: " if title else ""
    draw_confusion(
        place("confusion"),
        confusion_matrix(test.labels, answers, rows.shape[1]),
        split.class_names,
        f"{words}{100 * right:.2f} % of {len(test):,} right",
    )
    draw_mistakes(place("mistakes"), test, rows, title=title)
    if any(len(weight.shape) == 4 for weight in model.parameters()):
        draw_filters(place("filters"), model, title)
        name = split.class_names[test.labels[0]] if split.class_names else str(test.labels[0])
        image = f"{words}feature maps of the first image, of class {name}"
        draw_feature_maps(place("feature_maps"), model, test.images[0], test.standardise, image)
    return drawn
