"""``tinygrad-cnn explain orders``: one graph walked back in four orders, three of them wrong."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare

__all__ = ["orders"]


@click.command()
@explained_run_options
@click.option(
    "--limit", type=int, default=10_000, show_default=True,
    help="Elements that a recursion may run; one that needs more is counted and not made.",
)  # fmt: skip
def orders(limit: int, **asked: Any) -> int:
    """Walk MODEL's graph back in four ways, and show what each leaves.

    In topological order; each element when it is first reached; by recursion with what has come
    so far; by recursion with what has just come. Where a value is read twice, two of them are
    wrong, and the last runs an element once for every path.

    Example: "tinygrad-cnn explain orders resnet20 --twin --batch-size 2".
    """
    from tinygrad_cnn import explain as explanations

    with at_work(asked["model"]):
        run = prepare(**asked)
        compared = explanations.compare_orders(run.forward(), limit)
    click.echo(f"{run.told}\n\n{compared}")
    return 0
