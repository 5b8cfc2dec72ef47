"""The options that change a recipe, and what they say as fields of one."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tinygrad_cnn.cli.key_values import key_values, named_with_options

__all__ = ["RECIPE_OPTIONS", "recipe_fields", "recipe_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

RECIPE_OPTIONS = (
    "optimiser", "lr", "batch_size", "epochs", "momentum", "weight_decay", "optimiser_options",
    "schedule", "shift", "augment", "accumulate", "clip", "average", "patience", "held_out",
    "workers",
)  # fmt: skip
_FROM_RECIPE = "by default what the recipe for model and data says"
_SWITCHES = ("clip", "average", "patience")
_NONE = "none"  # of a switch; a recipe has None then


def _switch(number: Callable[[str], float], kind: str) -> Callable[..., float | str | None]:
    """Return what reads a number, or the word none for what is switched off."""

    def read(context: click.Context, option: click.Parameter, word: str | None) -> Any:
        if word is None or word == _NONE:
            return word
        try:
            return number(word)
        except ValueError:
            raise click.BadParameter(
                f"{word!r} is no {kind}, and not {_NONE!r}.", context, option
            ) from None

    return read


_OPTIONS = (
    click.option("--epochs", type=int, help=f"Passes over the training images; {_FROM_RECIPE}."),
    click.option("--batch-size", type=int, help=f"In images; {_FROM_RECIPE}."),
    click.option("--lr", type=float, help=f"Learning rate; {_FROM_RECIPE}."),
    click.option(
        "--optimiser",
        metavar="NAME",
        help=f"adadelta, adagrad, adam, adamw, rmsprop or sgd; {_FROM_RECIPE}.",
    ),
    click.option("--momentum", type=float, help="Of sgd, in [0, 1); 0.9 by default."),
    click.option("--weight-decay", type=float, help="From 0 up; by default the optimiser's own."),
    click.option(
        "--optimiser-option",
        "optimiser_options",
        multiple=True,
        metavar="KEY=VALUE",
        help="Another option of the optimiser, such as nesterov=True; may be repeated.",
    ),
    click.option(
        "--schedule", metavar="NAME", help="Of the learning rate: cosine, one-cycle, warm-up, …"
    ),
    click.option(
        "--shift", type=int, metavar="PIXELS", help="Move each training image by up to so much."
    ),
    click.option(
        "--augment",
        multiple=True,
        metavar="NAME[:KEY=VALUE,…]",
        help="A transform of training images, such as random-crop:padding=4, random-flip, "
        "cutout:size=8 or elastic, in place of the recipe's; may be repeated; none for none.",
    ),
    click.option(
        "--accumulate",
        type=int,
        metavar="PARTS",
        help="Take each batch in so many parts whose gradients add up: the same step, less memory.",
    ),
    click.option(
        "--clip",
        callback=_switch(float, "number"),
        metavar="NORM|none",
        help="Shorten gradients to this norm; none leaves them, whatever the recipe says.",
    ),
    click.option(
        "--average",
        callback=_switch(float, "number"),
        metavar="DECAY|none",
        help="Average the weights, and evaluate that; none evaluates the weights themselves.",
    ),
    click.option(
        "--patience",
        callback=_switch(int, "whole number"),
        metavar="EPOCHS|none",
        help="Stop when held-out training images were not learnt better for so many epochs; none "
        "trains them all.",
    ),
    click.option(
        "--held-out",
        type=float,
        metavar="SHARE",
        help="Of the training images, for --patience; 0.1 by default.",
    ),
    click.option("--workers", type=int, help="Threads that make batches; it changes no result."),
)


def recipe_options(command: Command) -> Command:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def recipe_fields(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked for as fields of a recipe, and leave out the rest."""
    fields = {name: asked[name] for name in RECIPE_OPTIONS if asked.get(name) is not None}
    fields |= {name: None for name in _SWITCHES if fields.get(name) == _NONE}
    words = fields.pop("optimiser_options", ())
    if words:
        fields["optimiser_options"] = key_values(words, "--optimiser-option")
    augment = named_with_options(fields.pop("augment", ()), "--augment")
    if augment is not None:
        fields["augment"] = augment
    return fields
