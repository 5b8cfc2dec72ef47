"""``tinygrad-cnn explain zoom``: one number, taken apart into scalars."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare
from tinygrad_cnn.cli.explain_commands.place import index_option, place_of

__all__ = ["zoom"]


@click.command()
@explained_run_options
@click.argument("value")
@index_option
def zoom(value: str, index: str | None, **asked: Any) -> int:
    """Expand one number of VALUE into a graph of scalars, and compare every partial derivative.

    VALUE is a layer such as C3, of whose output the number is; a parameter, of whose gradient; or
    an error signal such as "δ(C3)".

    Example: "tinygrad-cnn explain zoom lenet5 C3 --index 0,2,4,5 --batch-size 1".
    """
    from tinygrad_cnn import explain as explanations

    place = place_of(index)
    with at_work(asked["model"]):
        run = prepare(**asked)
        with explanations.record(keep="arrays"):
            loss = run.once()
        found = explanations.zoom(loss, value, () if place is None else place)
    click.echo(found.text())
    found.check()
    return 0
