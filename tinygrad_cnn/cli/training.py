"""A training run from the command line: prepared, trained, told, and safe to stop."""

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinygrad_cnn import data, models, random
from tinygrad_cnn.cli.model_options import MODEL_OPTIONS
from tinygrad_cnn.errors import CheckpointError, OptionError
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train import (
    Display,
    Interrupted,
    Interruption,
    RunConfiguration,
    RunDirectory,
    TrainingState,
    Watcher,
    draw_curves,
    fingerprint,
    fit,
    load_checkpoint,
    noted_interrupts,
    recipe_for,
    save_checkpoint,
    take_checkpoint,
    warm_up,
)
from tinygrad_cnn.train.progress import epoch_heading, epoch_line

__all__ = ["Run", "continued_run", "new_run", "set_threads"]

_RECIPE_OPTIONS = ("optimiser", "lr", "batch_size", "epochs", "momentum")
_SECONDS_BETWEEN_CHECKPOINTS = 30.0  # within an epoch; each epoch ends with one anyway
_IMAGES_OF_THE_STORY = 4


def set_threads(threads: int | None) -> None:
    """Let the kernels use so many threads; None leaves it as it is, one for each core.

    Raises
    ------
    OptionError
        If the machine has fewer.
    """
    if threads is None:
        return
    import numba

    most = numba.config.NUMBA_NUM_THREADS
    if not 1 <= threads <= most:
        raise OptionError(f"--threads: there are 1 to {most} threads here; got {threads}")
    numba.set_num_threads(threads)


def new_run(model: str, given: dict[str, Any], run_dir: str | None, display: Display) -> "Run":
    """Prepare a run from what was given on the command line.

    Parameters
    ----------
    model : str
        Name of the network.
    given : dict
        Options that were given, by their names.
    run_dir : str, optional
        See :meth:`tinygrad_cnn.train.RunDirectory.create`.
    display : Display

    Raises
    ------
    TinygradCnnError
        If anything of it makes no sense; nothing was written then.
    """
    seed = given.get("seed", 0)
    if seed < 0:
        raise OptionError(f"--seed: a seed is a whole number from 0 up; got {seed}")
    random.manual_seed(seed)
    model_options = {name: given[name] for name in MODEL_OPTIONS if name in given}
    network = models.build(model, **model_options)
    name = given.get("data", "digits")
    recipe = recipe_for(model, name).with_options(
        **{key: given.get(key) for key in _RECIPE_OPTIONS}
    )
    configuration = RunConfiguration(
        model, name, recipe, seed, model_options, given.get("split"), given.get("data_dir")
    )
    split = _load(configuration, display)
    if recipe.batch_size > len(split.train):
        raise OptionError(
            f"--batch-size: a batch holds at most the {len(split.train)} training images of "
            f"{name}; got {recipe.batch_size}"
        )
    configuration = dataclasses.replace(configuration, data_fingerprint=fingerprint(split))
    directory = RunDirectory.create(run_dir, model, name)
    directory.write_config(configuration)
    run = Run(configuration, directory, network, split, TrainingState(), display)
    run.save()  # from now on there is something to resume
    return run


def continued_run(path: str, model: str | None, given: dict[str, Any], display: Display) -> "Run":
    """Prepare the continuation of a run from its checkpoint.

    Parameters
    ----------
    path : str
        The run's directory.
    model : str, optional
        What the network is believed to be.
    given : dict
        Options that were given, by their names; those that decide what is computed have to
        be those of the run.
    display : Display

    Raises
    ------
    TinygradCnnError
        If there is no such run, it is another one, or its data changed.
    """
    directory = RunDirectory(Path(path))
    checkpoint = load_checkpoint(directory.checkpoint)
    configuration = checkpoint.configuration
    if model is not None:
        checkpoint.require_model(model)
    _require_same_options(configuration, given)
    if "data_dir" in given:
        configuration = dataclasses.replace(configuration, data_dir=given["data_dir"])
    network = models.build(configuration.model, **configuration.model_options)
    split = _load(configuration, display)
    if fingerprint(split) != configuration.data_fingerprint:
        raise CheckpointError(
            f"--resume: a run goes on with the images it began with; got other images of "
            f"{configuration.data}. Name the former files with --data-dir, or start a new run."
        )
    run = Run(configuration, directory, network, split, checkpoint.state, display)
    checkpoint.restore(network, run.optimiser)
    directory.mend(checkpoint.state.history)
    return run


