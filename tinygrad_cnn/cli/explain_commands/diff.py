"""``tinygrad-cnn explain diff``: what two runs written as .json differ in."""

from pathlib import Path

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work

__all__ = ["diff"]


@click.command()
@click.argument("before", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--least-ratio", type=float, default=1.01, show_default=True,
    help="Norms moved if one is so many times the other; 1 tells every difference.",
)  # fmt: skip
@click.option("--brief", is_flag=True, help="Where the runs part, without the table.")
def diff(before: Path, after: Path, least_ratio: float, brief: bool) -> int:
    """Compare the runs BEFORE and AFTER, as "explain write MODEL FILE.json" left them.

    Where they part first; then elements that came (+) or went (-), other options, shapes, rules and
    kernels (!), and figures of values, parameters and error signals that moved (~).

    One of them may be a run of PyTorch: tinygrad_cnn.explain.dump_torch writes it.
    """
    from tinygrad_cnn.explain import GraphDump, difference

    with at_work("comparing"):
        found = difference(GraphDump.load(before), GraphDump.load(after), least_ratio)
        said = found.brief() if brief else str(found)
    click.echo(said)
    return 0
