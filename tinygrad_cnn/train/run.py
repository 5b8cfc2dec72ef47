"""A whole training run: trained, told, and safe to stop.

:func:`~tinygrad_cnn.train.new_run` and :func:`~tinygrad_cnn.train.continued_run` return a
:class:`Run`; its ``train()`` does the rest.
"""

import threading
from contextlib import ExitStack

from tinygrad_cnn import data as data_sets
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import EMA
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.checkpoint import (
    save_checkpoint,
    take_checkpoint,
)
from tinygrad_cnn.train.configuration import RunConfiguration
from tinygrad_cnn.train.forecast import duration, forecast
from tinygrad_cnn.train.interrupts import Interrupted, Interruption, noted_interrupts
from tinygrad_cnn.train.keeper import Keeper
from tinygrad_cnn.train.loop import fit
from tinygrad_cnn.train.plots import draw_curves
from tinygrad_cnn.train.progress import Display, counted, epoch_heading, epoch_line
from tinygrad_cnn.train.run_directory import RunDirectory
from tinygrad_cnn.train.state import Evaluation, TrainingState
from tinygrad_cnn.train.stopping import BestWeights, hold_out, settle
from tinygrad_cnn.train.threads import kernel_threads
from tinygrad_cnn.train.warm_up import warm_up

__all__ = ["Run"]

_IMAGES_OF_THE_STORY = 4
_LINES_TO_READ = 80  # of a longer story the screen shows the first line