def _require_same_options(configuration: RunConfiguration, given: dict[str, Any]) -> None:
    of_the_run = {
        **{name: configuration.model_options.get(name) for name in MODEL_OPTIONS},
        **{name: getattr(configuration.recipe, name) for name in _RECIPE_OPTIONS},
        "data": configuration.data,
        "split": configuration.split,
        "seed": configuration.seed,
    }
    for name, value in given.items():
        if name in of_the_run and value != of_the_run[name]:
            former = "its default" if of_the_run[name] is None else of_the_run[name]
            raise OptionError(
                f"--resume: a run goes on with the options it began with; got "
                f"--{name.replace('_', '-')} {value} where the run has {former}. Leave the "
                "option out, or start a new run."
            )


def _load(configuration: RunConfiguration, display: Display) -> data.Split:
    def load() -> data.Split:
        return data.load(configuration.data, configuration.data_dir, split=configuration.split)

    if configuration.data == "digits":  # a tenth of a second: nothing to announce
        return load()
    with display.waiting(f"loading {configuration.data}"):
        return load()


class Run:
    """A run that is ready to train.

    Parameters
    ----------
    configuration : RunConfiguration
    directory : RunDirectory
    network : Module
    split : Split
    state : TrainingState
        Where it stands; a fresh one for a new run.
    display : Display
    """

    def __init__(
        self,
        configuration: RunConfiguration,
        directory: RunDirectory,
        network: Module,
        split: data.Split,
        state: TrainingState,
        display: Display,
    ) -> None:
        self.configuration = configuration
        self.directory = directory
        self.network = network
        self.split = split
        self.state = state
        self.display = display
        self.optimiser = configuration.recipe.make_optimiser(network.parameters())
        self.steps_per_epoch = -(-len(split.train) // configuration.recipe.batch_size)

    @property
    def usual_threads(self) -> int | None:
        """Threads that the recipe finds worth their while, None for all."""
        return self.configuration.recipe.threads

    def save(self) -> None:
        """Write the checkpoint of where the run stands."""
        save_checkpoint(
            self.directory.checkpoint,
            take_checkpoint(self.configuration, self.state, self.network, self.optimiser),
        )

    def train(self) -> int:
        """Train to the end, or until a signal comes; return the exit code."""
        self._introduce()
        try:
            with noted_interrupts() as interruption:
                if self.state.epoch < self.configuration.recipe.epochs:
                    self._compile(interruption)
                    self._fit(interruption)
                self._draw()
                self._tell_backward_pass()
                interruption.check()
        except Interrupted as stop:
            self.save()
            print(f"tinygrad-cnn: {stop} {self._place()}; continue with:", file=sys.stderr)
            print(f"  {self.directory.resume_command}", file=sys.stderr)
            return stop.exit_code
        self.display.line(f"test accuracy {self.state.history[-1].test}", always=True)
        return 0

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
            self.display.line(f"resuming {self._place()}")

    def _place(self) -> str:
        epochs = self.configuration.recipe.epochs
        if self.state.epoch == epochs:
            return f"after the last of {epochs} epochs"
        return (
            f"in epoch {self.state.epoch + 1} of {epochs}, after {self.state.step} of "
            f"{self.steps_per_epoch} steps"
        )

    def _compile(self, interruption: Interruption) -> None:
        batch_size = self.configuration.recipe.batch_size
        with self.display.waiting("compiling kernels"):
            cost = warm_up(
                self.network, self.optimiser, self.split.train, batch_size, interruption.check
            )
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

    def _draw(self) -> None:
        title = f"{self.configuration.model} on {self.configuration.data}"
        draw_curves(self.directory.curves, self.state.history, title)

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
