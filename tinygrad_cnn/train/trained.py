"""A trained network, taken out of the directory of its run."""

from pathlib import Path

from tinygrad_cnn import models
from tinygrad_cnn.nn import Module
from tinygrad_cnn.train.checkpoint import Checkpoint, load_checkpoint
from tinygrad_cnn.train.run_directory import RunDirectory

__all__ = ["load_trained"]


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
