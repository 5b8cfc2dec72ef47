"""A whole training run: prepared, trained, told, and safe to stop.

:func:`new_run` and :func:`continued_run` return a :class:`Run`; its ``train()`` does the rest.
"""

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from tinygrad_cnn import data as data_sets
from tinygrad_cnn import models, random
from tinygrad_cnn.errors import CheckpointError, OptionError
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
    take_checkpoint,
)
from tinygrad_cnn.train.configuration import RunConfiguration, fingerprint
from tinygrad_cnn.train.interrupts import Interrupted, Interruption, noted_interrupts
from tinygrad_cnn.train.loop import Watcher, fit, warm_up
from tinygrad_cnn.train.plots import draw_curves
from tinygrad_cnn.train.progress import Display, epoch_heading, epoch_line
from tinygrad_cnn.train.recipes import Recipe, recipe_for
from tinygrad_cnn.train.run_directory import RunDirectory
from tinygrad_cnn.train.state import Evaluation, TrainingState
from tinygrad_cnn.train.threads import kernel_threads, require_threads

__all__ = ["Run", "continued_run", "new_run"]

_SECONDS_BETWEEN_CHECKPOINTS = 30.0  # within an epoch; each epoch ends with one anyway
_IMAGES_OF_THE_STORY = 4


def new_run(
    model: str,
    data: str = "digits",
    *,
    recipe: Recipe | None = None,
    recipe_options: Mapping[str, Any] | None = None,
    model_options: Mapping[str, Any] | None = None,
    seed: int = 0,
    split: str | None = None,
    data_dir: str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    display: Display | None = None,
) -> "Run":
    """Prepare a run: network, images, run directory, and the checkpoint it starts from.

    Parameters
    ----------
    model : str
        Name of the network; see :func:`tinygrad_cnn.models.names`.
    data : str
        Name of the data set; see :func:`tinygrad_cnn.data.names`.
    recipe : Recipe, optional
        How to train; by default :func:`recipe_for` model and data.
    recipe_options : mapping, optional
        Fields of the recipe that are to be other than it says, such as ``{"epochs": 5}``;
        see :meth:`Recipe.with_options`.
    model_options : mapping, optional
        What the network's builder is given besides.
    seed : int
        Starts the default random generator: weights, order of the images, shifts.
    split : str, optional
        Which images are for the test, where there is a choice.
    data_dir : str, optional
        Where the files lie or are fetched to.
    run_dir : path, optional
        A new or empty folder; see :meth:`RunDirectory.create`.
    threads : int, optional
        Of the kernels; by default what the recipe finds worth its while. Results do not
        depend on it.
    display : Display, optional
        Shows the run; by default nothing is shown.

    Returns
    -------
    Run

    Raises
    ------
    TinygradCnnError
        If anything of it makes no sense; nothing was written then.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> run = new_run("lenet5", recipe_options={"epochs": 1}, run_dir=folder.name)
    >>> run.train().total
    359
    >>> continued_run(folder.name).train() == run.state.history[-1].test  # nothing is left to do
    True
    >>> folder.cleanup()
    """
    if threads is not None:
        require_threads(threads)
    if seed < 0:
        raise OptionError(f"run: a seed is a whole number from 0 up; got {seed}")
    display = Display(quiet=True) if display is None else display
    models.find(model)  # an unknown name is told before a missing recipe is
    recipe = recipe_for(model, data) if recipe is None else recipe
    recipe = recipe.with_options(**(recipe_options or {}))
    random.manual_seed(seed)
    network = models.build(model, **(model_options or {}))
    configuration = RunConfiguration(
        model, data, recipe, seed, dict(model_options or {}), split, data_dir
    )
    images = _load(configuration, display)
    if recipe.batch_size > len(images.train):
        raise OptionError(
            f"run: batch_size is at most the {len(images.train)} training images of {data}; got "
            f"{recipe.batch_size}"
        )
    configuration = dataclasses.replace(configuration, data_fingerprint=fingerprint(images))
    directory = RunDirectory.create(run_dir, model, data)
    with ExitStack() as unless_ready:
        directory.lock.acquire()
        unless_ready.callback(directory.lock.release)
        directory.write_config(configuration)
        run = Run(configuration, directory, network, images, TrainingState(), display, threads)
        run.save()  # from now on there is something to continue
        unless_ready.pop_all()
    return run


def continued_run(
    run_dir: str | os.PathLike[str],
    *,
    data_dir: str | None = None,
    threads: int | None = None,
    display: Display | None = None,
    accept: Callable[[Checkpoint], None] | None = None,
) -> "Run":
    """Prepare the continuation of a run from its checkpoint, bit for bit.

    Parameters
    ----------
    run_dir : path
        The run's directory.
    data_dir : str, optional
        Where the files lie, if they were moved.
    threads, display
        As for :func:`new_run`.
    accept : callable, optional
        Called with the checkpoint before anything is loaded or changed; what it raises
        ends the matter.

    Returns
    -------
    Run

    Raises
    ------
    CheckpointError
        If there is no such run, or its images changed.
    RunDirectoryError
        If another process is at work on it.
    """
    if threads is not None:
        require_threads(threads)
    display = Display(quiet=True) if display is None else display
    directory = RunDirectory(Path(run_dir))
    with ExitStack() as unless_ready:
        directory.lock.acquire()
        unless_ready.callback(directory.lock.release)
        checkpoint = load_checkpoint(directory.checkpoint)
        if accept is not None:
            accept(checkpoint)
        configuration = checkpoint.configuration
        if data_dir is not None:
            configuration = dataclasses.replace(configuration, data_dir=data_dir)
        network = models.build(configuration.model, **configuration.model_options)
        images = _load(configuration, display)
        if fingerprint(images) != configuration.data_fingerprint:
            raise CheckpointError(
                "run: a run goes on with the images it began with; got other images of "
                f"{configuration.data}. Say where the former files lie, or start a new run."
            )
        run = Run(configuration, directory, network, images, checkpoint.state, display, threads)
        checkpoint.restore(network, run.optimiser)
        directory.mend(checkpoint.state.history)
        directory.write_config(configuration)  # the checkpoint is what is true
        unless_ready.pop_all()
    return run


