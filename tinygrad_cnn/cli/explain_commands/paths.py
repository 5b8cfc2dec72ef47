"""``tinygrad-cnn explain paths``: the paths that the error signal came by."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare

__all__ = ["paths"]


@click.command()
@explained_run_options
def paths(**asked: Any) -> int:
    """Tell by which paths MODEL's error signals came.

    At each value that several elements read, the share of its error signal that each of them sent;
    and the number of paths of the chain rule from the loss to each parameter.

    Example: "tinygrad-cnn explain paths resnet20 --twin".
    """
    from tinygrad_cnn import explain as explanations

    with at_work(asked["model"]):
        run = prepare(**asked)
        with explanations.record():
            loss = run.once()
        told = f"{explanations.fan_ins(loss)}\n\n{explanations.count_paths(loss)}"
    click.echo(f"{run.told}\n\n{told}")
    return 0
