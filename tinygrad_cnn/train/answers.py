"""What trained networks answer: a probability for each class."""

import dataclasses
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import Split
from tinygrad_cnn.errors import CheckpointError, MissingDataError, OptionError
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.checkpoint import Checkpoint
from tinygrad_cnn.train.configuration import RunConfiguration, fingerprint
from tinygrad_cnn.train.evaluation import EVALUATION_BATCH
from tinygrad_cnn.train.input_format import InputFormat
from tinygrad_cnn.train.progress import Display
from tinygrad_cnn.train.run_data import load_images, require_fitting
from tinygrad_cnn.train.trained import load_trained

__all__ = ["TrainedRun", "open_run", "probabilities", "softmax"]

Probabilities = npt.NDArray[np.float64]


class TrainedRun(NamedTuple):
    """A run whose network is asked.

    Attributes
    ----------
    path : Path
        Its directory, or a checkpoint file.
    network : Module
        With the weights that the run answers with, in evaluation mode.
    checkpoint : Checkpoint
    """

    path: Path
    network: Module
    checkpoint: Checkpoint

    @property
    def configuration(self) -> RunConfiguration:
        """What the run was asked to do."""
        return self.checkpoint.configuration

    def load_images(
        self,
        data_dir: str | None = None,
        data: str | None = None,
        split: str | None = None,
        display: Display | None = None,
    ) -> Split:
        """Return images of the size that the network takes, standardised.

        Another data set is standardised by its own training images.

        Parameters
        ----------
        data_dir : str, optional
            Where the files lie, if they were moved.
        data, split : str, optional
            By default those that the run was made with.
        display : Display, optional
            Says what is being loaded.

        Raises
        ------
        TinygradCnnError
            If images, labels and network do not go together, or cannot be loaded.
        """
        own = self.configuration
        configuration = dataclasses.replace(
            own,
            data=own.data if data is None else data,
            data_dir=own.data_dir if data_dir is None else data_dir,
            split=split if split is not None or data not in (None, own.data) else own.split,
        )
        images = load_images(configuration, Display(quiet=True) if display is None else display)
        require_fitting(configuration, self.network, images)
        return images

    def input_format(self, data_dir: str | None = None) -> InputFormat:
        """Return what images have to be like that are shown to the network.

        Runs keep it. Of one that was begun before they did, it is measured on its data.

        Parameters
        ----------
        data_dir : str, optional
            Where the data of such a run lie, if they were moved.

        Raises
        ------
        CheckpointError
            If the run does not keep it, and its data are not there or are others.
        """
        kept = self.configuration.input_format
        if kept is not None:
            return kept
        needs = (
            f"run: a run keeps mean and deviation of its images; got {self.path}, which was begun "
            "before runs did: its data are needed"
        )
        try:
            images = self.load_images(data_dir)
        except MissingDataError as missing:
            raise CheckpointError(
                f"{needs}, and found nowhere. Say with --data-dir where those of "
                f"{self.configuration.data} lie"
            ) from missing
        if other := self.other_images(images):
            raise CheckpointError(f"{needs}, but {other}")
        return InputFormat.of(images)

    def other_images(self, images: Split) -> str | None:
        """Say in one sentence that images are not those of the run; None if they are.

        Parameters
        ----------
        images : Split
        """
        own, found = self.configuration.data_fingerprint, fingerprint(images)
        if own in ("", found):  # a run that a program made may have none
            return None
        return (
            f"these are not the images of {self.configuration.data} that {self.path} was made with "
            f"(fingerprint {found}, not {own})"
        )


def open_run(run_dir: str | os.PathLike[str]) -> TrainedRun:
    """Take the network from a run; nothing in its directory is changed.

    Parameters
    ----------
    run_dir : path
        The directory, or a checkpoint file.

    Returns
    -------
    TrainedRun

    Raises
    ------
    CheckpointError
        If there is no run, its checkpoint is damaged, or no step was made yet.

    Examples
    --------
    >>> trained = open_run("runs/lenet5-mnist")  # doctest: +SKIP
    """
    path = Path(run_dir)
    network, checkpoint = load_trained(path)
    if not checkpoint.state.epoch and not checkpoint.state.step:
        raise CheckpointError(
            f"run: a network is trained before it is asked; got a run without a step in {path}. "
            "Continue the run first."
        )
    return TrainedRun(path, network, checkpoint)


def probabilities(
    model: Module, images: npt.NDArray[Any], batch_size: int = EVALUATION_BATCH
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
