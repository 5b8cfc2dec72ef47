"""``tinygrad-cnn explain``: the story of one forward and backward pass."""

from typing import Any

import click

from tinygrad_cnn.cli.model_options import MODEL_OPTIONS, model_and_data_options

__all__ = ["explain"]


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
@click.option("--structure", is_flag=True, help="The elements and their rules, without figures.")
def explain(
    model: str, seed: int, batch_size: int, columns: str, structure: bool, **asked: Any
) -> int:
    """Run MODEL, with freshly drawn weights, on some test images, forward and backward.

    One line for each element in execution order: shapes, rule, least and largest value and
    share of zeros; then backward: norms of the error signals, gain, parameter gradients.

    Example: "tinygrad-cnn explain lenet5 --activation relu --columns time,kernel".
    """
    from tinygrad_cnn import data, models, random
    from tinygrad_cnn.errors import OptionError
    from tinygrad_cnn.explain import record, story
    from tinygrad_cnn.functional import cross_entropy
    from tinygrad_cnn.tensor import Tensor

    if seed < 0:
        raise OptionError(f"--seed: a seed is a whole number from 0 up; got {seed}")
    if batch_size < 1:
        raise OptionError(f"--batch-size: there is at least one image; got {batch_size}")
    chosen = {name: asked[name] for name in MODEL_OPTIONS if asked[name] is not None}
    random.manual_seed(seed)
    network = models.build(model, **chosen)
    name = asked["data"] or "digits"
    test = data.load(name, asked["data_dir"], split=asked["split"]).test
    images, labels = Tensor(test.images[:batch_size]), test.labels[:batch_size]
    columns_asked = tuple(column.strip() for column in columns.split(",") if column.strip())

    def run() -> Tensor:
        loss: Tensor = cross_entropy(network(images), labels)
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
    click.echo(
        f"{model}, {network.count_parameters():,} parameters drawn with seed {seed}, on "
        f"{len(labels)} test images of {name}\n\n{text}"
    )
    return 0
