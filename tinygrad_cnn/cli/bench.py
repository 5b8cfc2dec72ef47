"""``tinygrad-cnn bench``: what is asked for; :mod:`tinygrad_cnn.lab` measures it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinygrad_cnn.cli.bench_curve import curve

if TYPE_CHECKING:
    from tinygrad_cnn.lab import Effort, Row

__all__ = ["bench"]

# Seconds for each contestant in each discipline, and calls at the least
_QUICK = 0.05, 1
_BRIEF = 0.1, 3
_LONG = 0.3, 5
_LONG_STEPS = 2.0, 5

_OPTIONS = (
    click.option("--repeats", type=int, help="Timed calls; by default as many as time allows."),
    click.option("--threads", type=int, help="Of both; by default one for each core."),
    click.option("--quick", is_flag=True, help="Few calls: an impression and no measurement."),
    click.option(
        "--json", "json_file", type=click.Path(path_type=Path), help="Write all figures here."
    ),
)

_OF_NETWORKS = (
    click.option("--networks", metavar="NAMES", help="Those of them alone, with commas."),
    click.option("--no-pytorch", is_flag=True, help="Measure our own alone."),
)


def _measuring_ourselves(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all measurements have."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _measuring(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these, and those of measurements that set networks against PyTorch's."""
    command = _measuring_ourselves(command)
    for option in reversed(_OF_NETWORKS):
        command = option(command)
    return command


@click.group(invoke_without_command=True, short_help="Measure kernels and training steps.")
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="A.json B.json",
    help="Show the figures of two files side by side and measure nothing.",
)
@click.option(
    "--require-faster-than",
    metavar="VARIANT",
    help="Fail where this variant of a pass is faster than the one that runs by default.",
)
@click.pass_context
def bench(
    context: click.Context, compare: tuple[Path, Path] | None, require_faster_than: str | None
) -> None:
    """Measure convolutions ("conv"), whole training steps ("train") or the data ("loader").

    And compare the first losses of a recipe with PyTorch's ("curve").

    Without a command: our variants against each other on three layers of ResNet-20, in a few
    seconds. Everybody's results are compared before anything is timed; then all take turns,
    and the median is kept. Ratios within one run mean something, absolute figures of a shared
    machine do not.

    Examples: "tinygrad-cnn bench", "tinygrad-cnn bench conv --networks lenet5,resnet20",
    "tinygrad-cnn bench train --json today.json",
    "tinygrad-cnn bench --compare yesterday.json today.json".
    """
    if context.invoked_subcommand is not None:
        if compare or require_faster_than:
            raise click.UsageError("--compare and --require-faster-than stand alone.", context)
        return
    if compare:
        _compare(*compare)
        return
    if require_faster_than is not None:
        _require_known(require_faster_than)
    with _session(None, quick=False, repeats=None, long=_BRIEF) as (effort, machine, progress):
        from tinygrad_cnn.lab import benchmark_conv, conv_layers

        chosen = dict(list(conv_layers(["resnet20"]).items())[1:4])
        rows = benchmark_conv(
            chosen, effort=effort, peak=machine["peak_gflops"], with_pytorch=False,
            progress=progress,
        )  # fmt: skip
    _show_conv(rows, machine)
    if require_faster_than is not None:
        _require(require_faster_than, rows)


@bench.command(short_help="The passes of every convolution of seven networks.")
@_measuring
def conv(networks: str | None, no_pytorch: bool, json_file: Path | None, **asked: Any) -> None:
    """Measure the three passes of every distinct convolution of seven networks.

    Of each pass: our default, our other variants, and PyTorch in both layouts where it is
    installed. GFLOP/s count two for each multiply-add of the definition, whatever a kernel
    really does; peak is what this machine reached in registers alone. Packing of weights and
    memory for results are included. im2col runs on NumPy's BLAS, whose threads are its own.

    NAMES: lenet5, lab11_cnn2, lab11_cnn3, resnet20, allcnn_c, vgg16 (on 32x32), resnet18.
    """
    names = _names(networks)
    with _session(**asked) as (effort, machine, progress):
        from tinygrad_cnn.lab import benchmark_conv, conv_layers

        layers = conv_layers(names)
        rows = benchmark_conv(
            layers, effort=effort, peak=machine["peak_gflops"],
            with_pytorch=False if no_pytorch else None, progress=progress,
        )  # fmt: skip
    _write(json_file, machine, rows)
    _show_conv(rows, machine)


