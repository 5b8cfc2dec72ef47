"""Draw from a seed for a while, and leave the default generator as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from tinygrad_cnn import random

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start the default generator from a seed inside a ``with`` block; after it goes on as before.

    Examples
    --------
    >>> first, second = random.manual_seed(1).random(2).tolist()
    >>> random.manual_seed(1).random() == first
    True
    >>> with seeded(7):
    ...     drawn = random.default_generator().random()
    >>> random.default_generator().random() == second
    True
    """
    before, state = random.default_seed(), random.default_generator().bit_generator.state
    random.manual_seed(seed)
    try:
        yield
    finally:
        random.manual_seed(before).bit_generator.state = state