class Run:
    """A run that is ready to train; made by :func:`new_run` or :func:`continued_run`.

    Parameters
    ----------
    configuration : RunConfiguration
    directory : RunDirectory
    network : Module
    split : Split
        The images to learn from, and to report on.
    state : TrainingState
        Where it stands; a fresh one for a new run.
    display : Display
    threads : int, optional
        Of the kernels; by default those of the recipe.
    """

    def __init__(
        self,
        configuration: RunConfiguration,
        directory: RunDirectory,
        network: Module,
        split: data_sets.Split,
        state: TrainingState,
        display: Display,
        threads: int | None = None,
    ) -> None:
        self.configuration = configuration
        self.directory = directory
        self.network = network
        self.split = split
        self.state = state
        self.display = display
        recipe = configuration.recipe
        self.threads = recipe.threads if threads is None else threads
        self.watch = False
        self.optimiser = recipe.make_optimiser(network.parameters())
        self.average = None if recipe.average is None else EMA(network, recipe.average)
        self.best = None if recipe.patience is None else BestWeights(network)
        self.learnt, self.held_out = hold_out(
            split.train, recipe.share_held_out, configuration.seed
        )
        self.steps_per_epoch = -(-len(self.learnt) // recipe.batch_size)

    def save(self) -> None:
        """Write the checkpoint of where the run stands."""
        trained = (self.network, self.optimiser, self.average, self.best)
        checkpoint = take_checkpoint(self.configuration, self.state, *trained)
        save_checkpoint(self.directory.checkpoint, checkpoint)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.state.ends(self.configuration.recipe.epochs)

    def train(self) -> Evaluation:
        """Train to the end, draw the curves, and tell the story of one backward pass.

        In the main thread SIGINT and SIGTERM stop the run between two steps, with a
        checkpoint from which :func:`continued_run` goes on.

        Returns
        -------
        Evaluation
            Of the test images, by the weights that the run ends with: those of the last epoch,
            or with early stopping those of the best one.

        Raises
        ------
        Interrupted
            If a signal stopped it.
        DivergedError
            If the loss is no longer a number.
        RunDirectoryError
            If the run directory can no longer be written, or is in use.
        """
        with ExitStack() as stack:
            self.directory.lock.acquire()
            stack.callback(self.directory.lock.release)
            stack.enter_context(kernel_threads(self.threads))
            interruption = Interruption()
            if threading.current_thread() is threading.main_thread():
                interruption = stack.enter_context(noted_interrupts())
            try:
                self._train(interruption)
            except Interrupted:
                if not self.finished:  # else the checkpoint is written, and the weights settled
                    self.save()
                raise
        return self.state.result

    def _train(self, interruption: Interruption) -> None:
        self._introduce()
        if self.finished:
            settle(self.network, self.average, self.best)
        else:
            self._compile(interruption)
            self._fit(interruption)
        title = f"{self.configuration.model} on {self.configuration.data}"
        draw_curves(self.directory.curves, self.state.history, title)
        self._tell_backward_pass()
        interruption.check()

    @property
    def place(self) -> str:
        """Where the run stands, in words."""
        epochs = self.configuration.recipe.epochs
        if self.state.stopped:
            return f"stopped early after {self.state.epoch} of at most {epochs} epochs"
        if self.state.epoch == epochs:
            return f"after the last of {epochs} epochs"
        return (
            f"in epoch {self.state.epoch + 1} of {epochs}, after {self.state.step} of "
            f"{self.steps_per_epoch} steps"
        )

    def _introduce(self) -> None:
        recipe = self.configuration.recipe
        options = ", ".join(f"{k} {v}" for k, v in self.configuration.model_options.items())
        self.display.line(
            f"{self.configuration.model}{f' ({options})' if options else ''}: "
            f"{self.network.count_parameters():,} parameters; {self.configuration.data}: "
            f"{len(self.learnt):,} training and {len(self.split.test):,} test images"
            f"{f', {len(self.held_out):,} held out' if self.held_out is not None else ''}"
        )
        batches = counted(self.steps_per_epoch, "batch", "batches")
        self.display.line(
            f"{recipe.optimiser}, learning rate {recipe.lr:g} ({recipe.schedule}), "
            f"{counted(recipe.epochs, 'epoch')} of {batches} of {recipe.batch_size} images, seed "
            f"{self.configuration.seed}"
        )
        self.display.line(f"run directory {self.directory.path}")
        if self.state.epoch or self.state.step:
            self.display.line(f"resuming {self.place}")

    def _compile(self, interruption: Interruption) -> None:
        batch_size = self.configuration.recipe.batch_size
        images, check = self.learnt, interruption.check
        with self.display.waiting("compiling kernels") as say:
            cost = warm_up(self.network, self.optimiser, images, batch_size, check, say)
        if cost.functions:
            text = f"compiled {cost.functions} kernel{'s' if cost.functions > 1 else ''}"
            text += f" in {cost.compile_seconds:.1f} s"
        else:
            text = f"kernels found compiled, loaded in {cost.seconds:.1f} s"
        self.display.line(text)

    def _fit(self, interruption: Interruption) -> None:
        recipe = self.configuration.recipe
        foreseen = None
        if not self.display.quiet:
            parts = (self.network, self.optimiser, self.learnt, self.split.test, recipe)
            unlearnt = 0 if self.held_out is None else len(self.held_out)
            foreseen = forecast(*parts, unlearnt, interruption.check)
            self.display.line(foreseen.told(recipe.epochs - self.state.epoch))
        self.display.line(epoch_heading())
        for record in self.state.history:
            self.display.line(epoch_line(record))
        total = recipe.epochs * self.steps_per_epoch
        done = self.state.epoch * self.steps_per_epoch + self.state.step
        with ExitStack() as stack:
            advance = stack.enter_context(self.display.steps("training", total, done))
            events = self.directory.open_tensorboard(self.state.history)
            if events is not None:
                stack.callback(events.close)
            fit(
                self.network,
                self.optimiser,
                self.learnt,
                self.split.test,
                recipe,
                self.state,
                Keeper(self, interruption, advance, foreseen, events),
                held_out=self.held_out,
                average=self.average,
                best=self.best,
                watch=self.watch,
            )
        seconds = sum(record.seconds for record in self.state.history)
        self.display.line(f"trained {counted(self.state.epoch, 'epoch')} in {duration(seconds)}")
        if self.state.stopped:
            self.display.line(
                f"stopped early: the held-out loss was lowest after epoch {self.state.best_epoch}"
            )

    def _tell_backward_pass(self) -> None:
        """Run a few test images forward and backward, and let the graph tell about it."""
        from tinygrad_cnn import explain

        images, labels = self.split.test.batch(
            range(min(_IMAGES_OF_THE_STORY, len(self.split.test)))
        )
        self.network.eval()
        self.network.zero_grad()
        with explain.record():
            loss = cross_entropy(self.network(Tensor(images)), labels)
            loss.backward()
        story = explain.story(loss)
        self.network.zero_grad()
        self.directory.write_story(story)
        told = f"\nOne backward pass, over {len(labels)} test images"
        if story.count("\n") < _LINES_TO_READ:
            self.display.line(f"{told}\n\n{story}\n")
        else:
            summary = story.partition("\n")[0]
            self.display.line(f"{told}, is told in {self.directory.story}: {summary}\n")
