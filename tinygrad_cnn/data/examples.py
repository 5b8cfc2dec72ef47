"""Examples read one by one, and made into a batch: arrays stacked, along a new axis 0.

A transform of single pictures draws random numbers as well as one of batches. So that its
numbers, too, depend on seed, epoch and example alone, a loader says which batch it reads, and
whoever reads one example of it finds its numbers by :func:`example_draws`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.errors import DataError, DTypeError, ShapeError

__all__ = ["collate", "example_draws", "gather", "one_by_one", "reading"]

_OF_EXAMPLES = 1 << 16  # a place within a composition that no transform of batches has


def collate(examples: Sequence[Any], indices: Sequence[int] | None = None) -> Any:
    """Make a batch of examples that have the same form.

    Arrays are stacked. Tensors, and whatever else has a method ``numpy()``, are taken for the
    arrays that it returns; whole numbers become int64, other numbers float32, as numbers in
    this package are. Of tuples, lists and dictionaries each part is made a batch of; strings
    stay a list.

    Parameters
    ----------
    examples : sequence
        At least one.
    indices : sequence of int, optional
        What error messages call the examples; by default they are counted from 0.

    Returns
    -------
    ndarray, or tuple, list or dictionary of these

    Raises
    ------
    ShapeError
        If shapes differ, or one tuple is longer than another.
    DTypeError
        If an example is of another kind, or of another kind than the first.

    Examples
    --------
    >>> images, labels = collate([(np.zeros((1, 2, 2)), 3), (np.ones((1, 2, 2)), 5)])
    >>> images.shape, labels
    ((2, 1, 2, 2), array([3, 5]))
    """
    names = range(len(examples)) if indices is None else indices
    first = examples[0]
    if isinstance(first, str | bytes):
        return list(examples)
    if isinstance(first, Mapping):
        _require_same_form(examples, names, lambda example: sorted(map(str, example)))
        return {key: collate([example[key] for example in examples], names) for key in first}
    if isinstance(first, tuple | list):
        _require_same_form(examples, names, len)
        parts = [collate(part, names) for part in zip(*examples, strict=True)]
        if hasattr(first, "_fields"):  # a named tuple
            return type(first)(*parts)
        return tuple(parts) if isinstance(first, tuple) else parts
    arrays = [_as_array(example, name) for example, name in zip(examples, names, strict=True)]
    for array, name in zip(arrays, names, strict=True):
        if array.shape != arrays[0].shape:
            raise ShapeError(
                "collate: the examples of a batch have one shape; got "
                f"{arrays[0].shape} of example {names[0]} and {array.shape} of example {name}. "
                "Bring images to one size, as Resize((height, width)) does."
            )
    return np.stack(arrays)


def _require_same_form(examples: Sequence[Any], names: Sequence[int], form: Any) -> None:
    first = examples[0]
    for example, name in zip(examples, names, strict=True):
        if not isinstance(example, type(first)):
            raise DTypeError(
                f"collate: the examples of a batch are of one kind; got {type(first).__name__} "
                f"for example {names[0]} and {type(example).__name__} for example {name}"
            )
        if form(example) != form(first):
            raise ShapeError(
                "collate: the examples of a batch have the same parts; got "
                f"{form(first)} of example {names[0]} and {form(example)} of example {name}"
            )


def _as_array(part: Any, name: int) -> npt.NDArray[Any]:
    if isinstance(part, np.ndarray):
        array = part
    elif callable(getattr(part, "numpy", None)):
        array = np.asarray(part.numpy())
    elif isinstance(part, bool | int | float | np.generic):
        dtype = {int: np.int64, float: np.float32}.get(type(part))
        array = np.asarray(part, dtype)
    else:
        raise DTypeError(
            "collate: an example consists of arrays, numbers, tensors, and tuples of these; got "
            f"{type(part).__name__} in example {name}. Let the data set turn it into an array, "
            "or give the loader a function as collate=."
        )
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"collate: arrays are of numbers; got {array.dtype} in example {name}")
    return array


def gather(dataset: Any, indices: npt.NDArray[np.intp], stack: Any = None) -> Any:
    """Read the examples at some positions of a data set, and make a batch of them.

    By the data set's own ``batch(indices)``, if it has one and `stack` is not given; else one
    by one, put together by `stack` or :func:`collate`.

    Raises
    ------
    DataError
        If reading an example raises an error; the message has its position, and the error is
        the cause.
    """
    batch = getattr(dataset, "batch", None)
    if stack is None and batch is not None:
        try:
            return batch(indices)
        except Exception as error:
            name, cause = _culprit(batch, indices, error)
            raise _unreadable(name, cause) from cause
    return one_by_one(dataset, indices, stack)


def one_by_one(dataset: Any, indices: npt.NDArray[np.intp], stack: Any = None) -> Any:
    """Read examples by ``dataset[index]`` and put them together; see :func:`gather`."""
    batch, examples = _batch.get(), []
    # Inside a Subset an example has another position than in the data set that the loader has.
    known = batch is not None and len(batch.positions) == len(indices)
    positions = batch.positions if batch is not None and known else indices
    for index, position in zip(indices.tolist(), positions.tolist(), strict=True):
        token = _example.set(None if batch is None else _Example(batch, position))
        try:
            examples.append(dataset[index])
        except Exception as error:
            raise _unreadable(f"example {index}", error) from error
        finally:
            _example.reset(token)
    return collate(examples, indices.tolist()) if stack is None else stack(examples)


@dataclass(frozen=True)
class _Batch:
    """What the random numbers of a batch's examples come from."""

    seed: int
    epoch: int
    positions: npt.NDArray[np.intp]


@dataclass
class _Example:
    """One example of a batch, and its numbers, once somebody has asked for them."""

    batch: _Batch
    position: int
    draws: Draws | None = None


_batch: ContextVar[_Batch | None] = ContextVar("the batch that is read", default=None)
_example: ContextVar[_Example | None] = ContextVar("the example that is read", default=None)


@contextmanager
def reading(seed: int, epoch: int, positions: npt.NDArray[np.intp]) -> Iterator[None]:
    """Say which examples are read inside a ``with`` block, and what their numbers come from."""
    token = _batch.set(_Batch(seed, epoch, positions))
    try:
        yield
    finally:
        _batch.reset(token)


def example_draws() -> Draws | None:
    """Return the random numbers of the example that is read now; None where no loader reads.

    They go on like a generator: a second transform of the same example gets others.
    """
    example = _example.get()
    if example is None:
        return None
    if example.draws is None:
        batch = example.batch
        example.draws = Draws(batch.seed, batch.epoch, [example.position], (_OF_EXAMPLES,))
    return example.draws


def _culprit(batch: Any, indices: npt.NDArray[np.intp], error: Exception) -> tuple[str, Exception]:
    """Return which example it is that cannot be read, and why."""
    for index in indices:
        try:
            batch(np.array([index]))
        except Exception as cause:
            return f"example {index}", cause
    return f"a batch of examples {indices.tolist()}", error  # each by itself can be read


def _unreadable(name: str, error: Exception) -> DataError:
    if isinstance(error, DataError) and str(error).startswith(_UNREADABLE):  # of a Subset's data
        told = str(error).removeprefix(_UNREADABLE)
        if told.startswith(f"{name},"):  # its own batch() has read it one by one
            return error
        return DataError(f"{_UNREADABLE}{name}, of the data set inside it {told}")
    return DataError(f"{_UNREADABLE}{name}, which raised {type(error).__name__}: {error}")


_UNREADABLE = "DataLoader: every example of a data set can be read; got "
