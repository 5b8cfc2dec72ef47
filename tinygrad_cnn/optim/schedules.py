"""Schedules: the learning rate of each step, as a function of how far training has come.

A schedule is a plain function ``(rate, step, steps) -> rate``: the rate one starts with, the
number of steps done, and the number of steps there will be. It keeps nothing, so a run that
is continued from step 700 has the rates of one that never stopped.
"""

import math
from collections.abc import Callable

from tinygrad_cnn.errors import unknown_name

__all__ = ["SCHEDULES", "Schedule", "constant", "cosine", "linear", "named", "warm_up_cosine"]

Schedule = Callable[[float, int, int], float]

_WARM_UP_SHARE = 0.05  # of all steps


def constant(rate: float, step: int, steps: int) -> float:
    """Return the same rate for every step.

    Parameters
    ----------
    rate : float
        Learning rate of the recipe.
    step : int
        Steps done so far, from 0.
    steps : int
        Steps of the whole run.

    Examples
    --------
    >>> constant(0.1, 5, 10)
    0.1
    """
    return rate


def linear(rate: float, step: int, steps: int) -> float:
    """Lower the rate along a straight line, ``rate (1 - step / steps)``.

    Parameters
    ----------
    rate : float
        Learning rate of the first step.
    step, steps : int
        Steps done so far, and of the whole run.

    Examples
    --------
    >>> linear(0.1, 5, 10)
    0.05
    """
    return rate * (1.0 - step / steps)


def cosine(rate: float, step: int, steps: int) -> float:
    """Lower the rate along half a cosine, ``rate (1 + cos(π step / steps)) / 2``.

    Large steps first, to get near, and small ones at the end, to settle: the rate falls
    slowly at both ends.

    Parameters
    ----------
    rate : float
        Learning rate of the first step.
    step, steps : int
        Steps done so far, and of the whole run.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
       ICLR 2017, equation 5, with one period and no restart.

    Examples
    --------
    >>> [round(cosine(0.1, step, 4), 4) for step in range(5)]
    [0.1, 0.0854, 0.05, 0.0146, 0.0]
    """
    return rate * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def warm_up_cosine(rate: float, step: int, steps: int) -> float:
    """Raise the rate linearly over the first 5 % of the steps, then go on as `cosine`.

    The running means of an optimiser are poor at first, and so are its steps.

    Parameters
    ----------
    rate : float
        Largest learning rate.
    step, steps : int
        Steps done so far, and of the whole run.

    References
    ----------
    .. [1] P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour",
       arXiv:1706.02677, section 2.2.

    Examples
    --------
    >>> [round(warm_up_cosine(0.1, step, 100), 4) for step in (0, 4, 5, 100)]
    [0.02, 0.1, 0.1, 0.0]
    """
    rising = max(1, round(steps * _WARM_UP_SHARE))
    if step < rising:
        return rate * (step + 1) / rising
    return cosine(rate, step - rising, max(1, steps - rising))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "linear": linear,
    "warm-up-cosine": warm_up_cosine,
}


def named(name: str) -> Schedule:
    """Return a schedule by its name.

    Raises
    ------
    UnknownNameError
        If there is none of that name.

    Examples
    --------
    >>> named("cosine") is cosine
    True
    """
    if name not in SCHEDULES:
        raise unknown_name("schedules", name, SCHEDULES)
    return SCHEDULES[name]
