"""The option ``--index``: one number of a value, by its place."""

import click

__all__ = ["index_option", "place_of"]

index_option = click.option(
    "--index", metavar="LIST", default=None, help="One number of it, such as 2,0,1,1; from 0."
)


def place_of(index: str | None) -> tuple[int, ...] | None:
    """Return an index that was given as numbers with commas."""
    from tinygrad_cnn.errors import OptionError

    if index is None:
        return None
    try:
        return tuple(int(number) for number in index.split(","))
    except ValueError:
        raise OptionError(
            f"--index: it is whole numbers with commas, such as 2,0,1,1; got {index!r}"
        ) from None
