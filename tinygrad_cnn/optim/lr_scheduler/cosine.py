"""Schedules along cosines: half a wave, waves that start again, and one cycle up and down."""

import itertools
import math
from typing import Any

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.optim.lr_scheduler.scheduler import (
    LRScheduler,
    number,
    positive,
    require_optimiser,
    whole,
)
from tinygrad_cnn.optim.optimiser import Optimiser

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "OneCycleLR"]


class CosineAnnealingLR(LRScheduler):
    """Lower the rate along half a cosine: ``η + (α - η) (1 + cos(π t / T)) / 2``.

    Parameters
    ----------
    optimiser : Optimiser
    T_max : int
        T, after how many epochs the smallest rate is reached; behind it the rate rises again.
    eta_min : float
        The smallest rate η.
    last_epoch : int
        As for :class:`LRScheduler`.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
       ICLR 2017, equation 5, without restarts.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = CosineAnnealingLR(optimiser, T_max=4)
    >>> rates = [optimiser.lr]
    >>> for _ in range(4):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> [round(rate, 3) for rate in rates]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(
        self, optimiser: Optimiser, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = whole("CosineAnnealingLR", "T_max", T_max, 1)
        self.eta_min = number("CosineAnnealingLR", "eta_min", eta_min, 0.0, math.inf)
        super().__init__(optimiser, last_epoch)

    def get_lr(self) -> list[float]:
        if self._begins:
            return self._rates()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The rate before was the smallest, which says nothing of how far it may rise.
            first = (1.0 - math.cos(math.pi / self.T_max)) / 2.0
            pairs = zip(self._rates(), self.base_lrs, strict=True)
            return [rate + (base - self.eta_min) * first for rate, base in pairs]
        epochs = (self.last_epoch, self.last_epoch - 1)
        now, before = (1.0 + math.cos(math.pi * t / self.T_max) for t in epochs)
        return [now / before * (rate - self.eta_min) + self.eta_min for rate in self._rates()]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lower the rate along half a cosine, again and again: ``η + (α - η) (1 + cos(π t / T)) / 2``.

    t counts the epochs since the last restart.

    Parameters
    ----------
    optimiser : Optimiser
    T_0 : int
        Epochs before the first restart.
    T_mult : int
        How many times longer than the one before each period is.
    eta_min : float
        The smallest rate η.
    last_epoch : int
        As for :class:`LRScheduler`.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
       ICLR 2017, equation 5.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = CosineAnnealingWarmRestarts(optimiser, T_0=2, T_mult=2)
    >>> rates = [optimiser.lr]
    >>> for _ in range(6):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> [round(rate, 3) for rate in rates]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """

    def __init__(
        self,
        optimiser: Optimiser,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        called = "CosineAnnealingWarmRestarts"
        self.T_0 = whole(called, "T_0", T_0, 1)
        self.T_mult = whole(called, "T_mult", T_mult, 1)
        self.eta_min = number(called, "eta_min", eta_min, 0.0, math.inf)
        self.T_i, self.T_cur = self.T_0, float(last_epoch)
        super().__init__(optimiser, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Set the rates of the next epoch, or of any one, which need not be whole.

        Parameters
        ----------
        epoch : float, optional
            From 0 up; ``epoch + batch / batches`` lowers the rate with every batch.
        """
        self._require_known_groups()
        if epoch is None and self.last_epoch < 0:
            epoch = 0.0
        if epoch is None:
            self.last_epoch += 1
            self.T_cur += 1.0
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            number("CosineAnnealingWarmRestarts", "epoch", epoch, 0.0, math.inf)
            self.last_epoch = math.floor(epoch)
            self.T_cur, self.T_i = float(epoch), self.T_0
            while self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        self._set(self.get_lr())

    def get_lr(self) -> list[float]:
        share = (1.0 + math.cos(math.pi * self.T_cur / self.T_i)) / 2.0
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


class OneCycleLR(LRScheduler):
    """Raise the rate to its largest value, and lower it far below the first: once.

    Call :meth:`step` after every batch. Momentum (of Adam, β₁) moves the other way.

    Parameters
    ----------
    optimiser : Optimiser
    max_lr : float, or list of float
        Largest rate; a list has one for each group.
    total_steps : int, optional
        Batches of the whole run; or give `epochs` and `steps_per_epoch`.
    epochs, steps_per_epoch : int, optional
    pct_start : float
        Share of the steps in which the rate rises.
    anneal_strategy : {"cos", "linear"}
        How the rate moves: along half a cosine, or a line.
    cycle_momentum : bool
        Whether momentum moves, between `max_momentum` (with small rates) and `base_momentum`.
    base_momentum, max_momentum : float, or list of float
    div_factor : float
        The first rate is ``max_lr / div_factor``.
    final_div_factor : float
        The last rate is the first one divided by this.
    three_phase : bool
        Whether the rate comes down to the first one as fast as it rose, and then lower, as in
        the paper; otherwise it goes to the last one at once.
    last_epoch : int
        As for :class:`LRScheduler`.

    References
    ----------
    .. [1] L. Smith, N. Topin, "Super-convergence: very fast training of neural networks using
       large learning rates", Proc. SPIE 11006, 2019, section 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0, momentum=0.9)
    >>> schedule = OneCycleLR(optimiser, max_lr=1.0, total_steps=7, pct_start=3 / 7)
    >>> rates = [optimiser.lr]
    >>> for _ in range(6):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> [round(rate, 3) for rate in rates]
    [0.04, 0.52, 1.0, 0.854, 0.5, 0.146, 0.0]
    >>> round(optimiser.momentum, 3)
    0.95
    """

    def __init__(
        self,
        optimiser: Optimiser,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        called = "OneCycleLR"
        require_optimiser(called, optimiser)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise OptionError(
                f"{called}: total_steps, or epochs and steps_per_epoch, say how long it takes; "
                "got none of them, or half"
            )
        if total_steps is None:
            whole(called, "epochs", epochs, 1)
            whole(called, "steps_per_epoch", steps_per_epoch, 1)
            total_steps = epochs * steps_per_epoch  # type: ignore[operator]
        self.total_steps = whole(called, "total_steps", total_steps, 1)
        self.pct_start = number(called, "pct_start", pct_start, 0.0, 1.0)
        if anneal_strategy not in ("cos", "linear"):
            raise OptionError(
                f'{called}: anneal_strategy is "cos" or "linear"; got {anneal_strategy!r}'
            )
        self.anneal_strategy, self.three_phase = anneal_strategy, bool(three_phase)
        groups = optimiser.param_groups
        self.max_lrs = _each(called, "max_lr", max_lr, len(groups), math.inf)
        positive(called, "div_factor", div_factor)
        positive(called, "final_div_factor", final_div_factor)
        self.cycle_momentum = bool(cycle_momentum)
        self.base_momentums = _each(called, "base_momentum", base_momentum, len(groups), 1.0)
        self.max_momentums = _each(called, "max_momentum", max_momentum, len(groups), 1.0)
        if self.cycle_momentum and not {"momentum", "betas"} & optimiser.defaults.keys():
            raise OptionError(
                f"{called}: cycle_momentum is for an optimiser with momentum or betas; got "
                f"{type(optimiser).__name__}. Set cycle_momentum=False"
            )
        if last_epoch == -1:
            for group, top in zip(groups, self.max_lrs, strict=True):
                group["initial_lr"] = top / div_factor
        firsts: list[Any] = [group.get("initial_lr", group["lr"]) for group in groups]
        self.min_lrs = [rate / final_div_factor for rate in firsts]
        super().__init__(optimiser, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise OptionError(
                f"OneCycleLR: a cycle has {self.total_steps} steps; got step {self.last_epoch}. "
                "Give the number of steps of the whole run"
            )
        rates = []
        for k, group in enumerate(self.optimiser.param_groups):
            # Points of the way: the step at which it is reached, the rate, and the momentum.
            first, top, last = self.base_lrs[k], self.max_lrs[k], self.min_lrs[k]
            least, most = self.base_momentums[k], self.max_momentums[k]
            rise = self.pct_start * self.total_steps - 1.0
            way = [(0.0, first, most), (rise, top, least)]
            if self.three_phase:
                way.append((2.0 * self.pct_start * self.total_steps - 2.0, first, most))
            way.append((self.total_steps - 1.0, last, most))
            begin, end = _stretch(way, self.last_epoch)
            length = end[0] - begin[0]
            share = (self.last_epoch - begin[0]) / length if length else 1.0
            rates.append(self._between(begin[1], end[1], share))
            if self.cycle_momentum:
                momentum = self._between(begin[2], end[2], share)
                if "betas" in group:
                    group["betas"] = (momentum, group["betas"][1])
                else:
                    group["momentum"] = momentum
        return rates

    def _between(self, begin: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return begin + (end - begin) * share
        return end + (begin - end) / 2.0 * (1.0 + math.cos(math.pi * share))


Point = tuple[float, float, float]


def _stretch(way: list[Point], step: int) -> tuple[Point, Point]:
    """Return the ends of the stretch of the way in which a step lies; behind it the last one."""
    for begin, end in itertools.pairwise(way):
        if step <= end[0]:
            return begin, end
    return way[-2], way[-1]


def _each(called: str, option: str, value: Any, groups: int, most: float) -> list[float]:
    """Return an option for each group."""
    given = list(value) if isinstance(value, list | tuple) else [value] * groups
    if len(given) != groups:
        raise OptionError(
            f"{called}: {option} is a number, or a list with one for each group; got "
            f"{len(given)} for {groups} groups"
        )
    return [number(called, option, each, 0.0, most) for each in given]
