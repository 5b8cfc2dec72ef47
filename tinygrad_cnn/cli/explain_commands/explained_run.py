"""One forward and backward pass of a network on test images, for the commands that explain it."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click
import numpy.typing as npt

from tinygrad_cnn.cli.model_options import MODEL_OPTIONS, model_and_data_options

__all__ = ["ExplainedRun", "explained_run_options", "in_channels", "prepare", "run_options"]

Array = npt.NDArray[Any]
Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    model_and_data_options,
    click.option("--seed", type=int, default=0, show_default=True, help="Of the weights."),
    click.option("--batch-size", type=int, default=16, show_default=True, help="Test images."),
    click.option("--twin", is_flag=True, help="The tiny twin of MODEL: quick, same topology."),
    click.option(
        "--weights", metavar="FILE", default=None,
        help="In place of drawn ones: a state dictionary, or the checkpoint of a run.",
    ),
)  # fmt: skip


def explained_run_options(command: Command) -> Command:
    """Add MODEL and the options that say on what it runs."""
    return click.argument("model")(run_options(command))


def run_options(command: Command) -> Command:
    """Add the options that say on what a network runs."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class ExplainedRun(NamedTuple):
    """A network with freshly drawn weights, and a pass that can be made again and again."""

    network: Any
    images: Any  # a Tensor
    objective: Callable[[Any], Any]  # the loss of what the network returns
    told: str  # what it is, in half a sentence

    def forward(self) -> Any:
        """Return the loss, not yet walked back from."""
        return self.objective(self.network(self.images))

    def once(self) -> Any:
        """Run forward and backward, and return the loss."""
        loss = self.forward()
        loss.backward()
        return loss


def prepare(
    model: str,
    *,
    seed: int,
    batch_size: int,
    twin: bool,
    weights: str | None = None,
    **asked: Any,
) -> ExplainedRun:
    """Build a network and read its images.

    Raises
    ------
    OptionError
        If an option makes no sense here.
    """
    from tinygrad_cnn import data, models, random
    from tinygrad_cnn.errors import OptionError
    from tinygrad_cnn.tensor import Tensor
    from tinygrad_cnn.train.progress import counted

    if seed < 0:
        raise OptionError(f"--seed: a seed is a whole number from 0 up; got {seed}")
    if batch_size < 1:
        raise OptionError(f"--batch-size: there is at least one image; got {batch_size}")
    chosen = {name: asked[name] for name in MODEL_OPTIONS if asked[name] is not None}
    if twin and chosen:
        raise OptionError(f"--twin: a twin has its own options; got --{min(chosen)} too")
    row = models.find(model)
    random.manual_seed(seed)
    network = row.build_twin() if twin else row.build(**chosen)
    drawn = f"drawn with seed {seed}"
    if weights is not None:
        arrays = models.read_weights(weights)
        # In the checkpoint of a run they stand beside what the optimiser remembers.
        own = {n.removeprefix("model."): a for n, a in arrays.items() if n.startswith("model.")}
        network.load_state_dict(own or arrays)
        drawn = f"read from {weights}"
    shape = row.twin_input if twin else row.input_shape
    name = asked["data"] or "digits"
    test = data.load(name, asked["data_dir"], image_size=shape[1], split=asked["split"]).test
    images = Tensor(in_channels(test.images[:batch_size], shape[0], model, name))
    labels = test.labels[:batch_size]

    def objective(outputs: Any) -> Any:
        return row.loss(outputs, labels)

    told = f"{model} (its tiny twin)" if twin else model
    return ExplainedRun(
        network,
        images,
        objective,
        f"{told}, {network.count_parameters():,} parameters {drawn}, on "
        f"{counted(len(labels), 'test image')} of {name}",
    )


def in_channels(images: Array, channels: int, model: str, name: str) -> Array:
    """Return images with so many channels: grey ones are repeated.

    Raises
    ------
    OptionError
        If a network for grey images is to see coloured ones.
    """
    from tinygrad_cnn.errors import OptionError

    if images.shape[1] not in (1, channels):
        raise OptionError(
            f"explain: {model} takes images with {channels} channels; got {name} with "
            f"{images.shape[1]}. Choose other data with --data"
        )
    return images if images.shape[1] == channels else images.repeat(channels, 1)
