"""``tinygrad-cnn explain``: the story of one forward and backward pass."""

from typing import Any

import click
import numpy.typing as npt

from tinygrad_cnn.cli.model_options import MODEL_OPTIONS, model_and_data_options

__all__ = ["explain"]

Array = npt.NDArray[Any]


@click.command(short_help="Tell the story of a forward and a backward pass.")
@click.argument("model")
@model_and_data_options
@click.option("--seed", type=int, default=0, show_default=True, help="Of the weights.")
@click.option("--batch-size", type=int, default=16, show_default=True, help="Test images.")
@click.option(
    "--columns",
    metavar="LIST",
    default="",
    help="Also show time, bytes, multiply-adds, kernel (with commas).",
)
@click.option("--twin", is_flag=True, help="The tiny twin of MODEL instead: quick, same topology.")
@click.option("--structure", is_flag=True, help="The elements and their rules, without figures.")
def explain(
    model: str,
    seed: int,
    batch_size: int,
    columns: str,
    twin: bool,
    structure: bool,
    **asked: Any,
) -> int:
    """Run MODEL, with freshly drawn weights, on some test images, forward and backward.

    One line for each element in execution order: shapes, rule, least and largest value and
    share of zeros; then backward: norms of the error signals, gain, parameter gradients.

    Images are brought to the size that the network takes; grey ones stand in all three colours
    where it takes three. A large network takes its time: --twin is quick.

    Examples: "tinygrad-cnn explain lenet5 --activation relu --columns time,kernel",
    "tinygrad-cnn explain vgg16 --twin".
    """
    from tinygrad_cnn import data, models, random
    from tinygrad_cnn.errors import OptionError
    from tinygrad_cnn.explain import record, story
    from tinygrad_cnn.tensor import Tensor

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
    shape = row.twin_input if twin else row.input_shape
    name = asked["data"] or "digits"
    test = data.load(name, asked["data_dir"], image_size=shape[1], split=asked["split"]).test
    images = Tensor(in_channels(test.images[:batch_size], shape[0], model, name))
    labels = test.labels[:batch_size]
    columns_asked = tuple(column.strip() for column in columns.split(",") if column.strip())

    def run() -> Tensor:
        loss: Tensor = row.loss(network(images), labels)
        loss.backward()
        return loss

    if structure:
        text = story(run(), columns_asked)
    else:
        if "time" in columns_asked:
            run()  # compiles, so that the times are those of the kernels
            network.zero_grad()
        with record():
            loss = run()
        text = story(loss, columns_asked)
    told = f"{model} (its tiny twin)" if twin else model
    click.echo(
        f"{told}, {network.count_parameters():,} parameters drawn with seed {seed}, on "
        f"{len(labels)} test images of {name}\n\n{text}"
    )
    return 0


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
