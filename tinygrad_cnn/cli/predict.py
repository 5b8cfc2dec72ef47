"""``tinygrad-cnn predict``: what a trained network says to image files."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import click

from tinygrad_cnn.cli.notices import tell

__all__ = ["predict"]


class _Answer(NamedTuple):
    """The two likeliest classes of an image file."""

    file: str
    answer: str
    probability: float
    second: str
    second_probability: float


@click.command(short_help="Say what a trained network sees in image files.")
@click.argument("run")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--invert", is_flag=True, help="Exchange light and dark: for ink on paper.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--data-dir",
    metavar="DIR",
    help="Where the data lie, of a run that was begun before runs kept their mean and deviation.",
)
def predict(
    run: str, images: tuple[str, ...], invert: bool, as_json: bool, data_dir: str | None
) -> int:
    """Show image files, or all those in a folder, to the network of the run directory RUN.

    Each image is made what the network was trained on: grey or in colour, scaled and centred.
    Digits, letters and clothes of MNIST and its kin are light on a dark ground; for dark ones
    on a light ground there is --invert. A file that cannot be read is told in one line, the
    others are answered, and the exit code is 2 then.

    Examples: "tinygrad-cnn predict runs/mine seven.png",
    "tinygrad-cnn predict runs/mine scans --invert --json".
    """
    from tinygrad_cnn.data.pictures import Picture, find_pictures, read_picture
    from tinygrad_cnn.errors import DataError, MissingDataError
    from tinygrad_cnn.train.answers import open_run, probabilities
    from tinygrad_cnn.train.evaluation import EVALUATION_BATCH
    from tinygrad_cnn.train.threads import kernel_threads

    trained = open_run(run)
    of_the_run = trained.configuration
    paths, mistakes = find_pictures(images)
    answers: list[_Answer] = []
    inverted = 0
    if paths:
        import numpy as np

        if data_dir is not None and of_the_run.input_format is not None:
            tell(f"--data-dir is not looked at: {run} keeps mean and deviation of its images")
        wanted = trained.input_format(data_dir)
        for start in range(0, len(paths), EVALUATION_BATCH):  # a folder may be larger than memory
            seen: dict[Path, Picture] = {}
            for path in paths[start : start + EVALUATION_BATCH]:
                try:
                    seen[path] = read_picture(
                        path, of_the_run.data, wanted.shape, wanted.standardise, invert
                    )
                except (DataError, MissingDataError) as unreadable:
                    mistakes.append(unreadable)
            if not seen:
                continue
            inverted += sum(picture.looks_inverted for picture in seen.values())
            with kernel_threads(of_the_run.recipe.threads):
                pixels = np.stack([picture.pixels for picture in seen.values()])
                rows = probabilities(trained.network, pixels)
            answers += [
                _answer(path, row, wanted.class_names) for path, row in zip(seen, rows, strict=True)
            ]
    if as_json:
        click.echo(json.dumps([answer._asdict() for answer in answers], indent=2))
    elif answers:
        click.echo(_table(answers))
    if inverted:
        tell(
            f"{inverted} of {len(answers)} images have a light border, where the images of "
            f"{of_the_run.data} are light on a dark ground: "
            f"{'leave out' if invert else 'try'} --invert"
        )
    for mistake in mistakes:
        tell(str(mistake))
    return 2 if mistakes else 0


def _answer(path: Path, row: Any, class_names: tuple[str, ...]) -> _Answer:
    from tinygrad_cnn.train.metrics import names_of_classes

    names = names_of_classes(class_names, len(row))
    first, *others = (-row).argsort(kind="stable")
    second = others[0] if others else first
    return _Answer(str(path), names[first], float(row[first]), names[second], float(row[second]))


def _table(answers: list[_Answer]) -> str:
    from tinygrad_cnn.cli.tables import plain_table

    rows = [
        (file, first, f"{100 * share:.1f} %", second, f"{100 * other:.1f} %")
        for file, first, share, second, other in answers
    ]
    columns = ("file", "answer", "probability", "second answer", "its probability")
    return plain_table(columns, rows, right="probability,its probability")