@bench.command(short_help="Whole steps of training and inference of five networks.")
@_measuring
@click.option("--no-memory", is_flag=True, help="Leave out peak memory.")
def train(
    networks: str | None, no_pytorch: bool, no_memory: bool, json_file: Path | None, **asked: Any
) -> None:
    """Measure whole steps of training and inference of five networks.

    A step of training: forward, cross entropy, backward, SGD with momentum. Ours, fused where
    there is nn.fuse, and the same network in PyTorch in both layouts where it is installed;
    with images per second, and the peak memory of five steps in a process of its own.

    NAMES: lenet5 (1 and 64 images), lab11_cnn2 (100), resnet20 (128), allcnn_c (128), vgg11
    (64, on CIFAR's 32x32).
    """
    names = _names(networks)
    with _session(**asked, long=_LONG_STEPS) as (effort, machine, progress):
        from tinygrad_cnn.lab import benchmark_train, train_subjects

        rows = benchmark_train(
            train_subjects(names), effort=effort, threads=machine["threads"],
            with_memory=not no_memory, with_pytorch=False if no_pytorch else None,
            progress=progress,
        )  # fmt: skip
    _write(json_file, machine, rows)
    _show_train(rows, machine)


@bench.command(short_help="Batches made by the data loader, and training beside it.")
@_measuring_ourselves
def loader(json_file: Path | None, **asked: Any) -> None:
    """Measure how fast the data loader makes batches, and what that costs a training step.

    An epoch of 50,000 images of 3x32x32, cut out at random places, half of them mirrored, and
    normalised, in batches of 128, with no, one and two worker threads. Then steps of ResNet-20
    on these batches, and on one that lies ready. The same for LeNet-5, the fastest network, with
    shifts and with elastic distortions, the slowest transform.
    """
    with _session(**asked, long=_LONG_STEPS) as (effort, machine, progress):
        from tinygrad_cnn.lab import benchmark_loader

        rows = benchmark_loader(effort=effort, progress=progress)
    _write(json_file, machine, rows)
    _show_loader(rows, machine)


bench.add_command(curve)


def _names(text: str | None) -> list[str]:
    """Return the names in a list with commas; none at all stand for all networks."""
    if text is None:
        return []
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise click.UsageError(
            f"--networks names one or more of them, with commas; got {text!r}. Leave it out to "
            "measure all."
        )
    return names


@contextmanager
def _session(
    threads: int | None, quick: bool, repeats: int | None, long: tuple[float, int] = _LONG
) -> Iterator[tuple["Effort", dict[str, Any], Callable[[str, int, int], None]]]:
    """Set the threads, look at the machine, and show what is going on in one line."""
    from tinygrad_cnn.lab import Effort, machine_facts, on_threads
    from tinygrad_cnn.train import Display

    with on_threads(threads) as count, Display().waiting("measuring") as say:
        from tinygrad_cnn.kernels.jit import on_compile

        now = ""

        def progress(text: str, done: int, total: int) -> None:
            nonlocal now
            now = f"({done + 1} of {total}) {text}"
            say(now)

        with on_compile(lambda name: say(f"{now}: compiling {name} …")):
            machine = machine_facts(count)
            seconds, fewest = _QUICK if quick else long
            yield Effort(seconds, repeats, fewest), machine, progress


def _write(json_file: Path | None, machine: dict[str, Any], rows: list["Row"]) -> None:
    if json_file is not None:
        from tinygrad_cnn.lab import write_rows

        write_rows(json_file, machine, rows)


def _show_conv(rows: list["Row"], machine: dict[str, Any]) -> None:
    from tinygrad_cnn.cli.bench_tables import conv_report

    conv_report(rows, machine)


def _show_train(rows: list["Row"], machine: dict[str, Any]) -> None:
    from tinygrad_cnn.cli.bench_tables import train_report

    train_report(rows, machine)


def _show_loader(rows: list["Row"], machine: dict[str, Any]) -> None:
    from tinygrad_cnn.cli.bench_tables import loader_report

    loader_report(rows, machine)


def _compare(first: Path, second: Path) -> None:
    from tinygrad_cnn.cli.bench_tables import comparison_report
    from tinygrad_cnn.lab import compare, read_rows

    machine, before = read_rows(first)
    other_machine, after = read_rows(second)
    comparison_report(compare(before, after), (first, machine), (second, other_machine))


def _require_known(variant: str) -> None:
    """Refuse a variant that no pass of a convolution has, before anything is measured."""
    from tinygrad_cnn.errors import unknown_name
    from tinygrad_cnn.kernels.registry import variants
    from tinygrad_cnn.lab.conv_benchmark import PASSES

    known = {kernel.variant for step in PASSES for kernel in variants(step)}
    if variant not in known:
        raise unknown_name("bench", variant, sorted(known))


def _require(variant: str, rows: list["Row"]) -> None:
    from tinygrad_cnn.errors import OptionError
    from tinygrad_cnn.lab.rows import OURS

    default = {row.key[:3]: row for row in rows if row.who == OURS}
    rivals = [row for row in rows if row.facts["variant"] == variant]
    if not rivals:
        raise OptionError(f"bench: a variant of that name is measured; got {variant!r}")
    for rival in rivals:
        mine = default[rival.key[:3]]
        if rival.seconds < mine.seconds:
            raise click.ClickException(
                f"{rival.step}, {rival.subject}: the default is at least as fast as {variant}; "
                f"got {mine.facts['variant']} in {1e3 * mine.seconds:.2f} ms against "
                f"{1e3 * rival.seconds:.2f}"
            )
