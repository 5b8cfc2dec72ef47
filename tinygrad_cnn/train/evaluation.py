"""What a network makes of a data set: loss and right answers, without recording a graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import ArrayDataset, DataLoader
from tinygrad_cnn.errors import NotFiniteError, OptionError
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.metrics import hits
from tinygrad_cnn.train.state import Evaluation

__all__ = ["EVALUATION_BATCH", "evaluate"]

EVALUATION_BATCH = 256  # images; bounds the memory, changes no result but the last bits


def evaluate(
    model: Module,
    dataset: ArrayDataset,
    batch_size: int = EVALUATION_BATCH,
    after_batch: Callable[[int, int], None] | None = None,
    keep: list[npt.NDArray[Any]] | None = None,
) -> Evaluation:
    """Compare a network's answers with the labels, without recording a graph.

    Parameters
    ----------
    model : Module
        Maps images to scores; in evaluation mode meanwhile.
    dataset : ArrayDataset
        At least one example.
    batch_size : int, in images
    after_batch : callable, optional
        Called with the number of images done and their total.
    keep : list, optional
        The scores of each batch, shape (B, K), are appended, for whoever looks closer.

    Returns
    -------
    Evaluation
        Mean loss, and how many answers were right.

    Raises
    ------
    OptionError
        If there is nothing to evaluate on.
    NotFiniteError
        If a score is not a number: then there is no answer that could be right or wrong.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> model = tg.nn.Linear(2, 2)
    >>> model.load_state_dict({"weight": 9 * np.eye(2), "bias": np.zeros(2)})
    >>> images = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    >>> str(evaluate(model, tg.data.ArrayDataset(images, [0, 1, 1])))
    '66.7 % (2 of 3)'
    """
    if not len(dataset):
        raise OptionError("evaluate: there are examples to evaluate on; got an empty data set")
    loss_sum, done = 0.0, 0
    counted: list[tuple[int, int | None]] = []
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            for images, labels in DataLoader(dataset, batch_size):
                answers = model(Tensor(images))
                scores = answers.numpy()
                _require_numbers(scores, done)
                loss_sum += float(cross_entropy(answers, labels).item()) * len(labels)
                counted.append(hits(scores, labels))
                if keep is not None:
                    keep.append(scores)
                done += len(labels)
                if after_batch is not None:
                    after_batch(done, len(dataset))
    finally:
        model.train(was_training)
    first, among_five = zip(*counted, strict=True)
    top5 = None if None in among_five else sum(among_five)
    return Evaluation(loss_sum / done, sum(first), done, top5)


def _require_numbers(scores: npt.NDArray[Any], before: int) -> None:
    bad = np.isnan(scores).reshape(len(scores), -1).any(1)
    if bad.any():
        raise NotFiniteError(
            "evaluate: a network gives each class a number; got NaN for image "
            f"{before + int(bad.argmax())}. Train anew with a smaller learning rate."
        )
