"""``tinygrad-cnn doctor``: what is found on this machine, and whether it works."""

import click

__all__ = ["doctor"]


@click.command(short_help="Look at versions, threads, caches and CUDA, and try some kernels.")
def doctor() -> int:
    """Look at versions, processor, threads, compiled kernels, data and CUDA, and try kernels.

    What costs time or does not work is marked, with its remedy; the exit code is 1 then.
    """
    from tinygrad_cnn.lab import examine
    from tinygrad_cnn.train import Display

    with Display().waiting("looking") as say:
        findings = examine(lambda about: say(f"looking at {about} …"))
    wide = [max(len(finding[column]) for finding in findings) for column in range(2)]
    about = ""
    for finding in findings:  # no table: paths are not cut, so that they can be copied
        heading, about = finding.about if finding.about != about else "", finding.about
        click.echo(f"{heading:{wide[0]}}  {finding.what:{wide[1]}}  {finding.value}")
        if finding.remedy:
            click.echo(f"{'':{sum(wide) + 4}}→ {finding.remedy}")
    troubles = sum(bool(finding.remedy) for finding in findings)
    click.echo(f"{troubles} to mend, marked →" if troubles else "nothing to mend")
    return 1 if troubles else 0
