"""``tinygrad-cnn explain faults``: the mistakes that can be switched on."""

import click

__all__ = ["faults"]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def faults(names: tuple[str, ...]) -> int:
    """List the mistakes in the chain rule that can be switched on.

    With names, what each does to its equation, and how one comes to make it.

    Example: "tinygrad-cnn explain faults kernel_not_turned".
    """
    from tinygrad_cnn.explain import FAULTS
    from tinygrad_cnn.explain.faults.switch import find

    if names:
        click.echo("\n\n".join(str(find(name, "explain faults")) for name in names))
        return 0
    wide = max(map(len, FAULTS))
    for fault in FAULTS.values():
        click.echo(f"{fault.name:{wide}}  {fault.says}")
    return 0
