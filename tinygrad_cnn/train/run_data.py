"""The images of a run: loaded as its network needs them, and held against it beforehand."""

from contextlib import nullcontext
from typing import Any

from tinygrad_cnn import creation, models
from tinygrad_cnn import data as data_sets
from tinygrad_cnn.errors import DataError, OptionError, ShapeError
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.train.configuration import RunConfiguration
from tinygrad_cnn.train.progress import Display

__all__ = ["load_images", "require_fitting"]

_REMEDY = "Take another network; a folder of images is read in grey with --split grey."


def load_images(configuration: RunConfiguration, display: Display) -> data_sets.Split:
    """Load the data set of a run, in the size that its network was made for.

    Raises
    ------
    TinygradCnnError
        If it cannot be loaded; see :func:`tinygrad_cnn.data.load`.
    """
    name, folder = configuration.data, configuration.data_dir
    side = models.find(configuration.model).input_shape[1]
    quick = name == "digits"  # a tenth of a second: nothing to announce
    with nullcontext() if quick else display.waiting(f"loading {name}"):
        return data_sets.load(name, folder, image_size=side, split=configuration.split)


def require_fitting(configuration: RunConfiguration, network: Module, split: Any) -> None:
    """Refuse images that a network cannot take, and labels that it has no output for.

    The network is run on shapes alone; nothing is computed.

    Raises
    ------
    OptionError
        If images have other channels or another size, or there are more classes than outputs.
    DataError
        If all images are of one class, or there are none.
    """
    model, data = configuration.model, configuration.data
    train, test = split
    if not len(train) or not len(test):
        raise DataError(
            f"run: there are images to learn from and to be judged by; got {len(train)} and "
            f"{len(test)} of {data}"
        )
    if train.labels.min() == train.labels.max():
        raise DataError(
            "run: there are at least two classes to tell apart; got training images of class "
            f"{train.labels[0]} alone in {data}"
        )
    shape = train.images.shape[1:]
    was_training = network.training
    network.eval()
    try:
        with no_grad():
            scores = network(creation.zeros((1, *shape), device="shapes"))
    except ShapeError as reason:
        wanted = "x".join(map(str, models.find(model).input_shape))
        raise OptionError(
            f"run: {model} takes images of {wanted} (channels, height, width); got "
            f"{'x'.join(map(str, shape))} of {data} ({reason}). {_REMEDY}"
        ) from reason
    finally:
        network.train(was_training)
    outputs, largest = scores.shape[-1], max(int(part.labels.max()) for part in split)
    if largest >= outputs:
        raise OptionError(
            f"run: the network has an output for each class; got {outputs} outputs for labels up "
            f"to {largest}. Give num_classes={largest + 1} among the network's options."
        )
