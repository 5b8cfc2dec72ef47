"""``tinygrad-cnn explain maps``: what a network computes of an image, and with which filters."""

from pathlib import Path
from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options
from tinygrad_cnn.cli.explain_commands.trained_or_new import (
    image_of,
    prepare_or_open,
    say_or_write,
    write_option,
)

__all__ = ["maps"]


@click.command()
@explained_run_options
@click.option("--element", metavar="NAME", help="One layer or element, such as C1; else all.")
@click.option("--image", type=int, default=0, show_default=True, help="Of the test images.")
@click.option("--filters", is_flag=True, help="The weights of the convolutions instead.")
@click.option("--parameter", metavar="NAME", help="With --filters: one, such as C1.weight.")
@write_option
def maps(
    element: str | None,
    image: int,
    filters: bool,
    parameter: str | None,
    file: Path | None,
    **asked: Any,
) -> int:
    """Show what the elements of MODEL compute of an image, or its filters.

    MODEL is a network with freshly drawn weights, or the directory of a run that trained one.

    Examples: "tinygrad-cnn explain maps lenet5 --write maps.html",
    "tinygrad-cnn explain maps runs/first --filters --write filters.png".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.errors import OptionError
    from tinygrad_cnn.explain.sight import FeatureMaps, Filters
    from tinygrad_cnn.tensor import Tensor

    for given, option, other in ((parameter, "--parameter", True), (element, "--element", False)):
        if given is not None and filters is not other:
            raise OptionError(f"{option}: it goes {'with' if other else 'without'} --filters")
    found: FeatureMaps | Filters
    with at_work(asked["model"]):
        run = prepare_or_open(**asked)
        if filters:
            found = explanations.filters(run.network, parameter)
        else:
            with explanations.record(keep="arrays") as recording:
                run.network(Tensor(image_of(run, image)[None]))
            found = explanations.feature_maps(recording, element)
        said = say_or_write(run.told, found.sheet, file, str(found))
    click.echo(said)
    return 0
