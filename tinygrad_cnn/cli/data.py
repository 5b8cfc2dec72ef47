"""``tinygrad-cnn data``: what data sets there are, fetched and looked at."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tinygrad_cnn.data import Description

__all__ = ["data"]

_ABOUT = "about"


class _NameOrCommand(click.Group):
    """A group whose first word may be a data set: then that one is described."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            args = [_ABOUT, *args]
        return super().resolve_command(ctx, args)


_data_dir = click.option(
    "--data-dir", metavar="DIR", help="Where files are looked for first, and fetched to."
)
_split = click.option(
    "--split", metavar="NAME", help="Which arrangement, where there are several; the first else."
)


@click.group(
    cls=_NameOrCommand,
    invoke_without_command=True,
    short_help="List, describe, fetch and show data sets.",
)
@_data_dir
@click.pass_context
def data(context: click.Context, data_dir: str | None) -> None:
    """List the data sets; with the name of one, describe it.

    Files are looked for in --data-dir, in the folder that TINYGRAD_CNN_DATA names and in the
    user's cache; nothing is read or fetched for the list.

    Examples: "tinygrad-cnn data", "tinygrad-cnn data cifar10",
    "tinygrad-cnn data fetch mnist --data-dir ~/data",
    "tinygrad-cnn data show fashion_mnist --to clothes.png".
    """
    if context.invoked_subcommand is None:
        click.echo(_list(data_dir))
    elif data_dir is not None:
        raise click.UsageError("Write --data-dir last.", context)


@data.command(name=_ABOUT, short_help="Describe a data set: data NAME does the same.")
@click.argument("name")
@_data_dir
@_split
def about(name: str, data_dir: str | None, split: str | None) -> int:
    """Describe the data set NAME: images, classes, licence, where its files are."""
    from tinygrad_cnn.data import describe

    click.echo(_description(describe(name, data_dir, split)))
    return 0


@data.command(short_help="Bring the files of a data set here.")
@click.argument("name")
@_data_dir
@_split
def fetch(name: str, data_dir: str | None, split: str | None) -> int:
    """Fetch the files of the data set NAME, unless they are here already.

    Each is held against its published checksum; what was interrupted leaves nothing half.
    """
    from tinygrad_cnn import data as data_sets
    from tinygrad_cnn.train import Display

    display = Display()
    begun: set[str] = set()
    with display.steps(f"fetching {name}", total=100) as advance:

        def progress(file: str, here: int, in_all: int | None) -> None:
            if file not in begun:
                begun.add(file)
                display.line(f"fetching {file}{_of(in_all)}")
            share = 100 * here // in_all if in_all else 0
            advance(share, f"{file} {_size(here)}")

        paths = data_sets.fetch(name, data_dir, split, progress)
    if not paths:
        display.line(f"{name} needs no files that could be fetched")
    for path in paths:
        display.line(str(path))
    return 0


@data.command(short_help="Draw a page of examples.")
@click.argument("name")
@_data_dir
@_split
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The PNG file; by default NAME.png here.",
)
@click.option(
    "--images", "most", type=click.IntRange(1, 400), default=60, show_default=True, help="So many."
)
@click.option("--test", "of_test", is_flag=True, help="Of the test images; else of training.")
def show(
    name: str, data_dir: str | None, split: str | None, path: Path | None, most: int, of_test: bool
) -> int:
    """Draw examples of the data set NAME with their classes, as a network is shown them.

    As many of each class as of the others, the first ones of each.
    """
    from tinygrad_cnn import data as data_sets
    from tinygrad_cnn.train.plots import draw_examples

    parts = data_sets.load(name, data_dir, split=split)
    part, which = (parts.test, "test") if of_test else (parts.train, "training")
    path = Path(f"{name}.png") if path is None else path
    drawn = draw_examples(path, part, most, f"{name}: {which} images")
    click.echo(f"{drawn} of {len(part):,} {which} images of {name}: {path}")
    return 0


def _list(data_dir: str | None) -> str:
    from tinygrad_cnn.cli.tables import plain_table
    from tinygrad_cnn.data import describe, names

    rows = []
    for name in names():
        # The root of other data sets is no folder of one's own images.
        of = describe(name, None if name == "folder" else data_dir)
        rows.append(
            (
                name,
                of.title,
                _counts(of),
                _shape(of),
                f"{len(of.class_names)}" if of.class_names else "yours",
                of.licence.partition(";")[0],
                _size(of.download_size),
                _where(of),
            )
        )
    columns = ("name", "title", "images", "size", "classes", "licence", "to fetch", "here")
    return plain_table(columns, rows, right="images,classes,to fetch")


def _description(of: "Description") -> str:
    lines = {
        "images": _counts(of) + (", for training and for the test" if any(of.counts) else ""),
        "size": _shape(of),
        "classes": f"{len(of.class_names)}: {', '.join(of.class_names)}" if of.class_names else "",
        "splits": ", ".join(
            f"{name} (described here)" if name == of.split else name for name in of.splits
        )
        if len(of.splits) > 1
        else "",
        "licence": of.licence,
        "from": of.citation,
        "to fetch": _size(of.download_size),
        "here": _where(of),
        "looked in": ", ".join(map(str, of.looked_in)) if of.found_in is None else "",
        "checksum": "; ".join(f"not measured by us: {file}" for file in of.unmeasured),
    }
    width = max(map(len, lines))
    told = (f"  {what.ljust(width)}  {text}" for what, text in lines.items() if text)
    return "\n".join([f"{of.name}: {of.title}", *told])


def _counts(of: "Description") -> str:
    return " + ".join(f"{count:,}" for count in of.counts) if any(of.counts) else "yours"


def _shape(of: "Description") -> str:
    colour = "colour" if of.shape[0] == 3 else "grey"
    return f"{of.shape[1]}x{of.shape[2]} {colour}" if of.shape[1] else f"any, {colour}"


def _where(of: "Description") -> str:
    if of.download_size == 0 and of.name != "folder":
        return "with the package"
    if of.name == "folder" and of.found_in is None:
        return "name it by --data-dir"
    return "no" if of.found_in is None else str(of.found_in)


def _of(count: int | None) -> str:
    return "" if count is None else f", {_size(count)}"


def _size(count: int | None) -> str:
    """Return bytes in words.

    Examples
    --------
    >>> _size(0), _size(999), _size(29_515), _size(170_498_071), _size(None)
    ('nothing', '999 B', '29.5 kB', '170.5 MB', 'unknown')
    """
    if count is None:
        return "unknown"
    if count == 0:
        return "nothing"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
