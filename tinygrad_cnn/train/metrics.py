"""What a network got right, counted: by rank, by class, and which class it took for which.

A network gives each of N images K scores, one for each class; the highest is its answer. Where
scores are equal the class with the smaller number comes first, as in ``argmax``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DataError, DTypeError, NotFiniteError, OptionError, ShapeError

__all__ = ["confusion_matrix", "hits", "names_of_classes", "precision", "recall", "top_k"]

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

_AMONG = 5  # top-5 is told where there are more classes than that


def top_k(scores: npt.ArrayLike, labels: npt.ArrayLike, k: int = 1) -> int:
    """Count the images whose class is among the k highest scores.

    ``Σ_n [rank(n) < k]`` where rank(n) is the number of classes that score higher than the true
    one, and of those with a smaller number that score the same. ImageNet is judged by k = 1
    and k = 5 [1]_.

    Parameters
    ----------
    scores : array, shape (N, K)
        Of any scale: probabilities, their logarithms, whatever grows with them.
    labels : array of int, shape (N,)
    k : int, from 1 to K

    Returns
    -------
    int, in images

    Raises
    ------
    ShapeError, DTypeError
        If the arrays are not these.
    OptionError
        If there are not k classes.
    DataError
        If a label names no class.
    NotFiniteError
        If a score is not a number.

    References
    ----------
    .. [1] O. Russakovsky et al., "ImageNet large scale visual recognition challenge", IJCV 2015,
       section 4.1.

    Examples
    --------
    >>> scores = [[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]
    >>> top_k(scores, [1, 2]), top_k(scores, [1, 2], k=2), top_k(scores, [1, 2], k=3)
    (1, 1, 2)
    """
    values, truth = _scored("top_k", scores, labels)
    classes = values.shape[1]
    if isinstance(k, bool) or not 1 <= k <= classes:
        raise OptionError(f"top_k: k is a whole number from 1 to the {classes} classes; got {k}")
    return int(np.count_nonzero(_ranks(values, truth) < k))


def hits(scores: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[int, int | None]:
    """Count the images whose class has the highest score, and one of the five highest.

    :func:`top_k` for k = 1 and 5, in one pass over the scores.

    Parameters
    ----------
    scores : array, shape (N, K)
    labels : array of int, shape (N,)

    Returns
    -------
    first : int, in images
    among_five : int, in images, or None
        None where there are no more than five classes: then it is all of them.

    Raises
    ------
    ShapeError, DTypeError, DataError, NotFiniteError
        As :func:`top_k`.

    Examples
    --------
    >>> hits([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    (1, None)
    >>> hits(np.eye(7), np.zeros(7, np.int64))  # of equal scores the first class comes first
    (1, 7)
    """
    values, truth = _scored("hits", scores, labels)
    ranks = _ranks(values, truth)
    first = int(np.count_nonzero(ranks == 0))
    if values.shape[1] <= _AMONG:
        return first, None
    return first, int(np.count_nonzero(ranks < _AMONG))


def confusion_matrix(truth: npt.ArrayLike, answers: npt.ArrayLike, classes: int) -> Counts:
    """Count, for each class, what its images were taken for.

    ``M[i, j] = Σ_n [truth(n) = i and answer(n) = j]``: rows are classes, columns are answers, the
    right ones stand on the diagonal.

    Parameters
    ----------
    truth, answers : array of int, shape (N,)
        Numbers of classes, counted from 0.
    classes : int

    Returns
    -------
    ndarray of int64, shape (classes, classes), in images

    Raises
    ------
    OptionError
        If there is no class.
    ShapeError, DTypeError, DataError
        If the arrays are not these, or name a class that is not there.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1, 2], [0, 1, 1, 1], 3)
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 1, 0]])
    """
    if isinstance(classes, bool) or classes < 1:
        raise OptionError(f"confusion_matrix: there is at least one class; got {classes}")
    rows = _labels("confusion_matrix", "truth", truth, classes)
    columns = _labels("confusion_matrix", "answers", answers, classes)
    if len(rows) != len(columns):
        raise ShapeError(
            "confusion_matrix: there is one answer for each image; got "
            f"{len(columns)} answers for {len(rows)} images"
        )
    counts = np.bincount(rows * classes + columns, minlength=classes * classes)
    return counts.astype(np.int64, copy=False).reshape(classes, classes)


def precision(matrix: npt.ArrayLike) -> Shares:
    """Return, of the images that were taken for a class, the share that belongs to it.

    ``precision(j) = M[j, j] / Σ_i M[i, j]``; NaN for a class that was never the answer.

    Parameters
    ----------
    matrix : array of int, shape (K, K)
        See :func:`confusion_matrix`.

    Returns
    -------
    ndarray of float64, shape (K,), 0 to 1

    Raises
    ------
    ShapeError
        If the matrix is not square.

    Examples
    --------
    >>> precision([[1, 1, 0], [0, 1, 0], [0, 1, 0]])
    array([1.        , 0.33333333,        nan])
    """
    counts = _square("precision", matrix)
    return _shares(counts.diagonal(), counts.sum(0))


def recall(matrix: npt.ArrayLike) -> Shares:
    """Return, of the images of a class, the share that was found.

    ``recall(i) = M[i, i] / Σ_j M[i, j]``; NaN for a class without images.

    Parameters
    ----------
    matrix : array of int, shape (K, K)
        See :func:`confusion_matrix`.

    Returns
    -------
    ndarray of float64, shape (K,), 0 to 1

    Raises
    ------
    ShapeError
        If the matrix is not square.

    Examples
    --------
    >>> recall([[1, 1, 0], [0, 1, 0], [0, 1, 0]])
    array([0.5, 1. , 0. ])
    """
    counts = _square("recall", matrix)
    return _shares(counts.diagonal(), counts.sum(1))


def names_of_classes(class_names: Sequence[str], classes: int) -> tuple[str, ...]:
    """Return a name for each output of a network; those that nobody named have their number.

    Examples
    --------
    >>> names_of_classes(["cat", "dog"], 4)
    ('cat', 'dog', '2', '3')
    """
    numbers = tuple(str(number) for number in range(len(class_names), classes))
    return (*class_names, *numbers)[:classes]


def _scored(
    operation: str, scores: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[Any], Counts]:
    """Return scores and labels that go together, every score a number."""
    values = np.asarray(scores)
    if values.ndim != 2:
        raise ShapeError(f"{operation}: scores have shape (N, K); got {values.shape}")
    truth = _labels(operation, "labels", labels, values.shape[1])
    if len(truth) != len(values):
        raise ShapeError(
            f"{operation}: there is a label for each row of scores; got {len(truth)} labels for "
            f"{len(values)}"
        )
    bad = np.isnan(values)
    if bad.any():
        row = int(np.flatnonzero(bad.any(1))[0])
        raise NotFiniteError(f"{operation}: scores are numbers; got NaN in row {row}")
    return values, truth


def _ranks(scores: npt.NDArray[Any], truth: Counts) -> Counts:
    """Return how many classes stand before the true one, in each row."""
    own = scores[np.arange(len(truth)), truth][:, None]
    earlier = np.arange(scores.shape[1]) < truth[:, None]
    return ((scores > own) | ((scores == own) & earlier)).sum(1)


def _labels(operation: str, what: str, given: npt.ArrayLike, classes: int) -> Counts:
    values: npt.NDArray[Any] = np.asarray(given)
    if values.ndim != 1:
        raise ShapeError(f"{operation}: {what} have shape (N,); got {values.shape}")
    if values.size and values.dtype.kind not in "ui":
        raise DTypeError(f"{operation}: {what} are whole numbers; got {values.dtype}")
    if values.size and not 0 <= values.min() <= values.max() < classes:
        raise DataError(
            f"{operation}: {what} count the classes from 0 to {classes - 1}; got numbers from "
            f"{values.min()} to {values.max()}"
        )
    return values.astype(np.int64, copy=False)


def _square(operation: str, matrix: npt.ArrayLike) -> npt.NDArray[Any]:
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ShapeError(f"{operation}: the matrix has shape (K, K); got {counts.shape}")
    return counts


def _shares(right: npt.NDArray[Any], of: npt.NDArray[Any]) -> Shares:
    shares = np.full(len(of), np.nan)
    return np.divide(right, of, out=shares, where=of > 0)
