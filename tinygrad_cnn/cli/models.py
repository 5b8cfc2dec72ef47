"""``tinygrad-cnn models``: the networks that can be built, and one of them layer by layer."""

from typing import TYPE_CHECKING, Any

import click

from tinygrad_cnn.cli.key_values import key_values

if TYPE_CHECKING:
    from tinygrad_cnn.nn import Module

__all__ = ["list_models"]


@click.command(name="models", short_help="List the networks, or describe one layer by layer.")
@click.argument("name", required=False)
@click.option("--twin", is_flag=True, help="The tiny twin of NAME instead.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    help="Count for so many images at once; by default 1, of a twin 2.",
)
@click.option(
    "--option",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of NAME's builder, such as stride_in=1x1; may be repeated.",
)
def list_models(name: str | None, twin: bool, batch: int | None, given: tuple[str, ...]) -> int:
    """List all networks; with NAME, describe that one layer by layer.

    The list has the paper, the images it was made for, and what it costs: trained parameters
    and multiply-adds for one image. Of one network: output, parameters, multiply-adds forward
    and backward, bytes, and how much of the image a pixel of each layer sees. All of it is
    counted on shapes; nothing is computed.

    Examples: "tinygrad-cnn models", "tinygrad-cnn models vgg16",
    "tinygrad-cnn models resnet1202 --batch 128 --option recompute=14".
    """
    if name is not None:
        click.echo(_description(name, twin, batch, key_values(given, "--option")))
    elif twin or batch or given:
        raise click.UsageError("Name the network that is meant.", click.get_current_context())
    else:
        click.echo(_table())
    return 0


def _description(name: str, twin: bool, batch: int | None, options: dict[str, Any]) -> str:
    from tinygrad_cnn import models
    from tinygrad_cnn.nn import summary, without_memory

    network = models.find(name)
    if twin and options:
        raise click.UsageError("A twin has options of its own.", click.get_current_context())
    if twin:
        model, shape = network.build_twin(), network.twin_input
        # Maps of a twin may end at 1x1, of which batch normalisation needs more than one.
        batch = batch or 2
    else:
        with without_memory():
            model, shape = network.build(**options), network.input_shape
    title = f"{name} (its tiny twin)" if twin else name
    return f"{title}: {network.paper}\n{summary(model, (batch or 1, *shape))}"


def _table() -> str:
    import io

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from tinygrad_cnn import models

    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for title in ("name", "paper", "input", "classes", "parameters", "multiply-adds"):
        count = title in ("classes", "parameters", "multiply-adds")
        table.add_column(title, justify="right" if count else "left", no_wrap=True)
    for name in sorted(models.names(), key=_by_number):
        network = models.find(name)
        model = network.build(allocate=False)
        table.add_row(
            name,
            network.paper,
            "x".join(map(str, network.input_shape)),
            f"{network.num_classes:,}",
            f"{model.count_parameters():,}",
            f"{_multiply_adds(model, network.input_shape):,}",
        )
    text = io.StringIO()
    Console(file=text, width=400, color_system=None, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip())


def _multiply_adds(model: "Module", shape: tuple[int, ...]) -> int:
    """Return what one image costs; a summary says the same, and much more that takes time."""
    from tinygrad_cnn import hooks, no_grad, zeros

    total = 0

    def add(element: Any, inputs: Any, outputs: Any) -> None:
        nonlocal total
        nodes = ([variable.node for variable in side] for side in (inputs, outputs))
        total += element.multiply_adds(*nodes)[0]

    with no_grad(), hooks.on_forward(add):
        model(zeros((1, *shape), device="shapes"))
    return total


def _by_number(name: str) -> tuple[str | int, ...]:
    """Return a key that sorts resnet18 before resnet101.

    Examples
    --------
    >>> sorted(["resnet101", "lenet5", "resnet18"], key=_by_number)
    ['lenet5', 'resnet18', 'resnet101']
    """
    import re

    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))
