"""Batches of examples, in order or shuffled, made by worker threads ahead of the loop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.compose import Transform, require_whole
from tinygrad_cnn.data.dataset import Images, Labels, Split
from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.data.examples import gather, reading
from tinygrad_cnn.data.workers import Crew
from tinygrad_cnn.errors import CheckpointError, OptionError

__all__ = ["BatchSource", "DataLoader", "ExampleSource"]


class ExampleSource(Protocol):
    """What a :class:`DataLoader` reads from: a length and access to an example."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class BatchSource(Protocol):
    """What it reads from faster: a length and access to several examples."""

    def __len__(self) -> int: ...

    def batch(self, indices: npt.NDArray[np.intp], /) -> tuple[Images, Labels]:
        """Return the images and labels at these positions."""


class DataLoader:
    """Cut a data set into batches; every ``for`` loop over it is one epoch.

    The order of an epoch is drawn once, when the loop starts. Whoever restores the generator's
    state gets the same epochs again; :meth:`state` and :meth:`load_state` go on in the middle
    of one. Without `shuffle` the generator is not touched. What a transform draws depends on
    seed, epoch and the position of an example in the data set and on nothing else: not on
    order, batch size, workers or prefetch.

    With workers, batches are made while the loop computes. They come in the same order; an
    error that making one raises is raised when the loop gets there. At most
    ``num_workers + prefetch`` batches exist beside the one that the loop has. When the loop
    ends, in whatever way, the threads end.

    Parameters
    ----------
    dataset : Dataset, or anything with ``len()`` and ``[index]`` or ``batch(indices)``
    batch_size : int
        Number of examples in a batch; the last one holds what is left.
    shuffle : bool
        Draw a new order for each epoch.
    drop_last : bool
        Leave out a last batch that is not full.
    num_workers : int
        Threads that make batches; with 0 the loop makes them itself.
    prefetch : int
        How many batches may wait for the loop.
    transform : callable, optional
        Called with the images of a batch and their :class:`~tinygrad_cnn.data.Draws`, for
        instance a :class:`~tinygrad_cnn.data.Compose`.
    collate : callable, optional
        Makes a batch of a list of examples; by default :func:`~tinygrad_cnn.data.collate`, or
        the data set's own ``batch``.
    generator : numpy.random.Generator, optional
        Draws the order; else the package's own, seeded by ``tinygrad_cnn.manual_seed``.
    seed : int, optional
        Of the transform's draws; else the one given to ``tinygrad_cnn.manual_seed``.

    Yields
    ------
    images : ndarray, shape (B, C, H, W)
        float32, or float64 where the data set is. Integer pixels become float32 of the same
        value; they are not scaled.
    labels : ndarray of int64, shape (B,)
        Where examples are no pairs a batch has the form that they have, and with `collate` it
        is what that returns.

    Raises
    ------
    OptionError
        If the data set has no examples to be read, a number is out of range, or `generator`
        is not a generator.
    DataError
        In the loop, if reading an example raises an error; the message has its position.

    Examples
    --------
    >>> from tinygrad_cnn.data import ArrayDataset
    >>> dataset = ArrayDataset(np.zeros((5, 1, 8, 8), np.float32), [0, 1, 2, 3, 4])
    >>> loader = DataLoader(dataset, batch_size=2, num_workers=2)
    >>> len(loader)
    3
    >>> [labels.tolist() for images, labels in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: ExampleSource | BatchSource,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        *,
        num_workers: int = 0,
        prefetch: int = 2,
        transform: Transform | None = None,
        collate: Callable[[Sequence[Any]], Any] | None = None,
        generator: np.random.Generator | None = None,
        seed: int | None = None,
    ) -> None:
        _check(dataset, generator, {"transform": transform, "collate": collate})
        self.dataset = dataset
        self.batch_size = require_whole("DataLoader", "batch_size", batch_size, 1)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.num_workers = require_whole("DataLoader", "num_workers", num_workers, 0)
        self.prefetch = require_whole("DataLoader", "prefetch", prefetch, 0)
        self.transform = transform
        self.collate = collate
        self.generator = generator
        self.seed = None if seed is None else require_whole("DataLoader", "seed", seed, 0)
        self._position = _Position(0, 0, 0)
        self._begun = 0  # epochs, or the number of the next one
        self._resumes = False  # the next loop goes on at that position

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        examples = len(self.dataset)
        if self.drop_last:
            return examples // self.batch_size
        return -(-examples // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        # Not a generator function itself: its body would wait for the first batch, and the
        # order would depend on what else was drawn until then.
        order = self._begin()
        make = _BatchMaker(
            self.dataset,
            order,
            self.batch_size,
            self.transform,
            self.collate,
            self._position.seed,
            self._position.epoch,
        )
        return _Epoch(make, len(self), self._position, self.num_workers, self.prefetch)

    def state(self) -> dict[str, Any]:
        """Return where the loop that was started last stands, as plain values.

        Batches count when the loop gets them, not when a thread makes them. Asked for within
        the loop, the answer leads to the batch after the one that the loop has.

        Returns
        -------
        dict
            With the keys ``epoch``, ``step``, ``seed``, ``order`` (the state of the generator
            before the epoch's order was drawn; None without `shuffle`), ``examples`` and
            ``batch_size``. JSON can hold it.

        Examples
        --------
        >>> from tinygrad_cnn.data import ArrayDataset
        >>> dataset = ArrayDataset(np.zeros((9, 1, 8, 8), np.float32), np.arange(9))
        >>> loader = DataLoader(dataset, 3, shuffle=True, generator=np.random.default_rng(1))
        >>> batches = iter(loader)
        >>> _, state = next(batches), loader.state()
        >>> state["epoch"], state["step"]
        (0, 1)
        >>> resumed = DataLoader(dataset, 3, shuffle=True)
        >>> resumed.load_state(state)
        >>> all((next(batches)[1] == labels).all() for _, labels in resumed)
        True
        """
        position = asdict(self._position)
        if not self._begun and not self._resumes:
            position["seed"] = self._current_seed()
        return {**position, "examples": len(self.dataset), "batch_size": self.batch_size}

    def load_state(self, state: dict[str, Any]) -> None:
        """Let the next loop go on where another one stood; see :meth:`state`.

        The generator is not touched: it belongs to whoever saved it. Neither workers nor
        prefetch need be as they were.

        Raises
        ------
        CheckpointError
            If the state is not one, or one of another number of examples or batch size.
        """
        own = self.state()
        for name in ("examples", "batch_size"):
            if state.get(name) != own[name]:
                raise CheckpointError(
                    f"DataLoader.load_state: {name} is as in the loader, {own[name]}; got "
                    f"{state.get(name)}"
                )
        numbers = [state.get(name) for name in ("epoch", "step", "seed")]
        whole = all(type(number) is int and number >= 0 for number in numbers)
        if not whole or state["step"] > len(self):
            raise CheckpointError(
                "DataLoader.load_state: epoch, step and seed are whole numbers from 0 up, step "
                f"at most {len(self)}; got epoch, step and seed {numbers}"
            )
        order = state.get("order")
        if state["step"] and (order is not None) != self.shuffle:
            raise CheckpointError(
                "DataLoader.load_state: shuffle is as it was; got a state "
                f"{'without' if order is None else 'with'} an order, and shuffle={self.shuffle}"
            )
        if order is not None:
            _generator_from(order)
        self._position = _Position(state["epoch"], state["step"], state["seed"], order)
        self._resumes, self.seed = True, state["seed"]

    def _begin(self) -> npt.NDArray[np.intp]:
        """Begin an epoch, or go on with one, and return its order."""
        if not self._resumes:
            self._position = _Position(self._begun, 0, self._current_seed())
        position, self._resumes = self._position, False
        self._begun = position.epoch + 1
        examples = np.arange(len(self.dataset), dtype=np.intp)
        if not self.shuffle:
            return examples
        if position.order is not None:
            return _generator_from(position.order).permutation(examples)
        generator = self.generator
        if generator is None:
            from tinygrad_cnn.random import default_generator

            generator = default_generator()
        position.order = _plain(generator.bit_generator.state)
        return generator.permutation(examples)

    def _current_seed(self) -> int:
        from tinygrad_cnn.random import default_seed

        return default_seed() if self.seed is None else self.seed


@dataclass
class _Position:
    """Where a loop stands: its epoch, batches that it got, and what its numbers come from."""

    epoch: int
    step: int
    seed: int
    order: dict[str, Any] | None = None

    def finish(self) -> None:
        """Go on to the beginning of the next epoch."""
        self.epoch, self.step, self.order = self.epoch + 1, 0, None


@dataclass(frozen=True)
class _BatchMaker:
    """Makes any batch of an epoch; threads share it."""

    dataset: Any
    order: npt.NDArray[np.intp]
    batch_size: int
    transform: Transform | None
    collate: Callable[[Sequence[Any]], Any] | None
    seed: int
    epoch: int

    def __call__(self, number: int) -> Any:
        indices = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        with reading(self.seed, self.epoch, indices):
            batch = gather(self.dataset, indices, self.collate)
        if not isinstance(batch, tuple | list):
            return batch if self.transform is None else self._transformed(batch, indices)
        images = batch[0]
        if self.transform is not None:
            images = self._transformed(images, indices)
        if self.collate is None and _are_pixels(images):
            images = images.astype(np.float32)
        return batch if images is batch[0] else (images, *batch[1:])

    def _transformed(self, images: Any, indices: npt.NDArray[np.intp]) -> Any:
        if not isinstance(images, np.ndarray):
            raise OptionError(
                "DataLoader: transform is for arrays of images, first in a batch; got "
                f"{type(images).__name__}"
            )
        transform: Any = self.transform
        try:
            return transform(images, Draws(self.seed, self.epoch, indices))
        except Exception as error:
            error.add_note(f"DataLoader: while transforming examples {indices.tolist()}")
            raise


class _Epoch(Iterator[Any]):
    """The batches of an epoch, or of what is left of it."""

    def __init__(
        self, make: _BatchMaker, end: int, position: _Position, workers: int, prefetch: int
    ) -> None:
        self._make, self._position = make, position
        self._next, self._end = position.step, end
        self._crew: Crew | None = None
        if workers and self._next < end:
            self._crew = Crew(make, self._next, end, workers, prefetch)

    def __next__(self) -> Any:
        if self._next >= self._end:
            if self._next == self._end:
                self._next += 1
                self._dismiss()
                self._position.finish()
            raise StopIteration
        try:
            batch = self._make(self._next) if self._crew is None else self._crew.take()
        except BaseException:  # an interrupt, too
            self._next = self._end + 1
            self._dismiss()
            raise
        self._next += 1
        self._position.step = self._next
        return batch

    def _dismiss(self) -> None:
        if self._crew is not None:
            self._crew.dismiss()


def _are_pixels(images: Any) -> bool:
    """Tell whether these are numbers of a kind that a network does not compute with."""
    return isinstance(images, np.ndarray) and images.ndim > 1 and images.dtype.kind != "f"


def _plain(state: Any) -> Any:
    """Return a generator's state with lists instead of arrays, and Python's own numbers."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state


def _generator_from(state: Any) -> np.random.Generator:
    """Return a generator in a state, whichever of NumPy's kinds it is."""
    name = state.get("bit_generator") if isinstance(state, dict) else None
    if name not in _BIT_GENERATORS:
        raise CheckpointError(
            "DataLoader.load_state: order is the state of one of "
            f"{', '.join(_BIT_GENERATORS)}; got {name}"
        )
    bits = getattr(np.random, name)()
    try:
        bits.state = state
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"DataLoader.load_state: order is the state of a {name}; got one that it refuses, "
            f"{type(error).__name__}: {error}"
        ) from error
    return np.random.Generator(bits)


_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


def _check(dataset: Any, generator: Any, functions: dict[str, Any]) -> None:
    readable = hasattr(dataset, "batch") or hasattr(dataset, "__getitem__")
    if not (readable and hasattr(dataset, "__len__")) or isinstance(dataset, Split | dict):
        raise OptionError(
            "DataLoader: dataset has a length, and [index] or batch(indices); "
            f"got {type(dataset).__name__}. Wrap arrays in ArrayDataset(images, labels); "
            "of a Split take .train or .test."
        )
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise OptionError(f"DataLoader: {name} is a function or None; got {function!r}")
    if generator is not None and not isinstance(generator, np.random.Generator):
        raise OptionError(
            "DataLoader: generator is a numpy.random.Generator or None; got "
            f"{generator!r}. From a seed: numpy.random.default_rng(seed)."
        )
