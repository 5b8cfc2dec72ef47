"""``tinygrad-cnn eval``: what a trained network makes of a data set."""

from pathlib import Path
from typing import Any

import click

__all__ = ["evaluate_run"]


@click.command(name="eval", short_help="Evaluate a trained network on a data set.")
@click.argument("run", metavar="RUN|CHECKPOINT")
@click.option("--data", metavar="NAME", help="By default what it was trained on.")
@click.option("--data-dir", metavar="DIR", help="Where the files of --data lie.")
@click.option("--split", metavar="NAME", help="Which images are for the test, where one chooses.")
@click.option(
    "--part",
    type=click.Choice(["test", "train"]),
    default="test",
    show_default=True,
    help="Which images; the network has learnt from those of train.",
)
@click.option("--threads", type=int, help="Of the kernels; results do not depend on it.")
@click.option("--classes", is_flag=True, help="Tell recall and precision of each class.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw curves, confusion matrix, mistakes, first filters and feature maps there.",
)
def evaluate_run(
    run: str,
    data: str | None,
    data_dir: str | None,
    split: str | None,
    part: str,
    threads: int | None,
    classes: bool,
    plots: Path | None,
) -> int:
    """Load the network that RUN trained, and print its loss and accuracy.

    RUN is the directory of a run, or a checkpoint file. Of a run with --average or --patience
    the averaged or the best weights answer.

    Examples: "tinygrad-cnn eval runs/first --data mnist --data-dir ~/data",
    "tinygrad-cnn eval runs/first --classes --plots pictures".
    """
    from tinygrad_cnn.cli.closer_look import look_closer
    from tinygrad_cnn.cli.notices import tell
    from tinygrad_cnn.train.answers import open_run
    from tinygrad_cnn.train.evaluation import evaluate
    from tinygrad_cnn.train.progress import Display, counted
    from tinygrad_cnn.train.threads import kernel_threads, require_threads

    if threads is not None:
        require_threads(threads)
    trained = open_run(run)
    images = trained.load_images(data_dir, data, split, Display())
    judged = images.train if part == "train" else images.test
    former = trained.configuration
    name = former.data if data is None else data
    if name == former.data and (other := trained.other_images(images)):
        tell(f"{other}: the network may have learnt from some of them")
    scores: list[Any] = []
    with kernel_threads(former.recipe.threads if threads is None else threads):
        result = evaluate(trained.network, judged, keep=scores)
        epochs = counted(trained.checkpoint.state.epoch, "epoch")
        click.echo(
            f"{former.model} of {run}, after {epochs} on {former.data}: {len(judged):,} {part} "
            f"images of {name}"
        )
        click.echo(f"loss {result.loss:.4f}")
        if result.top5 is not None:
            click.echo(f"top-5 {100 * result.top5 / result.total:.1f} % ({result.top5:,})")
        if classes or plots is not None:
            look_closer(trained, judged, scores, f"{former.model} on {name}", classes, plots)
    click.echo(f"{part} accuracy {result}")
    return 0
