"""``tinygrad-cnn explain``: one forward and backward pass of a network, told and written down."""

from pathlib import Path
from typing import Any

import click

from tinygrad_cnn.cli.explained_run import explained_run_options, prepare

__all__ = ["explain"]


class _StoryByDefault(click.Group):
    """A group whose first command may be left out: ``explain lenet5`` tells the story."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *self.get_help_option_names(ctx)}:
            args = ["story", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_StoryByDefault,
    short_help="Explain a forward and a backward pass, element by element.",
)
def explain() -> None:
    """Run a network, with freshly drawn weights, on some test images, and explain the run.

    "tinygrad-cnn explain lenet5" is short for "tinygrad-cnn explain story lenet5".
    """


@explain.command(short_help="Every element in execution order, forward and backward.")
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


@explain.command(short_help="The run as a JSON document, which everything else can be made of.")
@explained_run_options
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def dump(file: Path, **asked: Any) -> int:
    """Write the run of MODEL to FILE, as a JSON document.

    It lists values and elements in execution order, with shapes, rules, figures of values and
    error signals, costs, and the line of the program that ran each element.
    """
    from tinygrad_cnn import explain as explanations

    run = prepare(**asked)
    with explanations.record():
        loss = run.once()
    graph = explanations.dump(loss, run.told)
    graph.save(file)
    click.echo(f"{run.told}: {len(graph.steps)} elements written to {file}")
    return 0
