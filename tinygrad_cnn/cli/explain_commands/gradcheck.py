"""``tinygrad-cnn explain gradcheck``: a network's gradients against differences, with verdicts."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare

__all__ = ["gradcheck"]


@click.command()
@explained_run_options
@click.option(
    "--parameter", "parameters", metavar="NAME", multiple=True,
    help="Of these alone, such as C3.weight; may be given several times.",
)  # fmt: skip
@click.option("--limit", type=int, default=4, show_default=True, help="Numbers of each, drawn.")
@click.option("--single", is_flag=True, help="With the 24 bits of training, and not 53.")
def gradcheck(parameters: tuple[str, ...], limit: int, single: bool, **asked: Any) -> int:
    """Check MODEL's gradients by differences with many step sizes, and say why they disagree.

    Each parameter gets a verdict: right, rule wrong, precision (rounding explains it) or kink (no
    derivative exists where it was looked for). Of the gravest, the sweep of step sizes is shown.
    A large network takes its time: --twin is quick.

    Example: "tinygrad-cnn explain gradcheck lenet5 --twin --batch-size 2 --single".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.errors import OptionError

    if limit < 1:
        raise OptionError(f"--limit: there is at least one number of each; got {limit}")
    times = 0
    with at_work(asked["model"]) as say:
        run = prepare(**asked)

        def objective(outputs: Any) -> Any:
            nonlocal times
            times += 1
            if not times % 25:
                say(f"{times:,} runs of the network …")
            return run.objective(outputs)

        found = explanations.gradcheck_network(
            run.network, run.images, objective, parameters, double=not single, limit=limit
        )
    click.echo(f"{run.told}, run {times:,} times\n\n{found}")
    return 0
