"""Schedules made of schedules: several at once, or one behind the other."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_cnn.errors import CheckpointError, DTypeError, OptionError
from tinygrad_cnn.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_cnn.optim.lr_scheduler.scheduler import LRScheduler, require_optimiser, whole
from tinygrad_cnn.optim.optimiser import Optimiser

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Combined(LRScheduler):
    """Common part: the schedules, of one optimiser, and their states."""

    def _take(self, schedulers: Any, optimiser: Optimiser | None) -> None:
        called = type(self).__name__
        listed = list(schedulers) if isinstance(schedulers, Sequence) else []
        if not listed:
            raise OptionError(f"{called}: there are schedules to combine; got {schedulers!r}")
        for place, scheduler in enumerate(listed):
            if not isinstance(scheduler, LRScheduler):
                raise DTypeError(
                    f"{called}: each schedule is one of tg.optim.lr_scheduler; got a "
                    f"{type(scheduler).__name__} at position {place}"
                )
            if isinstance(scheduler, ReduceLROnPlateau):
                raise OptionError(
                    f"{called}: each schedule steps by itself; got a ReduceLROnPlateau at "
                    f"position {place}, which waits for a figure. Step it beside this one"
                )
            if scheduler.optimiser is not (optimiser or listed[0].optimiser):
                raise OptionError(
                    f"{called}: all schedules are of one optimiser; got another one at position "
                    f"{place}"
                )
        self.optimiser = listed[0].optimiser
        self.schedulers = tuple(listed)

    def _undo(self) -> None:
        super()._undo()
        for scheduler in self.schedulers:
            scheduler._undo()

    def state_dict(self) -> dict[str, Any]:
        """Return numbers and lists, fit for JSON; ``"schedulers"`` are the states of the parts."""
        parts = [scheduler.state_dict() for scheduler in self.schedulers]
        return {**super().state_dict(), "schedulers": parts}

    def _checked(self, state: Mapping[str, Any]) -> list[tuple[LRScheduler, dict[str, Any]]]:
        parts = state.get("schedulers")
        if not isinstance(parts, list) or len(parts) != len(self.schedulers):
            raise CheckpointError(
                f"{type(self).__name__}: the state holds one for each of its "
                f"{len(self.schedulers)} schedules; got {parts!r:.60}"
            )
        rest = {name: value for name, value in state.items() if name != "schedulers"}
        checked = super()._checked(rest)
        for scheduler, part in zip(self.schedulers, parts, strict=True):
            checked += scheduler._checked(part if isinstance(part, Mapping) else {})
        return checked


class ChainedScheduler(_Combined):
    """Several schedules at once: each changes what the others made of the rate.

    Parameters
    ----------
    schedulers : sequence of LRScheduler
        Of one optimiser.
    optimiser : Optimiser, optional
        That of the schedules.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> warm_up = tg.optim.lr_scheduler.LinearLR(optimiser, start_factor=0.5, total_iters=2)
    >>> falling = tg.optim.lr_scheduler.ExponentialLR(optimiser, gamma=0.5)
    >>> schedule = ChainedScheduler([warm_up, falling])
    >>> rates = [optimiser.lr]
    >>> for _ in range(3):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> rates
    [0.5, 0.375, 0.25, 0.125]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimiser: Optimiser | None = None
    ) -> None:
        self._take(schedulers, optimiser)
        self.base_lrs = self.schedulers[0].base_lrs
        self.last_epoch = 0
        self._last_lr = self._rates()

    def _begin(self) -> None:
        for scheduler in self.schedulers:
            scheduler._begin()
        self.last_epoch, self._last_lr = 0, self._rates()

    def step(self) -> None:
        """Let each schedule set the rates, in turn."""
        for scheduler in self.schedulers:
            scheduler.step()
        self.last_epoch += 1
        self._last_lr = self._rates()


class SequentialLR(_Combined):
    """Schedules one behind the other: a warm-up, say, and then a cosine.

    Parameters
    ----------
    optimiser : Optimiser
    schedulers : sequence of LRScheduler
        Of this optimiser. Each begins from its base rates when its turn comes.
    milestones : sequence of int
        The epochs at which the second, third, … begins.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> warm_up = tg.optim.lr_scheduler.LinearLR(optimiser, start_factor=0.5, total_iters=2)
    >>> falling = tg.optim.lr_scheduler.ExponentialLR(optimiser, gamma=0.5)
    >>> schedule = SequentialLR(optimiser, [warm_up, falling], milestones=[2])
    >>> rates = [optimiser.lr]
    >>> for _ in range(4):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> rates
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimiser: Optimiser, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        require_optimiser("SequentialLR", optimiser)
        self._take(schedulers, optimiser)
        given = list(milestones)
        for milestone in given:
            whole("SequentialLR", "a milestone", milestone, 1)
        if len(given) != len(self.schedulers) - 1 or sorted(set(given)) != given:
            raise OptionError(
                "SequentialLR: milestones are rising, one less than there are schedules; got "
                f"{given} for {len(self.schedulers)}"
            )
        self.milestones = given
        self.base_lrs = self.schedulers[0].base_lrs
        self.last_epoch = -1
        self._last_lr = self._rates()
        self._begin_anew()

    def _begin(self) -> None:
        self.last_epoch = 0
        self.schedulers[0]._begin_anew()
        self._last_lr = self._rates()

    def step(self) -> None:
        """Let the schedule whose turn it is set the rates."""
        self.last_epoch += 1
        turn = bisect_right(self.milestones, self.last_epoch)
        scheduler = self.schedulers[turn]
        if turn > 0 and self.milestones[turn - 1] == self.last_epoch:
            scheduler._begin_anew()
        else:
            scheduler.step()
        self._last_lr = self._rates()
