"""Randomness: one default generator, seeded by :func:`manual_seed`.

Whatever draws numbers takes ``generator=``; without it, it draws from the default one.
"""

import numpy as np

from tinygrad_cnn.errors import OptionError

_seed = 0
_default = np.random.default_rng(_seed)


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
    global _default, _seed
    _default, _seed = np.random.default_rng(seed), int(seed)
    return _default


def default_generator() -> np.random.Generator:
    """Return the generator that is drawn from where none is given."""
    return _default


def default_seed() -> int:
    """Return the seed given to :func:`manual_seed` last, 0 if there was none.

    For what needs numbers that do not depend on how many were drawn before: data augmentation.
    """
    return _seed
