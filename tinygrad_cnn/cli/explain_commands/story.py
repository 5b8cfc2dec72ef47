"""``tinygrad-cnn explain story``: every element in execution order, forward and backward."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare

__all__ = ["story"]


@click.command()
@explained_run_options
@click.option(
    "--columns",
    metavar="LIST",
    default="",
    help="Also show time, bytes, multiply-adds, kernel (with commas).",
)
@click.option("--structure", is_flag=True, help="The elements and their rules, without figures.")
def story(columns: str, structure: bool, **asked: Any) -> int:
    """Tell the story of MODEL's forward and backward pass.

    One line for each element in execution order: shapes, rule, least and largest value and
    share of zeros; then backward: norms of the error signals, gain, parameter gradients.

    Images are brought to the size that the network takes; grey ones stand in all three colours
    where it takes three. A large network takes its time: --twin is quick.

    Examples: "tinygrad-cnn explain lenet5 --activation relu --columns time,kernel",
    "tinygrad-cnn explain vgg16 --twin".
    """
    from tinygrad_cnn import explain as explanations

    columns_asked = tuple(column.strip() for column in columns.split(",") if column.strip())
    with at_work(asked["model"]):
        run = prepare(**asked)
        if structure:
            text = explanations.story(run.once(), columns_asked)
        else:
            if "time" in columns_asked:
                run.once()  # compiles, so that the times are those of the kernels
                run.network.zero_grad()
            with explanations.record():
                loss = run.once()
            text = explanations.story(loss, columns_asked)
    click.echo(f"{run.told}\n\n{text}")
    return 0
