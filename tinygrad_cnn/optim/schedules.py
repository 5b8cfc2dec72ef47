"""Schedules: the learning rate of each step, as a function of how far training has come.

A schedule is a plain function ``(rate, step, steps) -> rate``: the rate one starts with, the
number of steps done, and the number of steps there will be. It keeps nothing, so a run that
is continued from step 700 has the rates of one that never stopped. Recipes name schedules;
their constants are shares of the run, so that a longer run is the same curve, drawn wider.

:mod:`tinygrad_cnn.optim.lr_scheduler` holds PyTorch's schedules, which are told to step.
"""

import math
from collections.abc import Callable

from tinygrad_cnn.errors import unknown_name

__all__ = [
    "SCHEDULES",
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "exponential",
    "linear",
    "multi_step",
    "named",
    "one_cycle",
    "step_down",
    "warm_up",
    "warm_up_cosine",
]

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


def warm_up(rate: float, step: int, steps: int) -> float:
    """Raise the rate linearly over the first 5 % of the steps, and leave it there.

    Parameters
    ----------
    rate : float
        Largest learning rate.
    step, steps : int
        Steps done so far, and of the whole run.

    Examples
    --------
    >>> [round(warm_up(0.1, step, 100), 4) for step in (0, 4, 5, 99)]
    [0.02, 0.1, 0.1, 0.1]
    """
    return rate * min(1.0, (step + 1) / max(1, round(steps * _WARM_UP_SHARE)))


def step_down(rate: float, step: int, steps: int) -> float:
    """Divide the rate by 10 after each third of the steps.

    Parameters
    ----------
    rate : float
        Learning rate of the first third.
    step, steps : int
        Steps done so far, and of the whole run.

    Examples
    --------
    >>> [round(step_down(0.1, step, 9), 4) for step in (0, 2, 3, 5, 6, 8)]
    [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    """
    return rate * 0.1 ** (3 * step // steps)


def multi_step(rate: float, step: int, steps: int) -> float:
    """Divide the rate by 10 after half of the steps, and again after three quarters.

    Parameters
    ----------
    rate : float
        Learning rate of the first half.
    step, steps : int
        Steps done so far, and of the whole run.

    References
    ----------
    .. [1] K. He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2:
       at 32,000 and 48,000 of 64,000 steps.

    Examples
    --------
    >>> [round(multi_step(0.1, step, 8), 4) for step in (0, 3, 4, 5, 6, 7)]
    [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    """
    return rate * 0.1 ** ((2 * step >= steps) + (4 * step >= 3 * steps))


def exponential(rate: float, step: int, steps: int) -> float:
    """Lower the rate by the same factor with every step, to a hundredth: ``rate 0.01^(t/T)``.

    Parameters
    ----------
    rate : float
        Learning rate of the first step.
    step, steps : int
        Steps done so far, t, and of the whole run, T.

    Examples
    --------
    >>> [round(exponential(0.1, step, 4), 4) for step in range(5)]
    [0.1, 0.0316, 0.01, 0.0032, 0.001]
    """
    return rate * 0.01 ** (step / steps)


def cosine_restarts(rate: float, step: int, steps: int) -> float:
    """Lower the rate as `cosine` three times, each time over twice as many steps.

    Parameters
    ----------
    rate : float
        Learning rate of the first step, and after each restart.
    step, steps : int
        Steps done so far, and of the whole run.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
       ICLR 2017, equation 5, with T_mult = 2.

    Examples
    --------
    >>> [round(cosine_restarts(0.1, step, 7), 4) for step in range(8)]
    [0.1, 0.1, 0.05, 0.1, 0.0854, 0.05, 0.0146, 0.0]
    """
    done = 7.0 * step / steps  # the periods are 1, 2 and 4 sevenths long
    begin, length = (0.0, 1.0) if done < 1.0 else (1.0, 2.0) if done < 3.0 else (3.0, 4.0)
    return rate * 0.5 * (1.0 + math.cos(math.pi * (done - begin) / length))


def one_cycle(rate: float, step: int, steps: int) -> float:
    """Raise the rate from a 25th over 30 % of the steps, and lower it nearly to 0, along cosines.

    Parameters
    ----------
    rate : float
        Largest learning rate.
    step, steps : int
        Steps done so far, and of the whole run.

    Notes
    -----
    The last rate is a 250,000th of the largest: PyTorch's constants. The momentum, which moves
    the other way in the paper, stays; :class:`tinygrad_cnn.optim.lr_scheduler.OneCycleLR` moves
    it.

    References
    ----------
    .. [1] L. Smith, N. Topin, "Super-convergence: very fast training of neural networks using
       large learning rates", Proc. SPIE 11006, 2019, section 3.

    Examples
    --------
    >>> [round(one_cycle(0.1, step, 10), 4) for step in (0, 3, 5, 10)]
    [0.004, 0.1, 0.0812, 0.0]
    """
    top = round(0.3 * steps)
    if step < top:
        share, end = 0.5 * (1.0 - math.cos(math.pi * step / top)), 1.0 / 25.0
    else:
        share, end = 0.5 * (1.0 + math.cos(math.pi * (step - top) / (steps - top))), 4e-6
    return rate * (share + (1.0 - share) * end)


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "cosine-restarts": cosine_restarts,
    "exponential": exponential,
    "linear": linear,
    "multi-step": multi_step,
    "one-cycle": one_cycle,
    "step": step_down,
    "warm-up": warm_up,
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
