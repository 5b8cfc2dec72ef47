"""``tinygrad-cnn recipes``: how each network is trained on each data set, and what to expect."""

import math

import click

__all__ = ["list_recipes"]


@click.command(name="recipes", short_help="List how networks are trained, and what to expect.")
def list_recipes() -> int:
    """List the recipes: network, data, optimiser, schedule, augmentation, and what is expected.

    The accuracy is that of the test images, in percent, as a test or a run on real data found
    it; where nobody measured it here, the table says so. Train one of them with
    "tinygrad-cnn train MODEL --data DATA".
    """
    from tinygrad_cnn.cli.tables import plain_table
    from tinygrad_cnn.train.recipes import EXPECTED, RECIPES

    titles = ("model", "data", "optimiser", "schedule", "epochs", "batch", "augmentation")
    rows = []
    for (model, data), recipe in sorted(RECIPES.items()):
        settings = [f"lr {recipe.lr:g}"]
        settings += [f"momentum {recipe.momentum:g}"] if recipe.momentum else []
        settings += [f"decay {recipe.weight_decay:g}"] if recipe.weight_decay else []
        changes = [f"shift {recipe.shift}"] if recipe.shift else []
        changes += [
            " ".join([name, *(f"{key}={value}" for key, value in options.items())])
            for name, options in recipe.augment
        ]
        expected = EXPECTED.get((model, data))
        accuracy, minutes = "not measured", "not measured"
        if expected is not None:
            accuracy = f"at least {expected.lowest:g} %"
            if not math.isnan(expected.highest):
                accuracy = f"{expected.lowest:g} to {expected.highest:g} %"
            if expected.minutes is not None:
                minutes = f"{expected.minutes:g}"
        optimiser = f"{recipe.optimiser}, {', '.join(settings)}"
        row = (model, data, optimiser, recipe.schedule, str(recipe.epochs), str(recipe.batch_size))
        rows.append((*row, ", ".join(changes) or "none", accuracy, minutes))
    table = plain_table((*titles, "test accuracy", "minutes"), rows, "epochs,batch,minutes")
    click.echo(table)
    click.echo(
        "\nMinutes are those of two cores. A network that takes images of 32 pixels or less\n"
        "trains on the other data sets too, and every network on images of one's own: with adam\n"
        "at 0.001, which nobody chose for them."
    )
    return 0
