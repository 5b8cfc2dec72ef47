"""``tinygrad-cnn runs``: what was trained, how far it came, and what came out."""

from pathlib import Path

import click

__all__ = ["list_runs"]


@click.command(name="runs", short_help="List the runs in a folder, and how far they came.")
@click.argument("folder", metavar="[DIR]", default="runs")
def list_runs(folder: str) -> int:
    """List the runs in DIR, by default in runs: network, data, epochs, test accuracy, state.

    A run that can be resumed goes on with "tinygrad-cnn resume RUN".
    """
    from tinygrad_cnn.cli.tables import plain_table
    from tinygrad_cnn.train.overview import find_runs

    runs = find_runs(Path(folder))
    if not runs:
        click.echo(f"no runs in {folder}")
        return 0
    titles = ("run", "model", "data", "epochs", "test accuracy", "written", "state")
    rows = [
        (
            str(run.path),
            run.model,
            run.data,
            f"{run.epochs} of {run.of}" if run.of else "",
            "" if run.accuracy is None else f"{100 * run.accuracy:.2f} %",
            run.when,
            run.state,
        )
        for run in runs
    ]
    click.echo(plain_table(titles, rows, "epochs,test accuracy"))
    return 0
