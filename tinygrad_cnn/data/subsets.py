"""Parts of data sets, and data sets put together."""

import bisect
import itertools
import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.dataset import Dataset
from tinygrad_cnn.data.examples import gather
from tinygrad_cnn.errors import DTypeError, OptionError

__all__ = ["ConcatDataset", "Subset", "random_split"]


class Subset(Dataset):
    """Some examples of a data set, in an order of their own.

    Parameters
    ----------
    dataset : Dataset
    indices : array of int, shape (N,)
        Positions in `dataset`; the same one may stand there twice.

    Raises
    ------
    DTypeError
        If the indices are not integers.
    OptionError
        If one lies outside the data set.

    Examples
    --------
    >>> from tinygrad_cnn.data import ArrayDataset
    >>> subset = Subset(ArrayDataset(np.zeros((3, 1, 8, 8)), [2, 0, 1]), [2, 1])
    >>> len(subset), subset[0][1]
    (2, 1)
    """

    def __init__(self, dataset: Any, indices: npt.ArrayLike) -> None:
        positions = np.asarray(indices)
        if positions.size == 0:
            positions = positions.astype(np.intp)  # NumPy reads an empty list as floats
        if positions.dtype.kind not in "iu" or positions.ndim != 1:
            raise DTypeError(
                "Subset: indices are integers in one row; got "
                f"{positions.dtype} of shape {positions.shape}"
            )
        outside = positions[(positions < -len(dataset)) | (positions >= len(dataset))]
        if outside.size:
            raise OptionError(
                f"Subset: an index lies in [-{len(dataset)}, {len(dataset)}); got {outside[0]}"
            )
        self.dataset = dataset
        self.indices: npt.NDArray[np.intp] = positions.astype(np.intp) % max(len(dataset), 1)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: SupportsIndex) -> Any:
        return self.dataset[int(self.indices[_position("Subset", index, len(self))])]

    def batch(self, indices: npt.NDArray[np.intp]) -> Any:
        """Return a batch of examples, by the ``batch`` of the data set if it has one."""
        return gather(self.dataset, self.indices[indices])

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {self.dataset!r})"


class ConcatDataset(Dataset):
    """Several data sets one after the other.

    Parameters
    ----------
    datasets : sequence of Dataset

    Raises
    ------
    OptionError
        If there is none.

    Examples
    --------
    >>> from tinygrad_cnn.data import ArrayDataset
    >>> first = ArrayDataset(np.zeros((3, 1, 8, 8)), [2, 0, 1])
    >>> both = ConcatDataset([first, ArrayDataset(np.ones((1, 1, 8, 8)), [7])])
    >>> len(both), both[3][1]
    (4, 7)
    """

    def __init__(self, datasets: Sequence[Any]) -> None:
        if not datasets:
            raise OptionError("ConcatDataset: there is at least one data set; got none")
        self.datasets = tuple(datasets)
        self._ends = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: SupportsIndex) -> Any:
        position = _position("ConcatDataset", index, len(self))
        part = bisect.bisect_right(self._ends, position)
        return self.datasets[part][position - (self._ends[part - 1] if part else 0)]

    def __repr__(self) -> str:
        return f"ConcatDataset({list(self.datasets)!r})"


def _position(operation: str, index: SupportsIndex, length: int) -> int:
    position = operator.index(index)
    if not -length <= position < length:
        # IndexError itself ends a for loop over the data set.
        raise IndexError(f"{operation}: an index lies in [-{length}, {length}); got {position}")
    return position % length


def random_split(
    dataset: Any,
    lengths: Sequence[float],
    generator: np.random.Generator | None = None,
) -> list[Subset]:
    """Deal the examples of a data set out to parts, at random.

    Parameters
    ----------
    dataset : Dataset
    lengths : sequence of int, or of float
        How many examples each part gets, in all as many as there are; or which share of them,
        in all 1. Shares are rounded down, and what is left goes to the first parts, one example
        each.
    generator : numpy.random.Generator, optional
        Draws the order; else the package's own, seeded by ``tinygrad_cnn.manual_seed``.

    Returns
    -------
    list of Subset

    Raises
    ------
    OptionError
        If lengths are negative, or do not add up.

    Examples
    --------
    >>> from tinygrad_cnn.data import ArrayDataset
    >>> dataset = ArrayDataset(np.zeros((10, 1, 8, 8)), np.arange(10))
    >>> [len(part) for part in random_split(dataset, [0.75, 0.25])]
    [8, 2]
    """
    counts = _counts(lengths, len(dataset))
    if generator is None:
        from tinygrad_cnn.random import default_generator

        generator = default_generator()
    ends = list(itertools.accumulate(counts))
    return [Subset(dataset, part) for part in np.split(generator.permutation(ends[-1]), ends[:-1])]


def _counts(lengths: Sequence[float], examples: int) -> list[int]:
    total = sum(lengths)
    whole = all(isinstance(length, int | np.integer) for length in lengths)
    if whole and len(lengths) and min(lengths) >= 0 and total == examples:
        return [int(length) for length in lengths]
    if not (len(lengths) and min(lengths) >= 0 and abs(total - 1.0) < 1e-9) or whole:
        raise OptionError(
            f"random_split: lengths add up to the {examples} examples, or, as shares, to 1; got "
            f"{list(lengths)}, in all {total:g}"
        )
    counts = [int(share * examples) for share in lengths]
    for part in range(examples - sum(counts)):
        counts[part % len(counts)] += 1
    return counts
