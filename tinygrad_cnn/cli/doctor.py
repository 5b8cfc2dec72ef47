"""``tinygrad-cnn doctor``: what is found on this machine, and whether it works."""

import click

__all__ = ["doctor"]


@click.command(short_help="Look at versions, threads, caches and CUDA, and try some kernels.")
def doctor() -> int:
    """Look at versions, processor, threads, compiled kernels, data and CUDA, and try kernels.

    What costs time or does not work is marked, with its remedy; the exit code is 1 then.
    """
    from rich.console import Console
    from rich.table import Table

    from tinygrad_cnn.lab import examine
    from tinygrad_cnn.train import Display

    with Display().waiting("looking") as say:
        findings = examine(lambda about: say(f"looking at {about} …"))
    table = Table(box=None, show_header=False, pad_edge=False)
    about = ""
    for finding in findings:
        heading, about = finding.about if finding.about != about else "", finding.about
        table.add_row(heading, finding.what, finding.value)
        if finding.remedy:
            table.add_row("", "", f"→ {finding.remedy}")
    Console(highlight=False, markup=False).print(table, soft_wrap=True)
    troubles = sum(bool(finding.remedy) for finding in findings)
    click.echo(f"{troubles} to mend, marked →" if troubles else "nothing to mend")
    return 1 if troubles else 0
