"""``tinygrad-cnn bench``: the variants of the convolution passes against each other."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.lab import SHAPES, ConvShape, Measurement, benchmark_conv


@click.command()
@click.option("--repeats", default=9, show_default=True, help="Timed calls of each variant.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write figures here.")
@click.option(
    "--require-fastest",
    metavar="VARIANT",
    help="Fail unless this variant is the fastest of every pass on the first shape; the others "
    f"are not judged. The first shape is {SHAPES[0]}.",
)
def bench(repeats: int, json_file: Path | None, require_fastest: str | None) -> None:
    """Time the variants of the three convolution passes in one run.

    Each variant is checked against the others first; then they take turns, and the median is
    kept. Ratios within one run mean something, absolute figures of a shared machine do not.
    """
    console = Console()
    with console.status("compiling and measuring") as status:
        measured = benchmark_conv(repeats=repeats, progress=status.update)
    for shape in dict.fromkeys(one.shape for one in measured):
        console.print(_table(shape, [one for one in measured if one.shape == shape]))
    if json_file is not None:
        rows = [
            {**one.shape._asdict(), "pass": one.operation, "variant": one.variant,
             "seconds": one.seconds, "gflops": one.gflops}
            for one in measured
        ]  # fmt: skip
        json_file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if require_fastest is not None:
        _require(require_fastest, measured)


def _table(shape: ConvShape, measured: list[Measurement]) -> Table:
    """Lay out the figures of one shape, each against the slowest variant of its pass."""
    table = Table("pass", "variant", "ms", "GFLOP/s", "faster by", title=str(shape))
    for one in measured:
        slowest = max(m.seconds for m in measured if m.operation == one.operation)
        table.add_row(
            one.operation,
            one.variant,
            f"{1e3 * one.seconds:.3f}",
            f"{one.gflops:.1f}",
            f"x {slowest / one.seconds:.2f}",
        )
    return table


def _require(variant: str, measured: list[Measurement]) -> None:
    judged = [one for one in measured if one.shape == measured[0].shape]
    for one in judged:
        mine = [o for o in judged if o.variant == variant and o.operation == one.operation]
        if not mine:
            raise OptionError(f"bench: a variant of that name is measured; got {variant!r}")
        if one.seconds < mine[0].seconds:
            raise click.ClickException(
                f"{one.operation}, {one.shape}: {variant} is to be the fastest; got "
                f"{one.variant} in {1e3 * one.seconds:.2f} ms against {1e3 * mine[0].seconds:.2f}"
            )
