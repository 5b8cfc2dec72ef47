"""``tinygrad-cnn eval``: what a trained network makes of a data set."""

from pathlib import Path

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
    from tinygrad_cnn.train import Display
    from tinygrad_cnn.train.trained import evaluate_checkpoint

    heading, result = evaluate_checkpoint(
        Path(run), data, data_dir, split, part, threads, Display()
    )
    click.echo(heading)
    click.echo(f"loss {result.loss:.4f}")
    if result.top5 is not None:
        click.echo(f"top-5 {100 * result.top5 / result.total:.1f} % ({result.top5:,})")
    if classes or plots is not None:
        from tinygrad_cnn.cli.closer_look import look_closer

        look_closer(Path(run), data, data_dir, split, part, threads, classes, plots)
    click.echo(f"{part} accuracy {result}")
    return 0
