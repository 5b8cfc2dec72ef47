"""``tinygrad-cnn explain saliency``: which pixels, or which region, a class score depends on."""

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

__all__ = ["saliency"]


@click.command()
@explained_run_options
@click.option("--image", type=int, default=0, show_default=True, help="Of the test images.")
@click.option("--label", type=int, help="A class, from 0; else the network's answer.")
@click.option("--grad-cam", is_flag=True, help="The region of a layer's maps, by Grad-CAM.")
@click.option("--layer", metavar="NAME", help="With --grad-cam: which; else the last with maps.")
@click.option("--guided", is_flag=True, help="Guided backpropagation in place of the gradient.")
@write_option
def saliency(
    image: int,
    label: int | None,
    grad_cam: bool,
    layer: str | None,
    guided: bool,
    file: Path | None,
    **asked: Any,
) -> int:
    """Show which pixels the score of a class depends on.

    MODEL is a network with freshly drawn weights, or the directory of a run that trained one. A
    gradient is a slope at this image: it does not say that the network uses what is bright.

    Examples: "tinygrad-cnn explain saliency runs/first --write saliency.html",
    "tinygrad-cnn explain saliency runs/first --grad-cam --layer C3".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.errors import OptionError
    from tinygrad_cnn.explain.sight import GradCAM, Saliency

    if layer is not None and not grad_cam:
        raise OptionError("--layer: it goes with --grad-cam")
    if guided and grad_cam:
        raise OptionError("--guided: it goes without --grad-cam")
    found: Saliency | GradCAM
    with at_work(asked["model"]):
        run = prepare_or_open(**asked)
        pixels = image_of(run, image)
        if grad_cam:
            found = explanations.grad_cam(run.network, pixels, label, layer)
        else:
            found = explanations.saliency(run.network, pixels, label, guided)
        said = say_or_write(run.told, found.sheet, file, str(found))
    click.echo(said)
    return 0
