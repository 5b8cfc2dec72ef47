"""``tinygrad-cnn explain derive``: the chain rule from the loss to a parameter or error signal."""

from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare
from tinygrad_cnn.cli.explain_commands.place import index_option, place_of

__all__ = ["derive"]


@click.command()
@explained_run_options
@click.argument("value")
@index_option
@click.option("--numbers", is_flag=True, help="With the recorded numbers.")
@click.option("--complete", is_flag=True, help="Long sums in full, each error signal derived.")
@click.option("--form", default="text", help="text, markdown, latex or python.", show_default=True)
def derive(
    value: str, index: str | None, numbers: bool, complete: bool, form: str, **asked: Any
) -> int:
    """Write out the chain rule of MODEL's run from the loss to VALUE.

    VALUE is a parameter such as C3.weight, or a layer such as C3, whose error signal is meant.
    Each line is evaluated and compared with what the kernels computed.

    Example: "tinygrad-cnn explain derive lenet5 C3.weight --index 2,0,1,1 --batch-size 2".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.errors import OptionError

    forms = ("text", "markdown", "latex", "python")
    if form not in forms:
        raise OptionError(f"--form: it is one of {', '.join(forms)}; got {form!r}")
    place = place_of(index)
    with at_work(asked["model"]):
        run = prepare(**asked)
        with explanations.record(keep="arrays"):
            loss = run.once()
        found = explanations.derive(loss, value, place, numbers=numbers, complete=complete)
    click.echo(getattr(found, form)())
    found.check()
    return 0
