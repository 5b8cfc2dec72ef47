"""``tinygrad-cnn explain break``: a training with a mistake, beside the same one without."""

from itertools import count
from pathlib import Path

import click

from tinygrad_cnn.cli.explain_commands.at_work import bar
from tinygrad_cnn.cli.explain_commands.target import require_folder

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
    from tinygrad_cnn import explain
    from tinygrad_cnn.atomic import write_atomically
    from tinygrad_cnn.errors import OptionError

    if html is not None and html.suffix != ".html":
        raise OptionError(f"explain break: the page is a file .html; got {str(html)!r}")
    if html is not None:
        require_folder("explain break", html)
    done, words = count(1), "training with and without"
    with bar(words, 2 * max(1, epochs)) as advance:
        told = explain.train_with_fault(fault, epochs, seed, lambda: advance(next(done), words))
    click.echo(str(told))
    if html is not None:
        write_atomically(html, told.html().encode(), operation="explain break")
        click.echo(f"written to {html}")
    return 0
