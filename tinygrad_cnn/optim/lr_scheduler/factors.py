"""Schedules that multiply the rate: at steps, at every step, along a line, by a function.

Each multiplies what the rate is *now*, so that several of them may act on one optimiser.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.optim.lr_scheduler.scheduler import LRScheduler, number, positive, whole
from tinygrad_cnn.optim.optimiser import Optimiser

__all__ = [
    "ConstantLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "PolynomialLR",
    "StepLR",
]


class _Multiplying(LRScheduler):
    """Common part: the rate of the step before, times a factor."""

    def get_lr(self) -> list[float]:
        factor = self._factor(self.last_epoch)
        return [rate * factor for rate in self._rates()]

    def _factor(self, epoch: int) -> float:
        """Return what the rate of epoch - 1 is multiplied with; at 0, the rate itself."""
        raise NotImplementedError  # abstract


class StepLR(_Multiplying):
    """Multiply the rate by a factor at every so many epochs: ``α γ^⌊t / step_size⌋``.

    Parameters
    ----------
    optimiser : Optimiser
    step_size : int
        Epochs between two steps.
    gamma : float
        The factor γ.
    last_epoch : int
        As for :class:`LRScheduler`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = StepLR(optimiser, step_size=2, gamma=0.5)
    >>> rates = [optimiser.lr]
    >>> for _ in range(5):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimiser: Optimiser, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = whole("StepLR", "step_size", step_size, 1)
        self.gamma = number("StepLR", "gamma", gamma, 0.0, inf)
        super().__init__(optimiser, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.gamma if epoch > 0 and epoch % self.step_size == 0 else 1.0


class MultiStepLR(_Multiplying):
    """Multiply the rate by a factor at certain epochs: ``α γ^(milestones up to t)``.

    Parameters
    ----------
    optimiser : Optimiser
    milestones : iterable of int
        The epochs; one that comes twice counts twice.
    gamma : float
        The factor γ.
    last_epoch : int
        As for :class:`LRScheduler`.

    References
    ----------
    .. [1] K. He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2:
       a tenth at 32,000 and at 48,000 of 64,000 steps.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = MultiStepLR(optimiser, milestones=[2, 3], gamma=0.5)
    >>> rates = [optimiser.lr]
    >>> for _ in range(4):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> rates
    [1.0, 1.0, 0.5, 0.25, 0.25]
    """

    def __init__(
        self,
        optimiser: Optimiser,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise OptionError(f"MultiStepLR: milestones are whole numbers; got {milestones!r}")
        self.milestones = sorted(whole("MultiStepLR", "a milestone", m, 0) for m in milestones)
        self.gamma = number("MultiStepLR", "gamma", gamma, 0.0, inf)
        super().__init__(optimiser, last_epoch)

    def _factor(self, epoch: int) -> float:
        passed = bisect_right(self.milestones, epoch) - bisect_right(self.milestones, epoch - 1)
        return self.gamma**passed


class ExponentialLR(_Multiplying):
    """Multiply the rate by a factor at every epoch: ``α γᵗ``.

    Parameters
    ----------
    optimiser : Optimiser
    gamma : float
        The factor γ.
    last_epoch : int
        As for :class:`LRScheduler`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = ExponentialLR(optimiser, gamma=0.5)
    >>> schedule.step()
    >>> schedule.step()
    >>> optimiser.lr
    0.25
    """

    def __init__(self, optimiser: Optimiser, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = number("ExponentialLR", "gamma", gamma, 0.0, inf)
        super().__init__(optimiser, last_epoch)

    def _factor(self, epoch: int) -> float:
        return 1.0 if self._begins else self.gamma


class ConstantLR(_Multiplying):
    """Multiply the rate by a factor for some epochs, and take it back afterwards.

    Parameters
    ----------
    optimiser : Optimiser
    factor : float
        Above 0, at most 1.
    total_iters : int
        For how many epochs.
    last_epoch : int
        As for :class:`LRScheduler`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = ConstantLR(optimiser, factor=0.5, total_iters=2)
    >>> rates = [optimiser.lr]
    >>> for _ in range(3):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> rates
    [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(
        self,
        optimiser: Optimiser,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.factor = positive("ConstantLR", "factor", factor, 1.0)
        self.total_iters = whole("ConstantLR", "total_iters", total_iters, 0)
        super().__init__(optimiser, last_epoch)

    def _factor(self, epoch: int) -> float:
        if epoch == 0:
            return self.factor
        return 1.0 / self.factor if epoch == self.total_iters else 1.0


class LinearLR(_Multiplying):
    """Multiply the rate by a factor that changes along a line: a linear warm-up.

    ``α (a + (b - a) min(t, T) / T)``, from a = `start_factor` to b = `end_factor`.

    Parameters
    ----------
    optimiser : Optimiser
    start_factor, end_factor : float
        The first above 0, both at most 1.
    total_iters : int
        T, after how many epochs the end is reached.
    last_epoch : int
        As for :class:`LRScheduler`.

    Notes
    -----
    At the beginning gradients are large and the running means of an optimiser are poor.
    Behind it another schedule may follow, see :class:`SequentialLR`.

    References
    ----------
    .. [1] P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour",
       arXiv:1706.02677, section 2.2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = LinearLR(optimiser, start_factor=0.25, total_iters=3)
    >>> rates = [optimiser.lr]
    >>> for _ in range(4):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> rates
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimiser: Optimiser,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = positive("LinearLR", "start_factor", start_factor, 1.0)
        self.end_factor = number("LinearLR", "end_factor", end_factor, 0.0, 1.0)
        self.total_iters = whole("LinearLR", "total_iters", total_iters, 1)
        super().__init__(optimiser, last_epoch)

    def _factor(self, epoch: int) -> float:
        if epoch == 0:
            return self.start_factor
        if self._begins or epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (self.total_iters * self.start_factor + (epoch - 1) * rise)


class PolynomialLR(_Multiplying):
    """Lower the rate along a power of a line, ``α (1 - min(t, T) / T)^power``.

    Parameters
    ----------
    optimiser : Optimiser
    total_iters : int
        T, after how many epochs the rate is 0.
    power : float
    last_epoch : int
        As for :class:`LRScheduler`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = PolynomialLR(optimiser, total_iters=4, power=2.0)
    >>> rates = [optimiser.lr]
    >>> for _ in range(4):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> rates
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    def __init__(
        self,
        optimiser: Optimiser,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters = whole("PolynomialLR", "total_iters", total_iters, 1)
        self.power = number("PolynomialLR", "power", power, 0.0, inf)
        super().__init__(optimiser, last_epoch)

    def _factor(self, epoch: int) -> float:
        if self._begins or epoch > self.total_iters:
            return 1.0
        left, before = (1.0 - t / self.total_iters for t in (epoch, epoch - 1))
        return (left / before) ** self.power


class LambdaLR(LRScheduler):
    """Multiply the first rate by a function of the epoch, ``α f(t)``.

    Parameters
    ----------
    optimiser : Optimiser
    lr_lambda : callable, or list of callable
        f; a list has one for each group. The functions are no part of the state.
    last_epoch : int
        As for :class:`LRScheduler`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> optimiser = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = LambdaLR(optimiser, lambda epoch: 0.5**epoch)
    >>> schedule.step()
    >>> optimiser.lr
    0.5
    """

    def __init__(
        self,
        optimiser: Optimiser,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(getattr(optimiser, "param_groups", ()))
        given = lr_lambda if isinstance(lr_lambda, list | tuple) else [lr_lambda] * groups
        if len(given) != groups or not all(map(callable, given)):
            raise OptionError(
                "LambdaLR: lr_lambda is a function of the epoch, or a list with one for each "
                f"group; got {lr_lambda!r} for {groups} groups"
            )
        self.lr_lambdas: tuple[Any, ...] = tuple(given)
        super().__init__(optimiser, last_epoch)

    def get_lr(self) -> list[float]:
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [rate * function(self.last_epoch) for rate, function in pairs]
