"""``tinygrad-cnn explain``: one forward and backward pass of a network, told and written down."""

import difflib

import click

from tinygrad_cnn.cli.lazy_group import LazyGroup

__all__ = ["EXPLAIN_COMMANDS", "explain"]

_FOLDER = "tinygrad_cnn.cli.explain_commands"

# name -> where the command is, as module:function, and what it does in a few words
EXPLAIN_COMMANDS: dict[str, tuple[str, str]] = {
    "atlas": (
        f"{_FOLDER}.atlas:atlas",
        "Error signals of every element on one page, of one network or several.",
    ),
    "break": (
        f"{_FOLDER}.break_rule:break_rule",
        "A training with a mistake in the chain rule, and without.",
    ),
    "contributions": (
        f"{_FOLDER}.contributions:contributions",
        "Which layers asked for the maps that concatenations join.",
    ),
    "derive": (
        f"{_FOLDER}.derive:derive",
        "The chain rule from the loss to a parameter or error signal.",
    ),
    "diagnose": (
        f"{_FOLDER}.diagnose:diagnose",
        "Where a chain rule breaks, and by which mistake.",
    ),
    "diff": (
        f"{_FOLDER}.diff:diff",
        "What two runs written as .json differ in.",
    ),
    "faults": (
        f"{_FOLDER}.faults:faults",
        "The mistakes that can be switched on.",
    ),
    "field": (
        f"{_FOLDER}.field:field",
        "What one number sees; whose errors reach one weight.",
    ),
    "gradcheck": (
        f"{_FOLDER}.gradcheck:gradcheck",
        "Gradients against differences, and why they disagree.",
    ),
    "hit-rate": (
        f"{_FOLDER}.hit_rate:hit_rate",
        "How often a mistake is named rightly.",
    ),
    "lengths": (
        f"{_FOLDER}.lengths:lengths",
        "Error signals by the number of residual branches they passed.",
    ),
    "maps": (
        f"{_FOLDER}.maps:maps",
        "Feature maps and filters.",
    ),
    "orders": (
        f"{_FOLDER}.orders:orders",
        "The graph walked back in four orders.",
    ),
    "paths": (
        f"{_FOLDER}.paths:paths",
        "The paths that the error signal came by.",
    ),
    "saliency": (
        f"{_FOLDER}.saliency:saliency",
        "Which pixels, or which region, a class score depends on.",
    ),
    "step": (
        f"{_FOLDER}.step:step",
        "Step through the backward pass: pause, look, change, go back.",
    ),
    "story": (
        f"{_FOLDER}.story:story",
        "Every element in execution order, forward and backward.",
    ),
    "toolbox": (
        f"{_FOLDER}.toolbox:toolbox",
        "The lectures' reference code beside the chain rule and this library.",
    ),
    "write": (
        f"{_FOLDER}.write:write",
        "The run as a page, a picture, tables, LaTeX, DOT or JSON.",
    ),
    "zoom": (
        f"{_FOLDER}.zoom:zoom",
        "One number, taken apart into scalars.",
    ),
}


class _StoryByDefault(LazyGroup):
    """A group whose first command may be left out: ``explain lenet5`` tells the story."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.table, *self.get_help_option_names(ctx)}
        if args and args[0] not in known:
            close = difflib.get_close_matches(args[0], self.table, n=1, cutoff=0.75)
            if close:  # no network is called nearly as a command is
                raise click.UsageError(f"No command {args[0]!r}. Did you mean {close[0]!r}?", ctx)
        if not args or args[0] not in known:
            args = ["story", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_StoryByDefault, table=EXPLAIN_COMMANDS)
def explain() -> None:
    """Run a network, with freshly drawn weights, on some test images, and explain the run.

    "tinygrad-cnn explain lenet5" is short for "tinygrad-cnn explain story lenet5".
    """
