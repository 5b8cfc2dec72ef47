"""``tinygrad-cnn explain atlas``: error signals of a whole network, or of several, on one page."""

from pathlib import Path
from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work, bar
from tinygrad_cnn.cli.explain_commands.explained_run import prepare, run_options
from tinygrad_cnn.cli.explain_commands.target import require_folder

__all__ = ["atlas"]


@click.command()
@click.argument("model_and_file", nargs=-1, metavar="[MODEL] FILE")
@run_options
@click.option("--preset", metavar="NAME", help="Compare networks: see the list above.")
@click.option("--steps", type=int, help="Of training, with --preset; by default the preset's.")
@click.option("--full", is_flag=True, help="With --preset: as wide as published. Takes minutes.")
@click.option("--image", type=int, default=0, show_default=True, help="Of the batch, for maps.")
@click.option("--channels", metavar="LIST", help="For maps, such as 0,3; else the strongest three.")
@click.option("--lr", type=float, help="η for ‖η ∇w‖/‖w‖; without --preset.")
def atlas(
    model_and_file: tuple[str, ...],
    preset: str | None,
    steps: int | None,
    full: bool,
    image: int,
    channels: str | None,
    lr: float | None,
    **asked: Any,
) -> int:
    """Show δ of every element of MODEL's run on one page, FILE.html.

    Maps of the error signals, ‖δ‖ by depth, updates against weights, dead and saturated units.
    FILE.svg has the curves alone, FILE.txt the figures.

    With --preset, FILE alone is given, and networks are compared at initialisation and over
    training: lenet5-sigmoid-relu, plain34-resnet34, plain56-resnet56, batch-norm, se-gates.

    Examples: "tinygrad-cnn explain atlas lenet5 lenet5.html --lr 0.01",
    "tinygrad-cnn explain atlas --preset plain56-resnet56 depth.html".
    """
    from tinygrad_cnn import explain as explanations

    shown: dict[str, Any] = {"image": image, "channels": _places(channels)}
    if preset is None:
        model, path = _targets(model_and_file, "MODEL", "FILE")
        _refuse(("steps", steps), ("full", full or None), needs="--preset")
        with at_work(model):
            run = prepare(model, **asked)
            with explanations.record_excerpts(**shown):
                loss = run.once()
            found = explanations.atlas({model: loss}, **shown, lr=lr, title=run.told)
    else:
        (path,) = _targets(model_and_file, "FILE")
        _refuse(("lr", lr), ("twin", asked["twin"] or None), needs="MODEL")
        found = _compared(preset, steps, full, shown, asked)
    found.save(path)
    click.echo(f"{str(found).partition(chr(10) * 2)[0]}\n")
    click.echo(str(found).split("\n\n")[1])
    click.echo(f"\nwritten to {path}")
    return 0


def _compared(
    preset: str, steps: int | None, full: bool, shown: dict[str, Any], asked: dict[str, Any]
) -> Any:
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.cli.model_options import MODEL_OPTIONS
    from tinygrad_cnn.explain.atlas.presets import preset as known

    _refuse(*((name, asked[name]) for name in (*MODEL_OPTIONS, "split")), needs="MODEL")
    chosen = known(preset)  # refused before anything is shown
    count = len(chosen.sides) * (1 + (steps if steps is not None else 0 if full else chosen.steps))
    with bar(preset, count) as advance:
        return explanations.compare_networks(
            preset, steps=steps, full=full, batch_size=asked["batch_size"], seed=asked["seed"],
            data_name=asked["data"] or "digits", data_dir=asked["data_dir"],
            progress=lambda text, done, total: advance(done, text), **shown,
        )  # fmt: skip


def _targets(given: tuple[str, ...], *wanted: str) -> tuple[str, ...]:
    """Return MODEL, where one is wanted, and FILE; refused before anything is computed."""
    from tinygrad_cnn.errors import OptionError

    if len(given) != len(wanted):
        raise OptionError(
            "explain atlas: it takes MODEL and FILE, or with --preset FILE alone; got "
            f"{' '.join(given) or 'neither'}"
        )
    if Path(given[-1]).suffix not in (".html", ".svg", ".txt"):
        raise OptionError(f"explain atlas: FILE ends in .html, .svg or .txt; got {given[-1]!r}")
    require_folder("explain atlas", Path(given[-1]))
    return given


def _refuse(*given: tuple[str, Any], needs: str) -> None:
    from tinygrad_cnn.errors import OptionError

    for name, value in given:
        if value is not None:
            raise OptionError(f"--{name.replace('_', '-')}: it goes with {needs}; got {value}")


def _places(channels: str | None) -> int | tuple[int, ...]:
    from tinygrad_cnn.errors import OptionError

    if channels is None:
        return 3
    try:
        return tuple(int(number) for number in channels.split(","))
    except ValueError:
        raise OptionError(
            f"--channels: they are whole numbers with commas, such as 0,3; got {channels!r}"
        ) from None
