"""Batches of examples, in order or shuffled."""

import operator
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.dataset import Images, Labels
from tinygrad_cnn.errors import OptionError

__all__ = ["BatchSource", "DataLoader"]


class BatchSource(Protocol):
    """What a :class:`DataLoader` reads from: a length and access to several examples."""

    def __len__(self) -> int: ...

    def batch(self, indices: npt.NDArray[np.intp], /) -> tuple[Images, Labels]:
        """Return the images and labels at these positions."""


class DataLoader:
    """Cut a data set into batches; every ``for`` loop over it is one epoch.

    The order of an epoch is drawn once, when the loop starts, and nothing else is random:
    whoever restores the generator's state gets the same epochs again. Without `shuffle`
    the generator is not touched.

    Parameters
    ----------
    dataset : ArrayDataset, or anything with ``len()`` and ``batch(indices)``
    batch_size : int
        Number of examples in a batch; the last one holds what is left.
    shuffle : bool
        Draw a new order for each epoch.
    drop_last : bool
        Leave out a last batch that is not full.
    generator : numpy.random.Generator, optional
        Draws the order; else the package's own, seeded by ``tinygrad_cnn.manual_seed``.

    Yields
    ------
    images : ndarray, shape (B, C, H, W)
        float32, or float64 where the data set is. Integer pixels become float32 of the
        same value; they are not scaled.
    labels : ndarray of int64, shape (B,)

    Raises
    ------
    OptionError
        If the data set cannot give batches, `batch_size` is not a number from 1 up, or
        `generator` is not a generator.

    Examples
    --------
    >>> from tinygrad_cnn.data import ArrayDataset
    >>> dataset = ArrayDataset(np.zeros((5, 1, 8, 8), np.float32), [0, 1, 2, 3, 4])
    >>> loader = DataLoader(dataset, batch_size=2)
    >>> len(loader)
    3
    >>> [labels.tolist() for images, labels in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: BatchSource,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        _check(dataset, batch_size, generator)
        self.dataset = dataset
        self.batch_size = operator.index(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        examples = len(self.dataset)
        if self.drop_last:
            return examples // self.batch_size
        return -(-examples // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Images, Labels]]:
        # Not a generator function itself: its body would wait for the first batch, and the
        # order would depend on what else was drawn until then.
        return self._batches(self._order())

    def _order(self) -> npt.NDArray[np.intp]:
        examples = np.arange(len(self.dataset), dtype=np.intp)
        if not self.shuffle:
            return examples
        generator = self.generator
        if generator is None:
            from tinygrad_cnn.random import default_generator

            generator = default_generator()
        return generator.permutation(examples)

    def _batches(self, order: npt.NDArray[np.intp]) -> Iterator[tuple[Images, Labels]]:
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            images, labels = self.dataset.batch(order[start : start + self.batch_size])
            if images.dtype.kind != "f":
                images = images.astype(np.float32)
            yield images, labels


def _check(dataset: Any, batch_size: Any, generator: Any) -> None:
    if not (hasattr(dataset, "batch") and hasattr(dataset, "__len__")):
        raise OptionError(
            "DataLoader: dataset has a length and batch(indices); "
            f"got {type(dataset).__name__}. Wrap arrays in ArrayDataset(images, labels); "
            "of a Split take .train or .test."
        )
    whole = isinstance(batch_size, int | np.integer) and not isinstance(batch_size, bool)
    if not whole or batch_size < 1:
        raise OptionError(f"DataLoader: batch_size is a whole number from 1 up; got {batch_size!r}")
    if generator is not None and not isinstance(generator, np.random.Generator):
        raise OptionError(
            "DataLoader: generator is a numpy.random.Generator or None; got "
            f"{generator!r}. From a seed: numpy.random.default_rng(seed)."
        )
