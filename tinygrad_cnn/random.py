"""Randomness: one default generator, seeded by :func:`manual_seed`.

Whatever draws numbers takes ``generator=``; without it, it draws from the default one.
"""

import numpy as np

from tinygrad_cnn.errors import OptionError

_default = np.random.default_rng(0)


def manual_seed(seed: int) -> np.random.Generator:
    """Start the default generator anew, and return it.

    Raises
    ------
    OptionError
        If the seed is not a whole number from 0 up.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> first = tg.manual_seed(7).random()
    >>> first == tg.manual_seed(7).random()
    True
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise OptionError(f"manual_seed: a seed is a whole number from 0 up; got {seed!r}")
    global _default
    _default = np.random.default_rng(seed)
    return _default


def default_generator() -> np.random.Generator:
    """Return the generator that is drawn from where none is given."""
    return _default
