"""``tinygrad-cnn explain diagnose``: where a chain rule breaks, from numbers alone."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import (
    ExplainedRun,
    explained_run_options,
    prepare,
)

__all__ = ["diagnose"]

OPTIONS: dict[str, Any] = {
    "lr": 1e-3,
    "momentum": 0.9,
    "weight_decay": 1e-3,
}  # of the steps that are watched


@click.command()
@explained_run_options
@click.option("--fault", metavar="NAME", help="Switch this mistake on; the diagnosis is not told.")
@click.option(
    "--gradients",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Judge these: an .npz of another program, with the parameters' names.",
)
def diagnose(fault: str | None, gradients: Path | None, **asked: Any) -> int:
    """Find out where the chain rule of MODEL breaks, and by which mistake.

    One pass and three steps of SGD with momentum and weight decay are watched.

    Example: "tinygrad-cnn explain diagnose lenet5 --fault kernel_not_turned --batch-size 4".
    """
    from tinygrad_cnn import explain
    from tinygrad_cnn.explain.faults.switch import find

    chosen = find(fault, "explain diagnose") if fault is not None else None
    given = None if gradients is None else _loaded(gradients)
    with at_work(asked["model"]):
        run = prepare(**asked)
    click.echo(run.told)
    broken = nullcontext() if fault is None or given is not None else explain.fault(fault)
    with at_work("measuring each element"), broken:
        found = explain.diagnose(run.once, given)
    click.echo(str(found))
    if given is not None:
        return 0
    with at_work("watching three steps"), nullcontext() if fault is None else explain.fault(fault):
        steps = _steps(run)
    click.echo(str(steps))
    if chosen is not None and not found.found and not steps.found:
        click.echo(
            f"{chosen.name} changes nothing here: it touches {', '.join(chosen.touches)}"
            + (f", and is not seen with {chosen.unseen}" if chosen.unseen else "")
        )
    return 0


def _steps(run: ExplainedRun) -> Any:
    from tinygrad_cnn import explain
    from tinygrad_cnn.optim import SGD

    optimiser = SGD(run.network.parameters(), **OPTIONS)
    for parameter in run.network.parameters():
        parameter.grad = None

    def step() -> None:
        optimiser.zero_grad()
        run.once()
        optimiser.step()

    return explain.diagnose_training(step, run.network.parameters())


def _loaded(file: Path) -> dict[str, Any]:
    import numpy as np

    from tinygrad_cnn.errors import DataError

    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, AttributeError) as problem:
        raise DataError(
            f"explain diagnose: gradients are an .npz file of numpy.savez; got {file} ({problem})"
        ) from None
