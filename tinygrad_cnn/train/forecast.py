"""What training is going to take, said beforehand: time of an epoch, and memory.

A few steps are timed as they will be made, with loading and augmentation, and one batch of the
evaluation. What is not known then, how the machine is used meanwhile, shows as the forecast's
error after the first epoch.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from tinygrad_cnn import memory
from tinygrad_cnn.data import ArrayDataset
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import Optimiser
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.train.evaluation import EVALUATION_BATCH, evaluate
from tinygrad_cnn.train.loop import loader_of, train_step
from tinygrad_cnn.train.recipe import Recipe
from tinygrad_cnn.train.shift import shifted
from tinygrad_cnn.train.warm_up import untouched

__all__ = ["Forecast", "forecast"]

_STEPS = 20
_SECONDS = 1.5  # no further step is begun then
_LEAST = 2  # steps that are timed, however long they take


@dataclass(frozen=True)
class Forecast:
    """What an epoch is going to take.

    Parameters
    ----------
    seconds : float
        For all steps of an epoch and the evaluation at its end.
    peak_bytes : int
        Most that arrays of a step take at a time, images of the data set not counted; see
        :func:`tinygrad_cnn.memory.max_memory_allocated`.

    Examples
    --------
    >>> print(Forecast(75.0, 50_000_000))
    forecast: 1 min 15 s for an epoch, 50 MB for the arrays of a step
    >>> print(Forecast(75.0, 50_000_000).told(epochs=30))
    forecast: 1 min 15 s for an epoch, 37 min 30 s for 30, 50 MB for the arrays of a step
    >>> Forecast(75.0, 50_000_000).error(90.0, 49_000_000)
    'the epoch took 1 min 30 s, 20 % more than forecast, and 49 MB, 2 % less'
    """

    seconds: float
    peak_bytes: int

    def __str__(self) -> str:
        return self.told(epochs=1)

    def told(self, epochs: int) -> str:
        """Say it for as many epochs as there are to come."""
        whole = f" {duration(epochs * self.seconds)} for {epochs}," if epochs > 1 else ""
        return (
            f"forecast: {duration(self.seconds)} for an epoch,{whole} "
            f"{_megabytes(self.peak_bytes)} for the arrays of a step"
        )

    def error(self, seconds: float, peak_bytes: int) -> str:
        """Say what an epoch took beside what was forecast."""
        return (
            f"the epoch took {duration(seconds)}, {_difference(seconds, self.seconds)} than "
            f"forecast, and {_megabytes(peak_bytes)}, {_difference(peak_bytes, self.peak_bytes)}"
        )


def forecast(
    model: Module,
    optimiser: Optimiser,
    train: ArrayDataset,
    test: ArrayDataset,
    recipe: Recipe,
    held_out: int = 0,
    check: Callable[[], None] = lambda: None,
) -> Forecast:
    """Time a few steps after the warm-up, and leave no trace in what is trained.

    Parameters
    ----------
    model, optimiser, train, test, recipe
        As for :func:`~tinygrad_cnn.train.fit`.
    held_out : int, in images
        How many are evaluated beside those of the test.
    check : callable, optional
        Called between steps; what it raises ends the matter.

    Returns
    -------
    Forecast

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_cnn as tg
    >>> model = tg.nn.Linear(4, 2)
    >>> dataset = tg.data.ArrayDataset(np.eye(4, dtype=np.float32), [0, 1, 0, 1])
    >>> recipe = Recipe("sgd", lr=1.0, batch_size=2, epochs=5, schedule="constant")
    >>> optimiser = recipe.make_optimiser(model.parameters())
    >>> forecast(model, optimiser, dataset, dataset, recipe).seconds > 0
    True
    """
    loader = loader_of(train, recipe)
    few = test.subset(range(min(EVALUATION_BATCH, len(test))))
    was_training = model.training
    model.train()
    memory.reset_peak_memory_stats()
    times: list[float] = []
    with untouched(model, optimiser):
        begin = last = time.perf_counter()
        for images, labels in itertools.islice(loader, _STEPS + 1):
            moved = shifted(images, recipe.shift, default_generator())
            train_step(model, optimiser, moved, labels, recipe)
            times.append(time.perf_counter() - last)
            check()
            last = time.perf_counter()
            if last - begin > _SECONDS and len(times) > _LEAST:
                break
    # Out of the block: without the schedule these steps may have led anywhere, even to NaN.
    evaluate(model, few)
    last = time.perf_counter()
    evaluate(model, few)
    evaluation = (time.perf_counter() - last) * (len(test) + held_out) / len(few)
    model.train(was_training)
    # The first step waits for the first batch, and touches memory that the others find warm.
    step = statistics.mean(times[1:] or times)
    return Forecast(len(loader) * step + evaluation, memory.max_memory_allocated())


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.314, 12.34, 59.97, 90, 7_300)]
    ['0.31 s', '12.3 s', '1 min 0 s', '1 min 30 s', '2 h 1 min']
    """
    if seconds < 1.0:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"


def _difference(found: float, expected: float) -> str:
    if not expected:
        return "as much" if not found else "more"
    share = 100.0 * (found / expected - 1.0)
    return f"{abs(share):.0f} % {'more' if share >= 0 else 'less'}"
