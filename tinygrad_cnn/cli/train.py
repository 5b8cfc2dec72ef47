"""``tinygrad-cnn train``: what can be asked for; :mod:`tinygrad_cnn.train.run` does it."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinygrad_cnn.cli.model_options import MODEL_OPTIONS, model_and_data_options

if TYPE_CHECKING:
    from tinygrad_cnn.train import Checkpoint

__all__ = ["resume_command", "train"]

RECIPE_OPTIONS = ("optimiser", "lr", "batch_size", "epochs", "momentum")
RUN_OPTIONS = ("data", "seed", "split", "data_dir")
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
    from tinygrad_cnn.errors import RunDirectoryError
    from tinygrad_cnn.train import Display, Interrupted, continued_run, new_run

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
    display = Display(quiet=quiet)
    try:
        if resume is not None:
            run = continued_run(
                resume,
                data_dir=given.get("data_dir"),
                threads=threads,
                display=display,
                accept=lambda checkpoint: _require_same(checkpoint, model, given),
            )
        else:
            run = new_run(
                str(model),
                **{name: given[name] for name in RUN_OPTIONS if name in given},
                recipe_options={name: given[name] for name in RECIPE_OPTIONS if name in given},
                model_options={name: given[name] for name in MODEL_OPTIONS if name in given},
                run_dir=run_dir,
                threads=threads,
                display=display,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("before training began") from None
    try:
        result = run.train()
    except Interrupted as stop:
        print(f"tinygrad-cnn: {stop} {run.place}; continue with:", file=sys.stderr)
        print(f"  {resume_command(run.directory.path)}", file=sys.stderr)
        return stop.exit_code
    except RunDirectoryError as error:
        command = resume_command(run.directory.path)
        raise RunDirectoryError(f"{error} Continue with: {command}") from error
    display.line(f"test accuracy {result}", always=True)
    return 0


def resume_command(run_dir: Path) -> str:
    """Return what to type to continue the run in a directory.

    Examples
    --------
    >>> resume_command(Path("my runs/first"))
    "tinygrad-cnn train --resume 'my runs/first'"
    """
    return f"tinygrad-cnn train --resume {shlex.quote(str(run_dir))}"


def _require_same(checkpoint: "Checkpoint", model: str | None, given: dict[str, Any]) -> None:
    """Refuse options that would make it another run."""
    from tinygrad_cnn.errors import OptionError

    if model is not None:
        checkpoint.require_model(model)
    configuration = checkpoint.configuration
    of_the_run = {
        **{name: configuration.model_options.get(name) for name in MODEL_OPTIONS},
        **{name: getattr(configuration.recipe, name) for name in RECIPE_OPTIONS},
        **{name: getattr(configuration, name) for name in RUN_OPTIONS if name != "data_dir"},
    }
    for name, value in given.items():
        if name in of_the_run and value != of_the_run[name]:
            former = "its default" if of_the_run[name] is None else of_the_run[name]
            raise OptionError(
                f"--resume: a run goes on with the options it began with; got "
                f"--{name.replace('_', '-')} {value} where the run has {former}. Leave the "
                "option out, or start a new run."
            )
