"""``tinygrad-cnn ensemble``: several trained networks, several views: their average judged."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tinygrad_cnn.data import ArrayDataset, Split
    from tinygrad_cnn.train.answers import TrainedRun

__all__ = ["ensemble"]


@click.command(short_help="Average the probabilities of trained networks, and of several views.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--crops",
    type=int,
    default=1,
    show_default=True,
    help="Views of each image: 2 with its mirror image, 5 moved, 10 moved and mirrored.",
)
@click.option(
    "--moved", type=int, default=1, show_default=True, help="So many pixels, of --crops 5 and 10."
)
@click.option("--data-dir", metavar="DIR", help="Where the runs' data lie, if they were moved.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw confusion matrix, mistakes, and the first network's filters and maps there.",
)
def ensemble(
    runs: tuple[str, ...],
    crops: int,
    moved: int,
    data_dir: str | None,
    as_json: bool,
    plots: Path | None,
) -> int:
    """Judge the networks of the run directories RUN, one by one and together.

    Together they answer with the average of their probabilities. All have to have been made
    with the same data; the networks may differ, and the size of image that they take.

    With --crops each network is asked for several views of an image too. Views help where
    training showed such: mirror images where it mirrored some, moved images where it moved them
    as far; they harm elsewhere, and a line says so.

    The tables tell accuracies, how many images each change mended and how many it spoiled, and
    whether a coin would do as well.

    Examples: "tinygrad-cnn ensemble runs/seed0 runs/seed1 runs/seed2",
    "tinygrad-cnn ensemble runs/mine --crops 10".
    """
    from tinygrad_cnn.cli.ensemble_tables import facts, report, warning
    from tinygrad_cnn.cli.notices import tell
    from tinygrad_cnn.train.answers import open_run
    from tinygrad_cnn.train.ensemble import ensemble as judge
    from tinygrad_cnn.train.ensemble import unseen_views, views
    from tinygrad_cnn.train.progress import Display
    from tinygrad_cnn.train.threads import kernel_threads

    members = [open_run(run) for run in runs]
    _require_same_data(members)
    split = members[0].load_images(data_dir)
    if other := members[0].other_images(split):
        tell(f"{other}: the networks may have learnt from some of them")
    networks = [member.network for member in members]
    views(split.test.images[:1], crops, moved)  # a mistake in the options is told at once
    datasets = _same_examples(members, split, data_dir)
    recipes = [member.configuration.recipe for member in members]
    if told := warning(runs, [unseen_views(recipe, crops, moved) for recipe in recipes]):
        click.echo(f"tinygrad-cnn: {told}", err=True)
    display = Display(quiet=as_json)
    total = len(networks) * (1 if crops == 1 else 2)
    threads = members[0].configuration.recipe.threads
    with kernel_threads(threads), display.steps("asking", total=total) as advance:
        plain = judge(networks, datasets, after_member=lambda n: advance(n, "one view"))
        result = plain
        if crops > 1:
            result = judge(
                networks,
                datasets,
                crops,
                moved,
                lambda n: advance(len(networks) + n, f"{crops} views"),
            )
    if as_json:
        click.echo(json.dumps(facts(runs, plain, result, crops), indent=2))
    else:
        click.echo(report(runs, plain, result, crops))
    if plots is not None:
        from tinygrad_cnn.train.plots import draw_report

        first = members[0].configuration
        title = f"{first.model} on {first.data}" if len(members) == 1 else f"{len(runs)} networks"
        history = members[0].checkpoint.state.history if len(members) == 1 else ()
        drawn = draw_report(
            plots, networks[0], split,
            history=history, probabilities=result.probabilities, title=title,
        )  # fmt: skip
        if not as_json:
            click.echo(f"drawn: {', '.join(path.name for path in drawn)} in {plots}")
    return 0


def _require_same_data(members: "list[TrainedRun]") -> None:
    """Refuse networks of different data: a class of one would be another one's."""
    first = members[0].configuration
    for member in members[1:]:
        other = member.configuration
        if (other.data, other.split) != (first.data, first.split):
            raise _other_images(members[0], member)


def _same_examples(
    members: "list[TrainedRun]", split: "Split", data_dir: str | None
) -> "list[ArrayDataset]":
    """Return the test images for each network, in the size that it takes."""
    import numpy as np

    from tinygrad_cnn.train import fingerprint

    first = members[0]
    of_size = {_size(first): (split.test, first.configuration.data_fingerprint)}
    for member in members[1:]:
        if _size(member) not in of_size:
            own = member.load_images(data_dir)
            of_size[_size(member)] = (own.test, fingerprint(own))
        images, sum_of_all = of_size[_size(member)]
        if member.configuration.data_fingerprint != sum_of_all or not np.array_equal(
            images.labels, split.test.labels
        ):
            raise _other_images(first, member)
    return [of_size[_size(member)][0] for member in members]


def _size(member: "TrainedRun") -> tuple[int, ...]:
    from tinygrad_cnn import models

    return models.find(member.configuration.model).input_shape


def _other_images(first: "TrainedRun", other: "TrainedRun") -> Exception:
    from tinygrad_cnn.errors import OptionError

    return OptionError(
        "ensemble: all runs were made with the same images; got "
        f"{_named(first.configuration)} in {first.path} and {_named(other.configuration)} in "
        f"{other.path}"
    )


def _named(configuration: Any) -> str:
    split = f" ({configuration.split})" if configuration.split else ""
    return f"{configuration.data}{split} {configuration.data_fingerprint}"
