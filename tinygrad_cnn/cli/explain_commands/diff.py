"""``tinygrad-cnn explain diff``: what two runs written as .json differ in."""

from pathlib import Path

import click

__all__ = ["diff"]


@click.command()
@click.argument("before", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def diff(before: Path, after: Path) -> int:
    """Compare the runs BEFORE and AFTER, as "explain write MODEL FILE.json" left them.

    Elements that came or went, other options, shapes, rules and kernels, and figures of values and
    error signals that moved.
    """
    from tinygrad_cnn.explain import GraphDump, difference

    click.echo(str(difference(GraphDump.load(before), GraphDump.load(after))))
    return 0
