"""The command line: ``tinygrad-cnn <command>``.

What goes wrong is said in one line on standard error, with exit code 2.
"""

import io
import os
import sys
from collections.abc import Sequence

import click

from tinygrad_cnn.cli.lazy_group import LazyGroup
from tinygrad_cnn.errors import TinygradCnnError
from tinygrad_cnn.version import __version__

__all__ = ["COMMANDS", "main"]

# name -> where the command is, as module:function, and what it does in a few words
COMMANDS: dict[str, tuple[str, str]] = {
    "bench": (
        "tinygrad_cnn.cli.bench:bench",
        "Measure kernels and training steps, here and against PyTorch.",
    ),
    "data": ("tinygrad_cnn.cli.data:data", "List, describe, fetch and show data sets."),
    "doctor": (
        "tinygrad_cnn.cli.doctor:doctor",
        "Look at versions, threads, caches and CUDA, and try some kernels.",
    ),
    "ensemble": (
        "tinygrad_cnn.cli.ensemble:ensemble",
        "Average the probabilities of trained networks, and of several views.",
    ),
    "eval": (
        "tinygrad_cnn.cli.evaluate:evaluate_run",
        "Evaluate a trained network on a data set.",
    ),
    "explain": (
        "tinygrad_cnn.cli.explain:explain",
        "Explain a forward and a backward pass, element by element.",
    ),
    "models": (
        "tinygrad_cnn.cli.models:list_models",
        "List the networks, or describe one layer by layer.",
    ),
    "predict": (
        "tinygrad_cnn.cli.predict:predict",
        "Say what a trained network sees in image files.",
    ),
    "recipes": (
        "tinygrad_cnn.cli.recipes:list_recipes",
        "List how networks are trained, and what to expect.",
    ),
    "resume": ("tinygrad_cnn.cli.train:resume", "Continue an interrupted run, bit for bit."),
    "rules": (
        "tinygrad_cnn.cli.rules:list_rules",
        "List every function element: rule, error signals, convention.",
    ),
    "runs": (
        "tinygrad_cnn.cli.runs:list_runs",
        "List the runs in a folder, and how far they came.",
    ),
    "train": ("tinygrad_cnn.cli.train:train", "Train a network and write a run directory."),
    "warmup": (
        "tinygrad_cnn.cli.warmup:warmup",
        "Compile the kernels of networks ahead, in two processes.",
    ),
}

FAILURE = 2


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="tinygrad-cnn")
@click.pass_context
def _group(context: click.Context) -> None:
    """Convolutional networks on an autograd engine that explains itself.

    Start with "tinygrad-cnn train lenet5": it needs no files, no network, and half a minute.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0; 2 after an error, told in one line on standard error; 128 + the signal's number
        after an interruption.

    Examples
    --------
    >>> main(["--version"])
    tinygrad-cnn, version 0.1.0
    0
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # "δ" on an ASCII terminal is no reason to fail
            stream.reconfigure(errors="replace")
    try:
        result = _group.main(
            None if arguments is None else list(arguments), "tinygrad-cnn", standalone_mode=False
        )
    except click.ClickException as mistake:
        return _fail(mistake.format_message(), mistake.exit_code, _help_hint(mistake))
    except (click.Abort, KeyboardInterrupt) as stop:
        # click puts its own exception in place of Python's, which may say what was interrupted
        words = ["interrupted", *map(str, (stop.__cause__ or stop).args)]
        return _fail(" ".join(words), 130)
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except TinygradCnnError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(": ".join(filter(None, (error.filename, error.strerror or str(error)))))
    except MemoryError:
        return _fail("there is not enough memory for this; smaller batches need less")
    return result if isinstance(result, int) else 0


def _help_hint(mistake: click.ClickException) -> str:
    context = getattr(mistake, "ctx", None)
    return f" See '{context.command_path} --help'." if context is not None else ""


def _fail(message: str, code: int = FAILURE, hint: str = "") -> int:
    print(f"tinygrad-cnn: {' '.join(message.split())}{hint}", file=sys.stderr)
    return code
