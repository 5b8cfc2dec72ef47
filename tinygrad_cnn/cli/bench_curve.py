"""``tinygrad-cnn bench curve``: the first losses of a recipe, ours beside PyTorch's."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tinygrad_cnn.lab import LossCurves

__all__ = ["curve"]

_LEAST = 1e-8  # difference that is drawn: equal losses have a place on a logarithmic axis too
_SHOWN = (1, 2, 3, 5, 10, 20, 30, 40, 50)  # steps; later every tenth part of all


@click.command(short_help="The first losses of a recipe, beside PyTorch's.")
@click.argument("model", default="resnet20")
@click.option("--data", default="cifar10", metavar="NAME", help="cifar10 is the default.")
@click.option("--data-dir", metavar="DIR", help="Where its files lie.")
@click.option("--steps", default=50, type=click.IntRange(1), help="50 by default.")
@click.option("--batch-size", type=int, help="In images; by default the recipe's.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Of weights and batches; 0.")
@click.option("--threads", type=int, help="Of both; by default one for each core.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the curves into this PNG.")
def curve(
    model: str,
    data: str,
    data_dir: str | None,
    steps: int,
    batch_size: int | None,
    seed: int,
    threads: int | None,
    picture: Path | None,
) -> None:
    """Train MODEL (resnet20) by its recipe, and the same network in PyTorch beside it.

    Both start from the same weights and get the same batches, rates and dropout masks. Shown
    are the losses of ours, of PyTorch in both of its layouts, each on its own way, and of
    PyTorch at the weights that we have come to. The first two differ by what rounding has
    grown to; how much is usual, PyTorch's two layouts show.

    MODEL: lenet5, lab11_cnn2 (with --data mnist), resnet20, allcnn_c.
    """
    from tinygrad_cnn import data as data_sets
    from tinygrad_cnn import models, random
    from tinygrad_cnn.cli.tables import plain_table
    from tinygrad_cnn.errors import OptionError
    from tinygrad_cnn.lab import compare_losses, on_threads, require_comparable
    from tinygrad_cnn.optim.schedules import named
    from tinygrad_cnn.train import Display, recipe_for
    from tinygrad_cnn.train.loop import loader_of
    from tinygrad_cnn.train.shift import shifted

    require_comparable(model)
    if picture is not None and not picture.resolve().parent.is_dir():
        raise OptionError(f"bench curve: the picture's folder is there; got {picture}")
    recipe = recipe_for(model, data).with_options(batch_size=batch_size)
    side = models.find(model).input_shape[1]
    display = Display()
    with display.waiting(f"loading {data}"):
        train, _ = data_sets.load(data, data_dir, image_size=side)
    random.manual_seed(seed)
    network: Any = models.build(model)
    optimiser = recipe.make_optimiser(network.parameters())
    loader = loader_of(train, recipe)
    if steps > len(loader):
        raise OptionError(
            f"bench curve: the steps are of the first epoch; got {steps} of {len(loader)}"
        )
    total, schedule = recipe.epochs * len(loader), named(recipe.schedule)
    rates = [schedule(recipe.lr, done, total) for done in range(steps)]
    batches = (
        (shifted(images, recipe.shift, random.default_generator()), labels)
        for images, labels in itertools.islice(loader, steps)
    )
    with on_threads(threads), display.steps("training", steps) as advance:
        found = compare_losses(
            model, network, optimiser, batches, rates, recipe.clip,
            lambda done: advance(done, f"step {done} of {steps}"),
        )  # fmt: skip
    click.echo(
        f"{model} on {data}: {steps} steps of {recipe.optimiser}, batches of {recipe.batch_size} "
        f"images, learning rate {rates[0]:.3g} to {rates[-1]:.3g}, seed {seed}\n"
    )
    shown = [step for step in _SHOWN if step < steps]
    shown += [step for step in range(100, steps) if step % max(steps // 10, 1) == 0] + [steps]
    titles = ("step", "ours", "PyTorch's", "channels-last", "at our weights")
    rows = [(str(step), *(f"{losses[step - 1]:.5f}" for losses in found)) for step in shown]
    rows.append(("mean", *(f"{sum(losses) / steps:.5f}" for losses in found)))
    click.echo(plain_table(titles, rows, ",".join(titles)))
    click.echo("")
    first = min(10, steps)
    spans = f"first {first} steps", f"all {steps}"
    distances = [
        (what, f"{apart[:first].max():.1e}", f"{apart.max():.1e}")
        for what, apart in found.differences().items()
    ]
    click.echo(plain_table(("largest difference of losses", *spans), distances, ",".join(spans)))
    if picture is not None:
        _draw(picture, found, f"{model} on {data}, seed {seed}")
        click.echo(f"\npicture: {picture}")


def _draw(path: Path, curves: "LossCurves", title: str) -> None:
    """Draw the three curves, and below them how far they are apart."""
    from matplotlib.ticker import MaxNLocator

    from tinygrad_cnn.train.plots.canvas import new_figure, write_figure

    figure = new_figure(11, 4.5)
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    steps = range(1, len(curves.ours) + 1)
    # Okabe and Ito's colours, and other strokes, told apart by all kinds of colour vision.
    looks = (("ours", "#0072b2", "-"), ("PyTorch", "#d55e00", "--"),
             ("PyTorch, channels-last", "#e69f00", ":"))  # fmt: skip
    for losses, (label, color, stroke) in zip(curves[:3], looks, strict=True):
        left.plot(steps, losses, stroke, color=color, label=label)
    strokes = ("#009e73", ":"), ("#0072b2", "-"), ("#d55e00", "--")
    for (what, apart), (color, stroke) in zip(curves.differences().items(), strokes, strict=True):
        right.plot(steps, apart.clip(_LEAST), stroke, color=color, label=what)
    left.set(xlabel="step", ylabel="loss of the batch (nats)")
    right.set(xlabel="step", ylabel="difference of losses (nats)", yscale="log")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    write_figure(path, figure)
