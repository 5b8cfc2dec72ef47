"""The random numbers of data augmentation: what an example gets depends on nothing around it.

A generator with a state hands its numbers out in the order in which it is asked. With one of
those a picture would depend on the batch it is in, on the pictures before it, and on which
thread came first. Here the numbers are a function of seed, epoch, example and place within the
composition of transforms, computed by a counter-based generator: Philox 4x32 with seven
rounds [1]_. Seed, epoch and place are mixed to its key by ``numpy.random.SeedSequence``; the
example is half of its counter. So examples under one key can never share a number.

References
----------
.. [1] J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
   SC 2011, section 3.3.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.kernels.registry import lookup

__all__ = ["Draws"]

_WORDS = 2.0**32  # how many values a random word of 32 bits has
_SPARE_BITS, _SINGLE_WORDS = np.uint32(9), 2.0**23  # words that float32 can hold, and a half
_OF_COUNTER = 4  # words that a counter yields


class Draws:
    """Random numbers for each example of a batch; a transform asks for what it needs.

    It goes on like a generator: the next call gives other numbers. Axis 0 of every answer
    counts the examples of the batch.

    Parameters
    ----------
    seed : int
        From 0 up.
    epoch : int
        Counted from 0.
    examples : array of int, shape (N,)
        Position of each example in its data set.
    path : tuple of int
        Place within a composition; see :meth:`branch`.

    Examples
    --------
    >>> draws = Draws(seed=1, epoch=0, examples=[4, 9])
    >>> draws.integers(-4, 5)
    array([-3, -2])
    >>> Draws(1, 0, [9, 7, 4]).integers(-4, 5)[[2, 0]]  # the same in another batch
    array([-3, -2])
    """

    def __init__(
        self, seed: int, epoch: int, examples: npt.ArrayLike, path: tuple[int, ...] = ()
    ) -> None:
        self.seed, self.epoch, self.path = seed, epoch, path
        self.examples: npt.NDArray[np.int64] = np.asarray(examples, np.int64)
        mixed = np.random.SeedSequence(seed, spawn_key=(epoch, *path))
        self._key = int(mixed.generate_state(1, np.uint64)[0])
        self._counter = 0  # how many counters of each example were used

    def __len__(self) -> int:
        return len(self.examples)

    def branch(self, place: int) -> "Draws":
        """Return draws of their own for one of several transforms.

        What the others draw, or whether they draw at all, changes nothing there.

        Examples
        --------
        >>> first, second = (Draws(1, 0, [4]).branch(place) for place in range(2))
        >>> first.integers(0, 100), second.integers(0, 100)
        (array([76]), array([55]))
        """
        return Draws(self.seed, self.epoch, self.examples, (*self.path, place))

    def uniform(self, *shape: int, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
        """Draw numbers between 0 and 1, both left out.

        Of random words w of 32 bits: (w + 1/2) / 2^32; in float32, where only 24 bits have
        room, (w + 1/2) / 2^23 of the upper 23 bits.

        Returns
        -------
        ndarray of float64 or float32, shape (N, *shape)
        """
        words, values = self._words(shape), _WORDS
        if np.dtype(dtype) == np.float32:
            words >>= _SPARE_BITS
            values = _SINGLE_WORDS
        numbers = words.astype(dtype)
        numbers += 0.5
        numbers /= values
        return numbers

    def integers(self, low: int, high: int, *shape: int) -> npt.NDArray[np.int64]:
        """Draw whole numbers from `low` to `high` - 1.

        All are equally likely up to one part in 2^32 / (high - low).

        Returns
        -------
        ndarray of int64, shape (N, *shape)

        Raises
        ------
        OptionError
            If there is no number from `low` up to `high`, or more than 2^32.
        """
        if not 1 <= high - low <= _WORDS:
            raise OptionError(
                "Draws.integers: low lies below high, by 2^32 at most; "
                f"got low {low} and high {high}"
            )
        words = self._words(shape).astype(np.uint64)
        return low + (words * np.uint64(high - low) >> np.uint64(32)).astype(np.int64)

    def chance(self, probability: float) -> npt.NDArray[np.bool_]:
        """Draw for each example whether something happens that has a probability.

        Returns
        -------
        ndarray of bool, shape (N,)
        """
        return self.uniform() < probability

    def normal(self, *shape: int) -> npt.NDArray[np.float64]:
        """Draw normally distributed numbers of mean 0 and deviation 1.

        By the method of Box and Muller, √(-2 ln u) cos(2π v) with u and v uniform.

        Returns
        -------
        ndarray of float64, shape (N, *shape)
        """
        uniform, angle = self.uniform(*shape), self.uniform(*shape)
        return np.sqrt(-2.0 * np.log(uniform)) * np.cos(2.0 * math.pi * angle)

    def _words(self, shape: tuple[int, ...]) -> npt.NDArray[np.uint32]:
        count = math.prod(shape)
        words: npt.NDArray[Any] = np.empty((len(self.examples), count), np.uint32)
        lookup("random_words").function(self._key, self._counter, self.examples, words)
        self._counter += -(-count // _OF_COUNTER)
        return words.reshape(len(self.examples), *shape)
