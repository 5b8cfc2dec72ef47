"""``tinygrad-cnn explain hit-rate``: how often the diagnosis is right."""

import click

__all__ = ["hit_rate"]


@click.command("hit-rate")
@click.argument("faults", nargs=-1, metavar="[FAULT]...")
@click.option("--nets", type=int, default=5, show_default=True, help="Random ones for each fault.")
@click.option("--seed", type=int, default=0, show_default=True)
def hit_rate(faults: tuple[str, ...], nets: int, seed: int) -> int:
    """Switch each fault on in random networks, and count how often it is named.

    Example: "tinygrad-cnn explain hit-rate --nets 2".
    """
    from rich.console import Console
    from rich.progress import Progress

    from tinygrad_cnn import explain

    chosen = faults or tuple(explain.FAULTS)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("diagnosing", total=len(chosen))
        rates = explain.hit_rate(nets, seed, chosen, lambda _: progress.advance(task))
    click.echo(str(rates))
    return 0
