"""``tinygrad-cnn explain lengths``: error signals by how many residual branches they passed."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare

__all__ = ["lengths"]


@click.command()
@explained_run_options
@click.argument("parameters", nargs=-1, metavar="[PARAMETER]...")
def lengths(parameters: tuple[str, ...], **asked: Any) -> int:
    """Split the gradients of MODEL's parameters by the residual branches that they came through.

    A network of n residual blocks has 2^n ways back, most of them through about n/2 branches; how
    much came by those of each length? Without a PARAMETER, the first one is split.

    Example: "tinygrad-cnn explain lengths resnet56 --batch-size 2 conv1.weight".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.errors import unknown_name

    with at_work(asked["model"]):
        run = prepare(**asked)
        known = dict(run.network.named_parameters())
        for name in parameters:
            if name not in known:
                raise unknown_name("explain lengths", name, known)
        values = [known[name] for name in parameters or list(known)[:1]]
        splits = explanations.split_by_length(run.forward(), values)
    click.echo(f"{run.told}\n\n{splits}")
    return 0
