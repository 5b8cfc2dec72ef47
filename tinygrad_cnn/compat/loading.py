"""Data loading with PyTorch's signatures: what this package makes of arrays, as tensors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import tinygrad_cnn as tg
from tinygrad_cnn import data
from tinygrad_cnn.errors import OptionError, ShapeError


def as_tensors(batch: Any) -> Any:
    """Return a batch with tensors in the place of arrays.

    Examples
    --------
    >>> as_tensors((np.zeros((1, 2), np.float32), np.array([3])))
    [Tensor([[0., 0.]]), Tensor([3], dtype=int64)]
    """
    if isinstance(batch, np.ndarray):
        return tg.Tensor(batch)
    if isinstance(batch, Mapping):
        return {name: as_tensors(part) for name, part in batch.items()}
    if isinstance(batch, tuple | list):
        return [as_tensors(part) for part in batch]
    return batch


def default_collate(examples: Sequence[Any]) -> Any:
    """Make a batch of a list of examples; see :func:`tinygrad_cnn.data.collate`.

    Examples
    --------
    >>> default_collate([(tg.Tensor([1.0]), 2), (tg.Tensor([3.0]), 4)])
    [Tensor([[1.],
            [3.]]), Tensor([2, 4], dtype=int64)]
    """
    return as_tensors(data.collate(examples))


class TensorDataset(data.Dataset):
    """Examples whose parts lie in tensors, along their first axis.

    Raises
    ------
    ShapeError
        If there is no tensor, or they are not equally long.

    Examples
    --------
    >>> TensorDataset(tg.tensor([1.0, 2.0]), tg.tensor([0, 1]))[1]
    (Tensor(2.), Tensor(1, dtype=int64))
    """

    def __init__(self, *tensors: tg.Tensor) -> None:
        lengths = [len(tensor) for tensor in tensors]
        if len(set(lengths)) != 1:
            raise ShapeError(f"TensorDataset: tensors are equally long; got lengths {lengths}")
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> tuple[tg.Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def batch(self, indices: Any) -> tuple[npt.NDArray[Any], ...]:
        """Return several examples at once, as arrays."""
        return tuple(tensor.numpy()[indices] for tensor in self.tensors)


class DataLoader:
    """Batches of a data set as tensors; see :class:`tinygrad_cnn.data.DataLoader`.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
    shuffle : bool
    sampler, batch_sampler : None
        Stand where PyTorch has them; they are not built.
    num_workers : int
        How many threads make batches ahead.
    collate_fn : callable, optional
        Makes a batch of a list of examples.
    pin_memory : bool
        Makes no difference: there is no GPU to copy to.
    drop_last : bool
        Leave out a last batch that is smaller.
    timeout, worker_init_fn, persistent_workers
        Make no difference: workers are threads.
    generator : numpy.random.Generator, optional
    prefetch_factor : int, optional
        How many batches may wait.

    Raises
    ------
    OptionError
        If a sampler is given, or an option is out of range.

    Examples
    --------
    >>> from tinygrad_cnn.compat.torch.utils.data import TensorDataset
    >>> dataset = TensorDataset(tg.Tensor([[1.0], [2.0], [3.0]]), tg.tensor([0, 1, 0]))
    >>> [labels.tolist() for x, labels in DataLoader(dataset, batch_size=2)]
    [[0, 1], [0]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        sampler: None = None,
        batch_sampler: None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Sequence[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        *,
        generator: np.random.Generator | None = None,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        for name, given in (("sampler", sampler), ("batch_sampler", batch_sampler)):
            if given is not None:
                raise OptionError(
                    f"DataLoader: {name} is None, none is built; got {type(given).__name__}. Use "
                    "shuffle=, or choose examples with Subset(dataset, indices)"
                )
        self.dataset, self.batch_size = dataset, batch_size
        self._collate = collate_fn
        self._batches = data.DataLoader(
            dataset,
            batch_size,
            shuffle,
            drop_last,
            num_workers=num_workers,
            prefetch=2 if prefetch_factor is None else prefetch_factor,
            collate=collate_fn,
            generator=generator,
        )

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches) if self._collate else map(as_tensors, self._batches)
