"""A run prepared: a new one, or the continuation of one from its checkpoint.

Whatever makes no sense is refused here, before anything is written.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tinygrad_cnn import models, random
from tinygrad_cnn.errors import CheckpointError, OptionError
from tinygrad_cnn.train.checkpoint import (
    Checkpoint,
    load_checkpoint,
)
from tinygrad_cnn.train.configuration import RunConfiguration, fingerprint
from tinygrad_cnn.train.input_format import InputFormat
from tinygrad_cnn.train.progress import Display
from tinygrad_cnn.train.recipe import Recipe
from tinygrad_cnn.train.recipes import RECIPES, recipe_for
from tinygrad_cnn.train.run import Run
from tinygrad_cnn.train.run_data import load_images, require_fitting
from tinygrad_cnn.train.run_directory import RunDirectory
from tinygrad_cnn.train.state import TrainingState
from tinygrad_cnn.train.stopping import hold_out
from tinygrad_cnn.train.tensorboard import require_writer
from tinygrad_cnn.train.threads import require_threads

__all__ = ["continued_run", "new_run"]


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
    watch: bool = False,
    tensorboard: bool = False,
) -> Run:
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
    watch : bool
        Look at every value of every step, see :func:`tinygrad_cnn.detect_anomaly`.
    tensorboard : bool
        Write event files too, into the folder ``tensorboard`` of the run.

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
    if tensorboard:
        require_writer()
    if seed < 0:
        raise OptionError(f"run: a seed is a whole number from 0 up; got {seed}")
    display = Display(quiet=True) if display is None else display
    models.find(model)  # an unknown name is told before a missing recipe is
    if recipe is None:
        recipe = recipe_for(model, data)
        if data != "folder" and (model, data) not in RECIPES:
            display.line(f"no recipe for {model} on {data}: what suits most networks is taken")
    recipe = recipe.with_options(**(recipe_options or {}))
    options = dict(model_options or {})
    models.build(model, allocate=False, **options)  # refuses what it does not take
    configuration = RunConfiguration(model, data, recipe, seed, options, split, data_dir)
    images = load_images(configuration, display)
    classes = len(images.class_names)
    if "num_classes" not in options and classes not in (0, models.find(model).num_classes):
        options["num_classes"] = classes
    random.manual_seed(seed)
    network = models.build(model, **options)
    require_fitting(configuration, network, images)
    side = min(images.train.images.shape[2:], default=0)
    if recipe.shift >= side > 0:
        raise OptionError(
            f"run: a shift is shorter than the images' side, {side} pixels of {data} here; got "
            f"{recipe.shift}"
        )
    learnt = len(hold_out(images.train, recipe.share_held_out, seed)[0])
    if recipe.batch_size > learnt:
        raise OptionError(
            f"run: batch_size is at most the {learnt} training images of {data}; got "
            f"{recipe.batch_size}"
        )
    configuration = dataclasses.replace(
        configuration,
        data_fingerprint=fingerprint(images),
        input_format=InputFormat.of(images),
    )
    directory = RunDirectory.create(run_dir, model, data)
    with ExitStack() as unless_ready:
        directory.lock.acquire()
        unless_ready.callback(directory.lock.release)
        directory.write_config(configuration)
        if tensorboard:
            directory.make_tensorboard()
        run = Run(configuration, directory, network, images, TrainingState(), display, threads)
        run.watch = watch
        run.save()  # from now on there is something to continue
        unless_ready.pop_all()
    return run


def continued_run(
    run_dir: str | os.PathLike[str],
    *,
    data_dir: str | None = None,
    threads: int | None = None,
    display: Display | None = None,
    watch: bool = False,
    tensorboard: bool = False,
    previous: bool = False,
    accept: Callable[[Checkpoint], None] | None = None,
) -> Run:
    """Prepare the continuation of a run from its checkpoint, bit for bit.

    Parameters
    ----------
    run_dir : path
        The run's directory.
    data_dir : str, optional
        Where the files lie, if they were moved.
    threads, display, watch, tensorboard
        As for :func:`new_run`. Event files are written if they were before, too.
    previous : bool
        Go on from the checkpoint before the last one, which is damaged.
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
    OptionError
        If `previous` is asked for, but the last checkpoint is whole.
    RunDirectoryError
        If another process is at work on it.
    """
    if threads is not None:
        require_threads(threads)
    if tensorboard:
        require_writer()
    display = Display(quiet=True) if display is None else display
    directory = RunDirectory(Path(run_dir))
    with ExitStack() as unless_ready:
        directory.lock.acquire()
        unless_ready.callback(directory.lock.release)
        load = _before_the_last if previous else _last
        checkpoint = load(directory)
        if accept is not None:
            accept(checkpoint)
        configuration = checkpoint.configuration
        if data_dir is not None:
            configuration = dataclasses.replace(configuration, data_dir=data_dir)
        network = models.build(configuration.model, **configuration.model_options)
        images = load_images(configuration, display)
        if fingerprint(images) != configuration.data_fingerprint:
            raise CheckpointError(
                "run: a run goes on with the images it began with; got other images of "
                f"{configuration.data}. Say where the former files lie, or start a new run."
            )
        configuration = dataclasses.replace(configuration, input_format=InputFormat.of(images))
        run = Run(configuration, directory, network, images, checkpoint.state, display, threads)
        run.watch = watch
        if tensorboard:
            directory.make_tensorboard()
        checkpoint.restore(network, run.optimiser, run.average, run.best)
        if previous:
            directory.go_back()
        directory.mend(checkpoint.state.history)
        directory.write_config(configuration)  # the checkpoint is what is true
        unless_ready.pop_all()
    return run


def _last(directory: RunDirectory) -> Checkpoint:
    return load_checkpoint(directory.checkpoint)


def _before_the_last(directory: RunDirectory) -> Checkpoint:
    try:
        _last(directory)
    except CheckpointError:
        return load_checkpoint(directory.previous)
    raise OptionError(
        "run: the checkpoint before the last one is for a run whose last one is damaged; got a "
        f"whole one, {directory.checkpoint}. Go on from that, without --previous."
    )
