"""``tinygrad-cnn warmup``: compile kernels before somebody waits for them."""

from typing import Any

import click

__all__ = ["warmup"]


@click.command(short_help="Compile the kernels of networks ahead, in two processes.")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option("--all", "everything", is_flag=True, help="Those of every network and function.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="So many compile at once.",
)
def warmup(names: tuple[str, ...], everything: bool, processes: int) -> int:
    """Compile the kernels that MODEL is trained with; by default those of lenet5.

    They are kept on disk: whatever needs them next finds them compiled. One line says what is
    being compiled, and at last how long it took and where the kernels lie. Kernels are
    compiled for float32.

    Examples: "tinygrad-cnn warmup", "tinygrad-cnn warmup resnet20 vgg11",
    "tinygrad-cnn warmup --all".
    """
    from tinygrad_cnn.lab import warm_up
    from tinygrad_cnn.train import Display

    display = Display()
    chosen = names if names or everything else ("lenet5",)
    with display.waiting("looking for compiled kernels") as say:

        def tell(names: str, done: int, total: int) -> None:
            say(f"compiling {names} … ({done} of {total} done)")

        outcome: Any = warm_up(chosen, everything=everything, processes=processes, progress=tell)
    if outcome.compiled:
        text = f"compiled {outcome.compiled} of {outcome.needed} kernels"
    else:
        text = f"everything is compiled: {outcome.needed} kernels"
    display.line(f"{text}, {outcome.seconds:.1f} s; they lie in {outcome.folder}")
    return 0
