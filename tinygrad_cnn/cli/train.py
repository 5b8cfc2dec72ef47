"""``tinygrad-cnn train``: what can be asked for; :mod:`tinygrad_cnn.cli.training` does it."""

from typing import Any

import click

from tinygrad_cnn.cli.model_options import model_and_data_options

__all__ = ["train"]

_FROM_RECIPE = "by default what the recipe for model and data says"


@click.command(short_help="Train a network and write a run directory.")
@click.argument("model", required=False)
@model_and_data_options
@click.option("--epochs", type=int, help=f"Passes over the training images; {_FROM_RECIPE}.")
@click.option("--batch-size", type=int, help=f"In images; {_FROM_RECIPE}.")
@click.option("--lr", type=float, help=f"Learning rate of the first step; {_FROM_RECIPE}.")
@click.option("--optimiser", metavar="NAME", help=f"adam or sgd; {_FROM_RECIPE}.")
@click.option("--momentum", type=float, help="Of sgd, in [0, 1); 0.9 by default.")
@click.option("--seed", type=int, help="Starts the random generator; 0 by default.")
@click.option(
    "--run-dir",
    metavar="DIR",
    help="A new or empty folder; by default runs/<model>-<data>-<date>-<time>.",
)
@click.option("--resume", metavar="RUN", help="Continue the run in this directory, bit for bit.")
@click.option(
    "--threads", type=int, help=f"Of the kernels; results do not depend on it; {_FROM_RECIPE}."
)
@click.option("--quiet", is_flag=True, help="Print the last line only.")
def train(
    model: str | None,
    run_dir: str | None,
    resume: str | None,
    threads: int | None,
    quiet: bool,
    **asked: Any,
) -> int:
    """Train MODEL, tell the story of one backward pass, and print the test accuracy.

    The run directory holds config.json, log.jsonl with a line for each epoch, curves.png,
    backward.txt and a checkpoint. Ctrl-C stops between two steps and says how to continue.

    Examples: "tinygrad-cnn train lenet5", "tinygrad-cnn train lenet5 --activation relu",
    "tinygrad-cnn train lenet5 --data mnist --data-dir ~/data".
    """
    from tinygrad_cnn.cli.training import continued_run, new_run, set_threads
    from tinygrad_cnn.train.progress import Display

    given = {name: value for name, value in asked.items() if value is not None}
    if resume is None and model is None:
        raise click.UsageError(
            "Name what is to be trained, such as lenet5.", click.get_current_context()
        )
    if resume is not None and run_dir is not None:
        raise click.UsageError(
            "A resumed run stays in its directory: leave out --run-dir.",
            click.get_current_context(),
        )
    set_threads(threads)
    display = Display(quiet=quiet)
    if resume is not None:
        run = continued_run(resume, model, given, display)
    else:
        run = new_run(str(model), given, run_dir, display)
    if threads is None:
        set_threads(run.usual_threads)
    return run.train()
