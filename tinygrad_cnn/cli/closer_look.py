"""What ``tinygrad-cnn eval`` tells and draws beyond loss and accuracy."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tinygrad_cnn.data import ArrayDataset
    from tinygrad_cnn.train.answers import TrainedRun

__all__ = ["class_table", "look_closer"]


def look_closer(
    trained: "TrainedRun",
    judged: "ArrayDataset",
    scores: Sequence[Any],
    title: str,
    classes: bool,
    plots: Path | None,
) -> None:
    """Print the table of classes, and draw the pictures, where they are asked for.

    Parameters
    ----------
    trained : TrainedRun
    judged : ArrayDataset
        The images that it was shown.
    scores : sequence of ndarray, shape (B, K)
        What the network gave them, batch by batch; it is not asked again.
    title : str
        Stands above each picture.
    classes : bool
        Print the table.
    plots : Path, optional
        Draw into this folder.
    """
    import numpy as np

    from tinygrad_cnn.data import Split
    from tinygrad_cnn.train.answers import softmax
    from tinygrad_cnn.train.metrics import confusion_matrix

    rows = softmax(np.concatenate(scores))
    if classes:
        matrix = confusion_matrix(judged.labels, rows.argmax(1), rows.shape[1])
        click.echo(class_table(matrix, judged.class_names))
    if plots is not None:
        from tinygrad_cnn.train.plots import draw_report

        drawn = draw_report(
            plots,
            trained.network,
            Split(judged, judged),
            history=trained.checkpoint.state.history,
            probabilities=rows,
            title=title,
        )
        click.echo(f"drawn: {', '.join(path.name for path in drawn)} in {plots}")


def class_table(matrix: Any, class_names: Sequence[str] = ()) -> str:
    """Return a line for each class: its images, recall, precision, what it was taken for.

    Parameters
    ----------
    matrix : ndarray of int, shape (K, K)
        See :func:`~tinygrad_cnn.train.metrics.confusion_matrix`.
    class_names : sequence of str, optional
        By default their numbers.

    Examples
    --------
    >>> import numpy as np
    >>> print(class_table(np.array([[8, 2], [0, 5]]), ["cat", "dog"]))
     class   images    recall   precision   most often taken for
    ─────────────────────────────────────────────────────────────
     cat         10    80.0 %     100.0 %   dog (2)
     dog          5   100.0 %      71.4 %   –
    """
    from tinygrad_cnn.cli.tables import plain_table
    from tinygrad_cnn.train.metrics import names_of_classes, precision, recall

    names = names_of_classes(class_names, len(matrix))
    rows = []
    for number, (found, right) in enumerate(zip(recall(matrix), precision(matrix), strict=True)):
        missed = matrix[number].copy()
        missed[number] = 0
        most = int(missed.argmax())
        taken_for = f"{names[most]} ({missed[most]:,})" if missed[most] else "–"
        images = int(matrix[number].sum())
        rows.append((names[number], f"{images:,}", _share(found), _share(right), taken_for))
    columns = ("class", "images", "recall", "precision", "most often taken for")
    return plain_table(columns, rows, right="images,recall,precision")


def _share(share: float) -> str:
    return "–" if share != share else f"{100 * share:.1f} %"  # NaN differs from itself
