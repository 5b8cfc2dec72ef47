"""A schedule that waits for a figure to stop getting better."""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.optim.lr_scheduler.scheduler import (
    LRScheduler,
    number,
    require_optimiser,
    whole,
)
from tinygrad_cnn.optim.optimiser import Optimiser

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rate by a factor when a figure has not become better for some epochs.

    Parameters
    ----------
    optimiser : Optimiser
    mode : {"min", "max"}
        Whether small figures are good, as of a loss, or large ones, as of an accuracy.
    factor : float
        Below 1.
    patience : int
        How many epochs without improvement are allowed; the next one lowers the rate.
    threshold : float
        By how much a figure has to beat the best one.
    threshold_mode : {"rel", "abs"}
        Whether `threshold` is a share of the best figure, or a difference.
    cooldown : int
        For how many epochs after a reduction no epoch counts as bad.
    min_lr : float, or sequence of float
        Below which no rate falls; a list has one for each group.
    eps : float
        A reduction by no more than this is left out.

    Attributes
    ----------
    best : float
    num_bad_epochs : int
        Epochs since the best one, or since the last reduction.

    Raises
    ------
    OptionError
        If an option lies outside its range.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = ReduceLROnPlateau(optimiser, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.5, 2.1):
    ...     schedule.step(loss)
    >>> optimiser.lr
    0.5
    """

    def __init__(
        self,
        optimiser: Optimiser,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        called = "ReduceLROnPlateau"
        require_optimiser(called, optimiser)
        for option, value, known in (
            ("mode", mode, ("min", "max")),
            ("threshold_mode", threshold_mode, ("rel", "abs")),
        ):
            if value not in known:
                raise OptionError(
                    f'{called}: {option} is "{known[0]}" or "{known[1]}"; got {value!r}'
                )
        if number(called, "factor", factor, 0.0, 1.0) == 1.0:
            raise OptionError(f"{called}: factor lies below 1; got {factor!r}")
        groups = len(optimiser.param_groups)
        rates = list(min_lr) if isinstance(min_lr, list | tuple) else [min_lr] * groups
        if len(rates) != groups:
            raise OptionError(
                f"{called}: min_lr is a number, or a list with one for each group; got "
                f"{len(rates)} for {groups} groups"
            )
        self.optimiser = optimiser
        self.mode, self.threshold_mode = mode, threshold_mode
        self.factor = float(factor)
        self.patience = whole(called, "patience", patience, 0)
        self.threshold = number(called, "threshold", threshold, 0.0, math.inf)
        self.cooldown = whole(called, "cooldown", cooldown, 0)
        self.min_lrs = [number(called, "min_lr", rate, 0.0, math.inf) for rate in rates]
        self.eps = number(called, "eps", eps, 0.0, math.inf)
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        self.base_lrs, self._last_lr = self._rates(), self._rates()

    def step(self, metrics: Any = None) -> None:
        """Hear of an epoch's figure, and lower the rates if there were enough without progress.

        Parameters
        ----------
        metrics : float
            Loss or accuracy, say, of data the network is not trained on. A NaN is no progress.
        """
        self._require_known_groups()
        try:
            figure = float(metrics)
        except (TypeError, ValueError):
            raise OptionError(
                f"ReduceLROnPlateau: step(figure) hears of an epoch's loss or accuracy; got "
                f"{metrics!r}"
            ) from None
        self.last_epoch += 1
        self.num_bad_epochs += 1
        if self._is_better(figure):
            self.best, self.num_bad_epochs = figure, 0
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._set(self.get_lr())
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._rates()

    def get_lr(self) -> list[float]:
        """Return the rates after a reduction."""
        rates = []
        for rate, least in zip(self._rates(), self.min_lrs, strict=True):
            lower = max(rate * self.factor, least)
            rates.append(lower if rate - lower > self.eps else rate)
        return rates

    def _is_better(self, figure: float) -> bool:
        if self.mode == "min":
            share, difference = 1.0 - self.threshold, -self.threshold
        else:
            share, difference = 1.0 + self.threshold, self.threshold
        limit = self.best * share if self.threshold_mode == "rel" else self.best + difference
        return figure < limit if self.mode == "min" else figure > limit
