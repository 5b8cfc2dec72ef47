"""What all schedules have in common: an optimiser, and a count of the steps they were told of."""

from collections.abc import Mapping
from math import inf
from numbers import Real
from typing import Any

from tinygrad_cnn.errors import CheckpointError, DTypeError, OptionError
from tinygrad_cnn.optim.optimiser import Optimiser

__all__ = ["LRScheduler", "number", "positive", "require_optimiser", "whole"]


class LRScheduler:
    """Base class: sets the learning rate of each group, anew whenever it is told to step.

    A schedule of your own has a method :meth:`get_lr`.

    Parameters
    ----------
    optimiser : Optimiser
        Whose rates are set, the first ones at once.
    last_epoch : int
        -1 to begin. Otherwise how often the schedule was told to step before, where the groups
        know their ``"initial_lr"``; :meth:`load_state_dict` is the simpler way to go on.

    Attributes
    ----------
    last_epoch : int
        How often :meth:`step` was called: epochs or batches, as the caller has it.
    base_lrs : list of float
        The rate of each group that the schedule starts from.

    Raises
    ------
    DTypeError
        If it is given no optimiser.
    OptionError
        If an option lies outside its range.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> class Harmonic(LRScheduler):
    ...     def get_lr(self):
    ...         return [rate / (1 + self.last_epoch) for rate in self.base_lrs]
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=0.6)
    >>> schedule = Harmonic(optimiser)
    >>> for _ in range(3):
    ...     optimiser.step()
    ...     schedule.step()
    ...     print(round(optimiser.lr, 2))
    0.3
    0.2
    0.15
    """

    base_lrs: list[float]

    def __init__(self, optimiser: Optimiser, last_epoch: int = -1) -> None:
        require_optimiser(type(self).__name__, optimiser)
        self.optimiser = optimiser
        for k, group in enumerate(optimiser.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise OptionError(
                    f'{type(self).__name__}: each group has the "initial_lr" that it began '
                    f"with, to go on from epoch {last_epoch}; got none in group {k}. Leave "
                    "last_epoch out, and load the state of the schedule"
                )
        self.base_lrs = [group["initial_lr"] for group in optimiser.param_groups]
        self.last_epoch = last_epoch
        self._last_lr = self._rates()
        self._begin()

    def _rates(self) -> list[float]:
        """Return the rate that each group has now."""
        return [group["lr"] for group in self.optimiser.param_groups]

    def _begin(self) -> None:
        """Set the first rates."""
        self._begins = True  # get_lr must not go one step further than where it begins
        try:
            self.step()
        finally:
            self._begins = False

    def _begin_anew(self) -> None:
        """Begin from the base rates, whatever other schedules made of them."""
        self._undo()
        for group, rate in zip(self.optimiser.param_groups, self.base_lrs, strict=True):
            group["lr"] = rate
        self._begin()

    def _undo(self) -> None:
        """Forget every step."""
        self.last_epoch = -1

    def get_lr(self) -> list[float]:
        """Return the rate of each group for ``last_epoch``.

        The rates of the step before are in the optimiser, where other schedules may have
        changed them too.
        """
        raise NotImplementedError  # abstract

    def get_last_lr(self) -> list[float]:
        """Return the rates that were set last, one for each group."""
        return list(self._last_lr)

    def step(self) -> None:
        """Set the rates of the next epoch, or batch; call it after ``optimiser.step()``."""
        self._require_known_groups()
        self.last_epoch += 1
        self._set(self.get_lr())

    def _require_known_groups(self) -> None:
        known, groups = len(self.base_lrs), len(self.optimiser.param_groups)
        if known != groups:
            raise OptionError(
                f"{type(self).__name__}: a schedule steps the groups that there were when it was "
                f"made; got {groups} for {known}. Make it after add_param_group"
            )

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = self._rates()

    def state_dict(self) -> dict[str, Any]:
        """Return numbers and lists, fit for JSON, from which :meth:`load_state_dict` goes on.

        Options are among them. The rates of the groups are part of the optimiser's state.
        """
        return self._numbers()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state_dict` was taken; all or nothing.

        Raises
        ------
        CheckpointError
            If it is the state of another schedule.
        """
        for scheduler, attributes in self._checked(state):
            vars(scheduler).update(attributes)

    def _numbers(self) -> dict[str, Any]:
        """Return the state of this schedule without those it is made of."""
        numbers = {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(self).items()
            if not name.startswith("_") and isinstance(value, int | float | str | list)
        }
        return {**numbers, "last_lr": self.get_last_lr()}

    def _checked(self, state: Mapping[str, Any]) -> list[tuple["LRScheduler", dict[str, Any]]]:
        """Return which attributes a state gives to which schedule, or refuse it."""
        called, own = type(self).__name__, self._numbers()
        if own.keys() != state.keys():
            raise CheckpointError(
                f"{called}: the state belongs to the same kind of schedule, with "
                f"{', '.join(own)}; got {', '.join(map(str, state)) or 'nothing'}"
            )
        for name, value in state.items():
            if not _alike(value, own[name]):
                raise CheckpointError(
                    f"{called}: a value of the state is of the kind of what it replaces; got "
                    f"{value!r} for {name}, which is {own[name]!r}"
                )
        attributes = {
            name: list(value) if isinstance(value, list) else value
            for name, value in state.items()
            if name != "last_lr"
        }
        return [(self, {**attributes, "_last_lr": list(state["last_lr"])})]


def _alike(value: Any, own: Any) -> bool:
    if isinstance(own, list):
        fits = isinstance(value, list) and len(value) == len(own)
        return fits and all(map(_alike, value, own))
    if isinstance(own, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(own)


def require_optimiser(called: str, optimiser: Any) -> None:
    """Refuse what has no groups of parameters."""
    if not isinstance(optimiser, Optimiser):
        raise DTypeError(
            f"{called}: a schedule sets the rates of an optimiser; got one "
            f"{type(optimiser).__name__}. Pass tg.optim.SGD(model.parameters(), lr=0.1)"
        )


def number(called: str, option: str, value: Any, least: float, most: float) -> float:
    """Return an option as a float between two numbers, both included, or refuse it."""
    if not (isinstance(value, Real) and least <= float(value) <= most):
        raise OptionError(
            f"{called}: {option} is a number from {least:g} to {most:g}; got {value!r}"
        )
    return float(value)


def positive(called: str, option: str, value: Any, most: float = inf) -> float:
    """Return an option as a float above 0, or refuse it: something is divided by it."""
    if number(called, option, value, 0.0, most) == 0.0:
        raise OptionError(f"{called}: {option} lies above 0; got {value!r}")
    return float(value)


def whole(called: str, option: str, value: Any, least: int) -> int:
    """Return an option as a whole number, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{called}: {option} is a whole number from {least} up; got {value!r}")
    return value
