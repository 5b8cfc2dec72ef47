"""A trained network taken from its run, and the probabilities it gives."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import data as data_sets
from tinygrad_cnn import models
from tinygrad_cnn.errors import CheckpointError, OptionError
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.checkpoint import load_checkpoint
from tinygrad_cnn.train.configuration import RunConfiguration
from tinygrad_cnn.train.run_directory import RunDirectory
from tinygrad_cnn.train.state import EpochRecord

__all__ = ["Trained", "load_trained", "probabilities", "softmax"]

Probabilities = npt.NDArray[np.float64]
BATCH = 256  # images; bounds the memory


class Trained(NamedTuple):
    """A network as its run left it.

    Attributes
    ----------
    path : Path
        The run's directory.
    configuration : RunConfiguration
    network : Module
        With the weights of the run's checkpoint, in evaluation mode.
    history : list of EpochRecord
        The finished epochs.
    """

    path: Path
    configuration: RunConfiguration
    network: Module
    history: list[EpochRecord]

    def load_data(self, data_dir: str | None = None) -> data_sets.Split:
        """Return the images the run was made with, sized and standardised.

        Parameters
        ----------
        data_dir : str, optional
            Where the files lie, if they were moved.
        """
        configuration = self.configuration
        folder = configuration.data_dir if data_dir is None else data_dir
        return data_sets.load(configuration.data, folder, split=configuration.split)


def load_trained(run_dir: str | os.PathLike[str]) -> Trained:
    """Take the network from a run's directory; nothing in it is changed.

    Parameters
    ----------
    run_dir : path

    Returns
    -------
    Trained

    Raises
    ------
    CheckpointError
        If there is no run, its checkpoint is damaged, or no step was made yet.

    Examples
    --------
    >>> trained = load_trained("runs/lenet5-mnist")  # doctest: +SKIP
    """
    directory = RunDirectory(Path(run_dir))
    checkpoint = load_checkpoint(directory.checkpoint)
    state, configuration = checkpoint.state, checkpoint.configuration
    if not state.epoch and not state.step:
        raise CheckpointError(
            f"run: a network is trained before it is used; got a run without a step in {run_dir}. "
            "Continue the run first."
        )
    network = models.build(configuration.model, **configuration.model_options)
    weights = {
        name.removeprefix("model."): array
        for name, array in checkpoint.arrays.items()
        if name.startswith("model.")
    }
    network.load_state_dict(weights)
    network.eval()
    return Trained(directory.path, configuration, network, state.history)


def probabilities(
    model: Module, images: npt.NDArray[Any], batch_size: int = BATCH
) -> Probabilities:
    """Return what a network thinks of images: a probability for each class.

    Parameters
    ----------
    model : Module
        Maps images to scores; in evaluation mode meanwhile.
    images : ndarray, shape (N, C, H, W) or (N, features)
    batch_size : int, in images

    Returns
    -------
    ndarray of float64, shape (N, K)
        Each row adds up to one.

    Raises
    ------
    OptionError
        If there are no images.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> model = tg.nn.Linear(2, 2)
    >>> model.load_state_dict({"weight": np.eye(2), "bias": np.zeros(2)})
    >>> probabilities(model, np.array([[0, 0], [1, 0]], np.float32)).round(3)
    array([[0.5  , 0.5  ],
           [0.731, 0.269]])
    """
    if not len(images):
        raise OptionError("probabilities: there are images to look at; got none")
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            parts = [
                softmax(model(Tensor(images[start : start + batch_size])).numpy())
                for start in range(0, len(images), batch_size)
            ]
    finally:
        model.train(was_training)
    return np.concatenate(parts)


def softmax(scores: npt.NDArray[Any]) -> Probabilities:
    """Return ``p(k) = exp(z(k) - max z) / Σ_j exp(z(j) - max z)`` of each row, in float64.

    Examples
    --------
    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    values = scores.astype(np.float64)
    powers = np.exp(values - values.max(1, keepdims=True))
    result: Probabilities = powers / powers.sum(1, keepdims=True)
    return result
