"""A trained network, taken out of the directory of its run."""

import dataclasses
from pathlib import Path

from tinygrad_cnn import models
from tinygrad_cnn.nn import Module
from tinygrad_cnn.train.checkpoint import Checkpoint, load_checkpoint
from tinygrad_cnn.train.evaluation import evaluate
from tinygrad_cnn.train.progress import Display
from tinygrad_cnn.train.run_data import load_images, require_fitting
from tinygrad_cnn.train.run_directory import RunDirectory
from tinygrad_cnn.train.state import Evaluation
from tinygrad_cnn.train.threads import kernel_threads, require_threads

__all__ = ["evaluate_checkpoint", "load_trained"]


def load_trained(path: Path) -> tuple[Module, Checkpoint]:
    """Return the network that a run trained, with the weights that it answers with.

    Parameters
    ----------
    path : Path
        The directory of a run, or a checkpoint file.

    Returns
    -------
    network : Module
        In evaluation mode.
    checkpoint : Checkpoint

    Raises
    ------
    CheckpointError
        If there is no checkpoint, or it is damaged.
    """
    checkpoint = load_checkpoint(path if path.is_file() else RunDirectory(path).checkpoint)
    configuration = checkpoint.configuration
    network = models.build(configuration.model, **configuration.model_options)
    checkpoint.load_into(network)
    network.eval()
    return network, checkpoint


def evaluate_checkpoint(
    path: Path,
    data: str | None = None,
    data_dir: str | None = None,
    split: str | None = None,
    part: str = "test",
    threads: int | None = None,
    display: Display | None = None,
) -> tuple[str, Evaluation]:
    """Evaluate the network of a run on its data set, or on another one.

    Parameters
    ----------
    path : Path
        The directory of a run, or a checkpoint file.
    data, data_dir, split : str, optional
        By default those of the run. Another data set is standardised by its own training
        images.
    part : {"test", "train"}
    threads : int, optional
    display : Display, optional

    Returns
    -------
    heading : str
        What is evaluated.
    Evaluation

    Raises
    ------
    TinygradCnnError
        If network, images and labels do not go together, or cannot be loaded.
    """
    if threads is not None:
        require_threads(threads)
    network, checkpoint = load_trained(path)
    former = checkpoint.configuration
    configuration = dataclasses.replace(
        former,
        data=former.data if data is None else data,
        data_dir=former.data_dir if data_dir is None else data_dir,
        split=split if split is not None or data not in (None, former.data) else former.split,
    )
    images = load_images(configuration, Display(quiet=True) if display is None else display)
    require_fitting(configuration, network, images)
    chosen = images.train if part == "train" else images.test
    heading = (
        f"{former.model} of {path}, after {checkpoint.state.epoch} epochs on {former.data}: "
        f"{len(chosen):,} {part} images of {configuration.data}"
    )
    with kernel_threads(former.recipe.threads if threads is None else threads):
        return heading, evaluate(network, chosen)
