"""``tinygrad-cnn explain field``: what one number sees, or whose errors reach one weight."""

from pathlib import Path
from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options
from tinygrad_cnn.cli.explain_commands.place import index_option, place_of
from tinygrad_cnn.cli.explain_commands.trained_or_new import (
    prepare_or_open,
    say_or_write,
    write_option,
)

__all__ = ["field"]


@click.command()
@explained_run_options
@click.option("--element", metavar="NAME", help="Receptive field of a layer such as C3.")
@click.option(
    "--parameter", metavar="NAME", help="Error field of a parameter such as C1.weight, or of image."
)
@index_option
@write_option
def field(
    element: str | None, parameter: str | None, index: str | None, file: Path | None, **asked: Any
) -> int:
    """Show a receptive field of MODEL, or its dual, an error field.

    With --element: the pixels that one number of it depends on, by geometry and as measured, in
    evaluation mode: in training, batch norm reads the whole batch. With --parameter: the places
    whose errors reach one weight, or one pixel of the image, and their shares of its gradient.

    MODEL is a network with freshly drawn weights, or the directory of a run that trained one.

    Examples: "tinygrad-cnn explain field lenet5 --element C3 --index 0,2,4,5",
    "tinygrad-cnn explain field lenet5 --parameter C1.weight --index 0,0,2,2 --write field.html".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.errors import OptionError

    if (element is None) == (parameter is None):
        raise OptionError("explain field: it takes --element or --parameter, one of the two")
    place = place_of(index)
    with at_work(asked["model"]):
        run = prepare_or_open(**asked)
        run.images.name = "image"
        run.images.requires_grad_()
        if element is not None:
            run.network.eval()
        with explanations.record():
            loss = run.forward()
        if element is not None:
            seen = explanations.receptive_field(loss, element, place).check()
            looked_at = run.images.numpy()[seen.batch]
            said = say_or_write(run.told, lambda: seen.sheet(looked_at), file, str(seen))
        else:
            errors = explanations.error_field(loss, parameter or "", place or ()).check()
            said = say_or_write(run.told, errors.sheet, file, str(errors))
    click.echo(said)
    return 0
