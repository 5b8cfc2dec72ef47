"""``tinygrad-cnn explain contributions``: who asked for the maps that concatenations join."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare

__all__ = ["contributions"]


@click.command()
@explained_run_options
def contributions(**asked: Any) -> int:
    """Tell which layers sent how much error signal to the maps that MODEL concatenates.

    For each dense block, or other group of joined values, a table of depth by depth.

    Example: "tinygrad-cnn explain contributions densenet121 --twin".
    """
    from tinygrad_cnn import explain as explanations

    with at_work(asked["model"]):
        run = prepare(**asked)
        matrices = explanations.contribution_matrices(run.forward())
    click.echo("\n\n".join([run.told, *map(str, matrices)]))
    return 0
