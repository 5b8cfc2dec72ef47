"""What a network makes of a data set: loss and right answers, without recording a graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import ArrayDataset, DataLoader
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.state import Evaluation

__all__ = ["EVALUATION_BATCH", "evaluate", "hits"]

EVALUATION_BATCH = 256  # images; bounds the memory, changes no result but the last bits
_RANKS = 5  # top-5 is told where there are more classes than that


def hits(scores: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> tuple[int, int | None]:
    """Count the images whose class has the highest score, and one of the five highest.

    Parameters
    ----------
    scores : ndarray, shape (N, K)
    labels : ndarray of int64, shape (N,)

    Returns
    -------
    first : int
    among_five : int or None
        None where there are no more than five classes: then it is all of them.

    Examples
    --------
    >>> hits(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    (1, None)
    >>> hits(np.eye(7), np.zeros(7, np.int64))  # of equal scores the first class comes first
    (1, 7)
    """
    first = int(np.count_nonzero(scores.argmax(axis=1) == labels))
    if scores.shape[1] <= _RANKS:
        return first, None
    own = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    before = np.count_nonzero((scores > own) | ((scores == own) & earlier), axis=1)
    return first, int(np.count_nonzero(before < _RANKS))


def evaluate(
    model: Module,
    dataset: ArrayDataset,
    batch_size: int = EVALUATION_BATCH,
    after_batch: Callable[[int, int], None] | None = None,
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

    Returns
    -------
    Evaluation
        Mean loss, and how many answers were right.

    Raises
    ------
    OptionError
        If there is nothing to evaluate on.

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
                scores = model(Tensor(images))
                loss_sum += float(cross_entropy(scores, labels).item()) * len(labels)
                counted.append(hits(scores.numpy(), labels))
                done += len(labels)
                if after_batch is not None:
                    after_batch(done, len(dataset))
    finally:
        model.train(was_training)
    first, among_five = zip(*counted, strict=True)
    top5 = None if None in among_five else sum(among_five)
    return Evaluation(loss_sum / done, sum(first), done, top5)
