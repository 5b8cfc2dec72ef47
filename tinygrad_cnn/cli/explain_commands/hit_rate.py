"""``tinygrad-cnn explain hit-rate``: how often the diagnosis is right."""

from itertools import count

import click

from tinygrad_cnn.cli.explain_commands.at_work import bar

__all__ = ["hit_rate"]


@click.command("hit-rate")
@click.argument("faults", nargs=-1, metavar="[FAULT]...")
@click.option("--nets", type=int, default=5, show_default=True, help="Random ones for each fault.")
@click.option("--seed", type=int, default=0, show_default=True)
def hit_rate(faults: tuple[str, ...], nets: int, seed: int) -> int:
    """Switch each fault on in random networks, and count how often it is named.

    Example: "tinygrad-cnn explain hit-rate --nets 2".
    """
    from tinygrad_cnn import explain

    chosen = faults or tuple(explain.FAULTS)
    done = count(1)
    with bar("diagnosing", len(chosen)) as advance:
        rates = explain.hit_rate(nets, seed, chosen, lambda name: advance(next(done), name))
    click.echo(str(rates))
    return 0
