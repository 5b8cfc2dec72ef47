"""``tinygrad-cnn explain step``: a walk backward that waits for commands."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare

__all__ = ["step"]


@click.command()
@explained_run_options
def step(**asked: Any) -> int:
    """Step through MODEL's backward pass: pause before any element, look, change δ, go back.

    Commands are read from the terminal, or from standard input, one in a line; "help" lists them.
    A script ends at the first command that cannot be done.

    Examples: "tinygrad-cnn explain step resnet20 --twin",
    "echo 'goto layer2.0; scale 0.5; run; difference' | tinygrad-cnn explain step resnet20 --twin".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.cli.step_console import StepConsole

    with at_work(asked["model"]):
        run = prepare(**asked)
        with explanations.record():
            loss = run.forward()
    click.echo(run.told)
    with explanations.step(loss) as stepper:
        StepConsole(stepper).go()
    return 0
