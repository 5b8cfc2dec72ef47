"""``tinygrad-cnn explain break``: a training with a mistake, beside the same one without."""

from pathlib import Path

import click

__all__ = ["break_rule"]


@click.command("break")
@click.argument("fault")
@click.option("--epochs", type=int, default=5, show_default=True, help="Of either training.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of both.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page too.")
def break_rule(fault: str, epochs: int, seed: int, html: Path | None) -> int:
    """Train a small network on the embedded digits with FAULT, and without.

    Example: "tinygrad-cnn explain break kernel_not_turned --html broken.html".
    """
    from rich.console import Console
    from rich.progress import Progress

    from tinygrad_cnn import explain
    from tinygrad_cnn.atomic import write_atomically
    from tinygrad_cnn.errors import OptionError

    if html is not None and html.suffix != ".html":
        raise OptionError(f"explain break: the page is a file .html; got {str(html)!r}")
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("training with and without", total=2 * max(1, epochs))
        told = explain.train_with_fault(fault, epochs, seed, lambda: progress.advance(task))
    click.echo(str(told))
    if html is not None:
        write_atomically(html, told.html().encode(), operation="explain break")
        click.echo(f"written to {html}")
    return 0
