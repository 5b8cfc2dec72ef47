"""Curves of a run: loss and accuracy by epoch, drawn into a PNG file."""

from pathlib import Path
from typing import Any

from tinygrad_cnn.train.plots.canvas import new_figure, write_figure
from tinygrad_cnn.train.state import EpochRecord

__all__ = ["draw_curves"]

# Blue and vermilion of Okabe and Ito's palette, told apart by all kinds of colour vision.
_TRAIN = {"color": "#0072b2", "label": "training images"}
_TEST = {"color": "#d55e00", "label": "test images"}
_MARKERS_UP_TO = 40  # epochs; beyond, dots would merge into a thick line


def draw_curves(path: Path, history: list[EpochRecord], title: str) -> None:
    """Draw loss and accuracy of training and test images by epoch.

    Parameters
    ----------
    path : Path
        PNG file, 1100 x 450 pixels.
    history : list of EpochRecord
    title : str
        Stands above both panels.

    Raises
    ------
    RunDirectoryError
        If the file cannot be written.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    figure = new_figure(11, 4.5)
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    epochs = [record.epoch for record in history]
    marker = "o" if len(epochs) <= _MARKERS_UP_TO else None
    drawn: dict[str, Any] = {"marker": marker, "markersize": 3.5, "linewidth": 1.6}
    left.plot(epochs, [record.train_loss for record in history], **_TRAIN, **drawn)
    left.plot(epochs, [record.test_loss for record in history], **_TEST, **drawn)
    left.set(ylabel="mean cross entropy (nats)", yscale="log")
    left.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter(NullFormatter())
    right.plot(epochs, [100 * record.train.accuracy for record in history], **_TRAIN, **drawn)
    right.plot(epochs, [100 * record.test.accuracy for record in history], **_TEST, **drawn)
    right.set(ylabel="accuracy (%)")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3, which="both", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    write_figure(path, figure)
