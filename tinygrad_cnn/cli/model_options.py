"""The options that choose a network and its data, shared by the commands that take both."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

MODEL_OPTIONS = ("variant", "activation", "pool", "sigmoid_after")

_OPTIONS = (
    click.option("--data", metavar="NAME", help="digits (the default), mnist, cifar10, folder, …"),
    click.option(
        "--data-dir", metavar="DIR", help="Where the files of --data lie or are fetched to."
    ),
    click.option(
        "--split", metavar="NAME", help="Of digits: interleaved (the default) or writers."
    ),
    click.option(
        "--variant", metavar="NAME", help="Of lenet5: taught (the default) or original, of 1998."
    ),
    click.option(
        "--activation", metavar="NAME", help="Of lenet5: sigmoid (the default), tanh, relu."
    ),
    click.option("--pool", metavar="NAME", help="Of lenet5: average (the default) or max."),
    click.option(
        "--sigmoid-after",
        metavar="WHERE",
        help="Of lenet5: all layers (the default), or conv for C1 and C3 alone.",
    ),
)


def model_and_data_options(command: Command) -> Command:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