def _load(configuration: RunConfiguration, display: Display) -> data_sets.Split:
    name, folder = configuration.data, configuration.data_dir
    quick = name == "digits"  # a tenth of a second: nothing to announce
    with nullcontext() if quick else display.waiting(f"loading {name}"):
        return data_sets.load(name, folder, split=configuration.split)


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
        self.threads = configuration.recipe.threads if threads is None else threads
        self.optimiser = configuration.recipe.make_optimiser(network.parameters())
        self.steps_per_epoch = -(-len(split.train) // configuration.recipe.batch_size)

    def save(self) -> None:
        """Write the checkpoint of where the run stands."""
        save_checkpoint(
            self.directory.checkpoint,
            take_checkpoint(self.configuration, self.state, self.network, self.optimiser),
        )

    def train(self) -> Evaluation:
        """Train to the end, draw the curves, and tell the story of one backward pass.

        In the main thread SIGINT and SIGTERM stop the run between two steps, with a
        checkpoint from which :func:`continued_run` goes on.

        Returns
        -------
        Evaluation
            Of the test images, after the last epoch.

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
                self.save()
                raise
        return self.state.history[-1].test

    def _train(self, interruption: Interruption) -> None:
        self._introduce()
        if self.state.epoch < self.configuration.recipe.epochs:
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
            f"{len(self.split.train):,} training and {len(self.split.test):,} test images"
        )
        self.display.line(
            f"{recipe.optimiser}, learning rate {recipe.lr:g} ({recipe.schedule}), {recipe.epochs} "
            f"epochs of {self.steps_per_epoch} batches of {recipe.batch_size} images, seed "
            f"{self.configuration.seed}"
        )
        self.display.line(f"run directory {self.directory.path}")
        if self.state.epoch or self.state.step:
            self.display.line(f"resuming {self.place}")

    def _compile(self, interruption: Interruption) -> None:
        batch_size = self.configuration.recipe.batch_size
        images, check = self.split.train, interruption.check
        with self.display.waiting("compiling kernels") as say:
            cost = warm_up(self.network, self.optimiser, images, batch_size, check, say)
        if cost.functions:
            text = f"compiled {cost.functions} kernels in {cost.compile_seconds:.1f} s"
        else:
            text = f"kernels found compiled, loaded in {cost.seconds:.1f} s"
        self.display.line(text)

    def _fit(self, interruption: Interruption) -> None:
        recipe = self.configuration.recipe
        self.display.line(epoch_heading())
        for record in self.state.history:
            self.display.line(epoch_line(record))
        total = recipe.epochs * self.steps_per_epoch
        done = self.state.epoch * self.steps_per_epoch + self.state.step
        with self.display.steps("training", total, done) as advance:
            keeper = _Keeper(self, interruption, advance)
            fit(self.network, self.optimiser, *self.split, recipe, self.state, keeper)
        seconds = sum(record.seconds for record in self.state.history)
        self.display.line(f"trained {recipe.epochs} epochs in {seconds:.1f} s")

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
        self.display.line(f"\nOne backward pass, over {len(labels)} test images\n\n{story}\n")


class _Keeper(Watcher):
    """Keeps the checkpoint, the log and the display up with the training."""

    def __init__(
        self, run: Run, interruption: Interruption, advance: Callable[[int, str], None]
    ) -> None:
        self.run = run
        self.interruption = interruption
        self.advance = advance
        self.saved = time.monotonic()

    def after_step(self, state: TrainingState, loss: float) -> None:
        """Move the bar; now and then write a checkpoint."""
        done = state.epoch * self.run.steps_per_epoch + state.step
        epochs = self.run.configuration.recipe.epochs
        self.advance(done, f"epoch {state.epoch + 1} of {epochs}  loss {loss:.3f}")
        if time.monotonic() - self.saved > _SECONDS_BETWEEN_CHECKPOINTS:
            self._save()
        self.interruption.check()

    def after_evaluated_batch(self, done: int, total: int) -> None:
        """Let a signal end the evaluation; it is made anew when the run goes on."""
        self.interruption.check()

    def after_epoch(self, state: TrainingState) -> None:
        """Write checkpoint and log, in this order: a log is mended from a checkpoint."""
        self._save()
        self.run.directory.append_log(state.history[-1])
        self.run.display.line(epoch_line(state.history[-1]))
        self.interruption.check()

    def _save(self) -> None:
        self.run.save()
        self.saved = time.monotonic()
