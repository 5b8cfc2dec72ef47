"""``tinygrad-cnn train`` and ``resume``: what can be asked for; tinygrad_cnn.train does it."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinygrad_cnn.cli.key_values import key_values
from tinygrad_cnn.cli.model_options import MODEL_OPTIONS, model_and_data_options
from tinygrad_cnn.cli.recipe_options import recipe_fields, recipe_options

if TYPE_CHECKING:
    from tinygrad_cnn.train import Checkpoint, Display, Run

__all__ = ["resume", "resume_command", "train"]

RUN_OPTIONS = ("data", "seed", "split", "data_dir")

_threads = click.option(
    "--threads", type=int, help="Of the kernels; results do not depend on it; else the recipe's."
)
_quiet = click.option("--quiet", is_flag=True, help="Print the last line only.")
_watch = click.option(
    "--watch",
    is_flag=True,
    help="Look at every value of every step, and stop at the first that is no finite number.",
)

_tensorboard = click.option(
    "--tensorboard", is_flag=True, help="Write TensorBoard's event files too."
)


@click.command(short_help="Train a network and write a run directory.")
@click.argument("model", required=False)
@model_and_data_options
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another option of MODEL's builder, such as width=0.5; may be repeated.",
)
@recipe_options
@click.option("--seed", type=int, help="Starts the random generator; 0 by default.")
@click.option(
    "--run-dir",
    metavar="DIR",
    help="A new or empty folder; by default runs/<model>-<data>-<date>-<time>.",
)
@click.option("--resume", metavar="RUN", help="Continue the run in this directory, bit for bit.")
@_threads
@_tensorboard
@_watch
@_quiet
def train(
    model: str | None,
    options: tuple[str, ...],
    run_dir: str | None,
    resume: str | None,
    threads: int | None,
    tensorboard: bool,
    watch: bool,
    quiet: bool,
    **asked: Any,
) -> int:
    """Train MODEL, tell the story of one backward pass, and print the test accuracy.

    The run directory holds config.json, log.jsonl with a line for each epoch, curves.png,
    backward.txt, a checkpoint and the one before it. Ctrl-C stops between two steps and says how
    to continue.

    Examples: "tinygrad-cnn train lenet5", "tinygrad-cnn train lenet5 --activation relu",
    "tinygrad-cnn train resnet20 --data cifar10 --data-dir ~/data --patience 5".
    """
    from tinygrad_cnn.train import Display, continued_run, new_run

    given = {name: value for name, value in asked.items() if value not in (None, ())}
    fields = recipe_fields(given)
    for_model = {name: given[name] for name in MODEL_OPTIONS if name in given}
    for_model |= key_values(options, "--option")
    display = Display(quiet=quiet)
    if resume is None and model is None:
        raise click.UsageError(
            "Name what is to be trained, such as lenet5.", click.get_current_context()
        )
    if resume is None:
        return _carry_out(
            lambda: new_run(
                str(model),
                **{name: given[name] for name in RUN_OPTIONS if name in given},
                recipe_options=fields,
                model_options=for_model,
                run_dir=run_dir,
                threads=threads,
                display=display,
                watch=watch,
                tensorboard=tensorboard,
            ),
            display,
        )
    if run_dir is not None:
        raise click.UsageError(
            "A resumed run stays in its directory: leave out --run-dir.",
            click.get_current_context(),
        )
    of_the_run = {name: given[name] for name in RUN_OPTIONS if name in given}
    return _carry_out(
        lambda: continued_run(
            resume,
            data_dir=given.get("data_dir"),
            threads=threads,
            display=display,
            watch=watch,
            tensorboard=tensorboard,
            accept=lambda checkpoint: _require_same(
                checkpoint, model, of_the_run, fields, for_model
            ),
        ),
        display,
    )


@click.command(short_help="Continue an interrupted run, bit for bit.")
@click.argument("run", metavar="RUN")
@click.option("--data-dir", metavar="DIR", help="Where the files lie, if they were moved.")
@click.option(
    "--previous",
    is_flag=True,
    help="Go on from the checkpoint before the last one, which is damaged.",
)
@_threads
@_tensorboard
@_watch
@_quiet
def resume(
    run: str,
    data_dir: str | None,
    previous: bool,
    threads: int | None,
    tensorboard: bool,
    watch: bool,
    quiet: bool,
) -> int:
    """Continue the run in the directory RUN, to the weights of a run that never stopped.

    The last checkpoint is checked, and where it is damaged the one before it serves: it is named
    then, with the command.

    Example: "tinygrad-cnn resume runs/lenet5-digits-20260131-120000".
    """
    from tinygrad_cnn.train import Display, continued_run

    display = Display(quiet=quiet)
    return _carry_out(
        lambda: continued_run(
            run,
            data_dir=data_dir,
            threads=threads,
            display=display,
            watch=watch,
            tensorboard=tensorboard,
            previous=previous,
        ),
        display,
    )


def _carry_out(prepare: Callable[[], "Run"], display: "Display") -> int:
    """Prepare a run and train it; what stops it is told with the way to go on."""
    from tinygrad_cnn.errors import RunDirectoryError
    from tinygrad_cnn.train import Interrupted

    try:
        run = prepare()
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
    where = shlex.quote(str(run.directory.path))
    display.line(f"look closer: tinygrad-cnn eval {where} --classes --plots pictures")
    display.line(f"test accuracy {result}", always=True)
    return 0


def resume_command(run_dir: Path) -> str:
    """Return what to type to continue the run in a directory.

    Examples
    --------
    >>> resume_command(Path("my runs/first"))
    "tinygrad-cnn resume 'my runs/first'"
    """
    return f"tinygrad-cnn resume {shlex.quote(str(run_dir))}"


def _require_same(
    checkpoint: "Checkpoint",
    model: str | None,
    of_the_run: dict[str, Any],
    fields: dict[str, Any],
    for_model: dict[str, Any],
) -> None:
    """Refuse options that would make it another run."""
    if model is not None:
        checkpoint.require_model(model)
    configuration = checkpoint.configuration
    for name, value in of_the_run.items():
        if name != "data_dir":
            _require_equal(name, value, getattr(configuration, name))
    for name, value in fields.items():
        _require_equal(name, value, getattr(configuration.recipe, name))
    for name, value in for_model.items():
        _require_equal(name, value, configuration.model_options.get(name))


def _require_equal(name: str, value: Any, of_the_run: Any) -> None:
    from tinygrad_cnn.errors import OptionError

    if value != of_the_run:
        former = "its default" if of_the_run is None else of_the_run
        asked = "none" if value is None else value
        raise OptionError(
            f"--resume: a run goes on with the options it began with; got "
            f"--{name.replace('_', '-')} {asked} where the run has {former}. Leave the "
            "option out, or start a new run."
        )
