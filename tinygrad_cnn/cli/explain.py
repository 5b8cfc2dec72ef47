"""``tinygrad-cnn explain``: one forward and backward pass of a network, told and written down."""

import click

from tinygrad_cnn.cli.lazy_group import LazyGroup

__all__ = ["EXPLAIN_COMMANDS", "explain"]

_FOLDER = "tinygrad_cnn.cli.explain_commands"

# name -> where the command is, as module:function, and what it does in a few words
EXPLAIN_COMMANDS: dict[str, tuple[str, str]] = {
    "derive": (
        f"{_FOLDER}.derive:derive",
        "The chain rule from the loss to a parameter or error signal.",
    ),
    "diff": (f"{_FOLDER}.diff:diff", "What two runs written as .json differ in."),
    "field": (f"{_FOLDER}.field:field", "What one number sees; whose errors reach one weight."),
    "maps": (f"{_FOLDER}.maps:maps", "Feature maps and filters."),
    "paths": (f"{_FOLDER}.paths:paths", "The paths that the error signal came by."),
    "saliency": (
        f"{_FOLDER}.saliency:saliency",
        "Which pixels, or which region, a class score depends on.",
    ),
    "story": (
        f"{_FOLDER}.story:story",
        "Every element in execution order, forward and backward.",
    ),
    "write": (
        f"{_FOLDER}.write:write",
        "The run as a page, a picture, tables, LaTeX, DOT or JSON.",
    ),
    "zoom": (f"{_FOLDER}.zoom:zoom", "One number, taken apart into scalars."),
}


class _StoryByDefault(LazyGroup):
    """A group whose first command may be left out: ``explain lenet5`` tells the story."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.table, *self.get_help_option_names(ctx)}:
            args = ["story", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_StoryByDefault, table=EXPLAIN_COMMANDS)
def explain() -> None:
    """Run a network, with freshly drawn weights, on some test images, and explain the run.

    "tinygrad-cnn explain lenet5" is short for "tinygrad-cnn explain story lenet5".
    """
