"""Data sets as scripts write them: examples by index, of whatever kind, and batches of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.random import default_generator


class Dataset:
    """Examples that can be counted and asked for by position; subclasses say which.

    Examples
    --------
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 3
    ...
    ...     def __getitem__(self, index):
    ...         return float(index), float(index**2)
    >>> Squares()[2]
    (2.0, 4.0)
    """

    def __len__(self) -> int:
        raise NotImplementedError  # abstract

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError  # abstract


class TensorDataset(Dataset):
    """Examples whose parts lie in tensors, along their first axis.

    Raises
    ------
    ShapeError
        If the tensors are not equally long.

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


class Subset(Dataset):
    """The examples of a data set at some positions.

    Examples
    --------
    >>> len(Subset(TensorDataset(tg.arange(5)), [1, 3]))
    2
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[int(self.indices[index])]


def random_split(
    dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None
) -> list[Subset]:
    """Divide a data set at random.

    Parameters
    ----------
    dataset : Dataset
    lengths : sequence of int, or of fractions that add up to 1
    generator : numpy.random.Generator, optional

    Raises
    ------
    OptionError
        If the lengths do not add up to that of the data set, or the fractions to 1.

    Examples
    --------
    >>> [len(part) for part in random_split(TensorDataset(tg.arange(5)), [0.5, 0.5])]
    [3, 2]
    """
    total, counts = len(dataset), list(lengths)
    if any(isinstance(length, float) for length in counts):
        if abs(sum(counts) - 1) > 1e-9:
            raise OptionError(f"random_split: fractions add up to 1; got {lengths}")
        counts = [int(total * share) for share in counts]
        for rest in range(total - int(sum(counts))):
            counts[rest % len(counts)] += 1
    if sum(counts) != total:
        raise OptionError(
            f"random_split: the parts are as long as the data set, {total}; got {lengths}"
        )
    order = (generator or default_generator()).permutation(total)
    ends = np.cumsum(counts, dtype=int)
    return [Subset(dataset, order[end - int(n) : end]) for end, n in zip(ends, counts, strict=True)]


def default_collate(examples: Sequence[Any]) -> Any:
    """Join examples to a batch: each of their parts becomes a tensor with one more axis.

    Parameters
    ----------
    examples : sequence
        Tensors, arrays, numbers, texts, or tuples, lists or dictionaries of them.

    Raises
    ------
    DTypeError
        If there is something else among them.
    ShapeError
        If arrays of one part differ in shape.

    Examples
    --------
    >>> default_collate([(tg.Tensor([1.0]), 2), (tg.Tensor([3.0]), 4)])
    [Tensor([[1.], [3.]]), Tensor([2, 4], dtype=int64)]
    """
    first = examples[0]
    if isinstance(first, str | bytes):
        return list(examples)
    if isinstance(first, Mapping):
        return {name: default_collate([example[name] for example in examples]) for name in first}
    if isinstance(first, tuple | list):
        return [default_collate(part) for part in zip(*examples, strict=True)]
    if isinstance(first, int | float):
        return tg.Tensor(list(examples))
    if not isinstance(first, tg.Tensor | np.ndarray | np.generic):
        raise DTypeError(
            "DataLoader: examples consist of tensors, arrays, numbers and texts; got "
            f"{type(first).__name__}. Use transforms.ToTensor() for pictures, or collate_fn="
        )
    arrays = [np.asarray(example) for example in examples]
    if len({array.shape for array in arrays}) > 1:
        shapes = ", ".join(sorted({str(array.shape) for array in arrays})[:3])
        raise ShapeError(
            f"DataLoader: the examples of a batch have one shape; got {shapes}. Bring pictures to "
            "one with transforms.Resize((height, width)), or use collate_fn="
        )
    return tg.Tensor(np.stack(arrays))
