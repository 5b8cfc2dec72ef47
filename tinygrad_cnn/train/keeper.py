"""What happens around the steps of a run: checkpoints, logs, the display, and stops."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tinygrad_cnn import memory
from tinygrad_cnn.train.forecast import Forecast
from tinygrad_cnn.train.interrupts import Interruption
from tinygrad_cnn.train.loop import Watcher
from tinygrad_cnn.train.progress import epoch_line, step_line
from tinygrad_cnn.train.state import TrainingState

if TYPE_CHECKING:
    from tinygrad_cnn.train.run import Run
    from tinygrad_cnn.train.tensorboard import EventLog

__all__ = ["Keeper"]

_SECONDS_BETWEEN_CHECKPOINTS = 30.0  # within an epoch; each epoch ends with one anyway


class Keeper(Watcher):
    """Keeps checkpoint, logs and display up with the training of a run.

    Parameters
    ----------
    run : Run
    interruption : Interruption
        Asked between steps.
    advance : callable
        Moves the bar, see :meth:`Display.steps`.
    forecast : Forecast, optional
        Compared with the first epoch that is trained as a whole.
    events : EventLog, optional
    """

    def __init__(
        self,
        run: "Run",
        interruption: Interruption,
        advance: Callable[[int, str], None],
        forecast: Forecast | None = None,
        events: "EventLog | None" = None,
    ) -> None:
        self.run = run
        self.interruption = interruption
        self.advance = advance
        self.forecast = None if run.state.step else forecast
        self.events = events
        self.saved = time.monotonic()
        memory.reset_peak_memory_stats()

    def after_step(self, state: TrainingState, loss: float) -> None:
        """Move the bar; now and then write a checkpoint."""
        done = state.epoch * self.run.steps_per_epoch + state.step
        self.advance(done, step_line(state, self.run.configuration.recipe.epochs))
        if time.monotonic() - self.saved > _SECONDS_BETWEEN_CHECKPOINTS:
            self._save()
        self.interruption.check()

    def after_evaluated_batch(self, done: int, total: int) -> None:
        """Let a signal end the evaluation; it is made anew when the run goes on."""
        self.interruption.check()

    def after_epoch(self, state: TrainingState) -> None:
        """Write checkpoint and log, in this order: a log is mended from a checkpoint."""
        self._save()
        record = state.history[-1]
        self.run.directory.append_log(record)
        if self.events is not None:
            self.events.add(record)
        self.run.display.line(epoch_line(record))
        if self.forecast is not None:
            told = self.forecast.error(record.seconds, memory.max_memory_allocated())
            self.run.display.line(told)
            self.forecast = None
        self.interruption.check()

    def _save(self) -> None:
        self.run.save()
        self.saved = time.monotonic()
