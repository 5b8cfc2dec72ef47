"""What a network looks at is asked of a trained one too: MODEL may be the directory of a run."""

from pathlib import Path
from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.explained_run import ExplainedRun, prepare
from tinygrad_cnn.cli.explain_commands.target import require_folder
from tinygrad_cnn.cli.model_options import MODEL_OPTIONS

__all__ = ["image_of", "prepare_or_open", "say_or_write", "write_option"]


def _picture_file(context: Any, parameter: Any, file: Path | None) -> Path | None:
    """Refuse another ending before anything runs."""
    from tinygrad_cnn.explain.sight import require_picture_file

    if file is not None:
        require_folder(f"explain {context.command.name}", require_picture_file(file))
    return file


write_option = click.option(
    "--write",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_picture_file,
    help="Pictures: a file that ends in .html, .svg or .png.",
)


def prepare_or_open(model: str, **asked: Any) -> ExplainedRun:
    """Build a network of that name, or take the one that a run trained, and read its images.

    Raises
    ------
    OptionError
        If an option makes no sense here.
    """
    from tinygrad_cnn import models

    if model in models.names() or not Path(model).exists():
        return prepare(model, **asked)

    from tinygrad_cnn.errors import OptionError
    from tinygrad_cnn.tensor import Tensor
    from tinygrad_cnn.train.answers import open_run
    from tinygrad_cnn.train.progress import counted

    chosen = [name for name in MODEL_OPTIONS if asked[name] is not None]
    if asked["twin"] or chosen:
        option = chosen[0].replace("_", "-") if chosen else "twin"
        raise OptionError(f"--{option}: a trained network is what it is; got the run {model}")
    trained = open_run(model)
    count = asked["batch_size"]
    if count < 1:
        raise OptionError(f"--batch-size: there is at least one image; got {count}")
    test = trained.load_images(asked["data_dir"], asked["data"], asked["split"]).test
    name = trained.configuration.model
    row, labels = models.find(name), test.labels[:count]
    told = f"{name} as {model} trained it, on {counted(len(labels), 'test image')}"
    images = Tensor(test.images[:count])
    return ExplainedRun(trained.network, images, lambda scores: row.loss(scores, labels), told)


def image_of(run: ExplainedRun, number: int) -> Any:
    """Return one image of the batch.

    Raises
    ------
    OptionError
        If there is none of that number.
    """
    from tinygrad_cnn.errors import OptionError

    count = len(run.images.numpy())
    if not 0 <= number < count:
        raise OptionError(
            f"--image: the images are 0 to {count - 1}; got {number}. --batch-size takes more"
        )
    return run.images.numpy()[number]


def say_or_write(told: str, sheet: Any, file: Path | None, text: str) -> str:
    """Write a sheet of pictures to a file, if one is named; return what is to be said."""
    if file is None:
        return f"{told}\n\n{text}"
    sheet().save(file)
    return f"{told}\n\n{text}\n\npicture: {file}"
