"""What ``tinygrad-cnn bench`` prints: tables, and what they come to."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tinygrad_cnn.lab import Comparison, Row, summarise_conv, summarise_train
from tinygrad_cnn.lab.rows import OURS

__all__ = ["comparison_report", "conv_report", "loader_report", "train_report"]

_FEWEST = 3  # calls that have quartiles
_NUMBERS = 100  # columns that a table takes where nobody looks at a terminal


def conv_report(rows: Sequence[Row], machine: dict[str, Any]) -> None:
    """Print the rows of :func:`tinygrad_cnn.lab.benchmark_conv`, a table for each shape."""
    console = _console()
    for subject in dict.fromkeys(row.subject for row in rows):
        mine = [row for row in rows if row.subject == subject]
        table = _table("pass", "who", "ms", "spread", "GFLOP/s", "of peak", "we are")
        table.title = f"{subject}  ({', '.join(mine[0].facts['networks'])})"
        for row in mine:
            table.add_row(
                row.step.removeprefix("conv2d_") if row.who == OURS else "",
                _who(row),
                f"{1e3 * row.seconds:.3f}",
                _spread(row),
                f"{row.facts['gflops']:.1f}",
                f"{row.facts['share_of_peak']:.0%}" if "share_of_peak" in row.facts else "",
                _against(row, mine),
            )
        console.print(table)
    summary = summarise_conv(rows)
    lines = _machine_lines(machine)
    if not math.isnan(summary.ratio):
        passes = ", ".join(
            f"{step.removeprefix('conv2d_')} {ratio:.2f}" for step, ratio in summary.by_pass.items()
        )
        lines.append(f"against PyTorch's faster layout, geometric mean: x {summary.ratio:.2f}")
        lines.append(f"  each pass alone: {passes}")
        if summary.worst_subject:
            lines.append(f"  slowest with 16 channels or more: x {summary.worst:.2f}, "
                         f"{summary.worst_subject}")  # fmt: skip
    elif machine["pytorch"] is None:
        lines.append(_WITHOUT_PYTORCH)
    shares = {"direct without padding": summary.best_share, "Winograd": summary.best_winograd}
    for name, share in shares.items():
        if not math.isnan(share):
            lines.append(f"highest share of the peak, {name}: {share:.0%}")
    _say(console, lines)


def train_report(rows: Sequence[Row], machine: dict[str, Any]) -> None:
    """Print the rows of :func:`tinygrad_cnn.lab.benchmark_train`."""
    console = _console()
    table = _table("network", "step", "who", "ms", "spread", "images/s", "peak MB", "we are")
    ratios = {ratio[:3]: ratio for ratio in summarise_train(rows)}
    for row in rows:
        ratio, peak = ratios.get(row.key[1:]), row.facts.get("peak_bytes")
        against = ""
        if ratio is not None and not math.isnan(ratio.speed):
            against = f"x {ratio.speed:.2f}"
            against += "" if math.isnan(ratio.memory) else f", memory {ratio.memory:.2f}"
        first = row.who == OURS
        table.add_row(
            row.subject if first else "",
            row.step if first else "",
            row.who,
            f"{1e3 * row.seconds:.2f}",
            _spread(row),
            f"{row.facts['images_per_second']:,.0f}",
            "" if peak is None else f"{peak / 1e6:.0f}",
            against,
        )
    console.print(table)
    lines = _machine_lines(machine)
    if any(row.is_pytorch for row in rows):
        lines.append('"we are": times as fast as PyTorch\'s faster layout, and of its memory')
    elif machine["pytorch"] is None:
        lines.append(_WITHOUT_PYTORCH)
    _say(console, lines)


def loader_report(rows: Sequence[Row], machine: dict[str, Any]) -> None:
    """Print the rows of :func:`tinygrad_cnn.lab.benchmark_loader`."""
    console = _console()
    for step, subject in dict.fromkeys((row.step, row.subject) for row in rows):
        mine = [row for row in rows if (row.step, row.subject) == (step, subject)]
        table = _table("who", "ms", "spread", "images/s", "longer by")
        console.print(f"{step}: {subject}", soft_wrap=True)
        for row in mine:
            lost = row.facts.get("lost")
            table.add_row(
                row.who,
                f"{1e3 * row.seconds:.1f}",
                _spread(row),
                f"{row.facts['images_per_second']:,.0f}",
                "" if not lost else f"{100 * lost:.1f} %",
            )
        console.print(table)
    _say(console, _machine_lines(machine))


def comparison_report(
    found: Comparison, first: tuple[Path, dict[str, Any]], second: tuple[Path, dict[str, Any]]
) -> None:
    """Print two files side by side."""
    console = _console()
    table = _table("what", "step", "who", "ms before", "ms after", "times as fast")
    for before, after in found.pairs:
        table.add_row(
            before.subject,
            before.step.removeprefix("conv2d_"),
            before.who,
            f"{1e3 * before.seconds:.3f}",
            f"{1e3 * after.seconds:.3f}",
            f"x {before.seconds / after.seconds:.2f}",
        )
    console.print(table)
    lines = [f"{path}: {_machine_lines(machine)[0]}" for path, machine in (first, second)]
    if not math.isnan(found.speed):
        lines.append(f"ours, geometric mean: x {found.speed:.2f}")
    for (path, _), rows in ((first, found.only_first), (second, found.only_second)):
        lines += [f"only in {path}: {row.step}, {row.subject}, {row.who}" for row in rows]
    if not found.pairs:
        lines.append("the two files have nothing in common")
    _say(console, lines)


_WITHOUT_PYTORCH = "PyTorch is not installed: there is nothing to compare with"


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(
        width=_NUMBERS + 40, highlight=False, markup=False, emoji=False
    )  # fmt: skip


def _say(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _table(*titles: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, title_justify="left")
    for title in titles:
        words = title in ("pass", "who", "network", "step", "what")
        table.add_column(title, justify="left" if words else "right", no_wrap=True)
    return table


def _who(row: Row) -> str:
    if row.who == OURS:
        return f"{OURS}, {row.facts['variant']} (default)"
    return row.who


def _spread(row: Row) -> str:
    """Return how far the quartiles are apart, as a share of the median; two calls have none."""
    if row.repeats < _FEWEST:
        return "-"
    return f"± {50 * (row.high - row.low) / row.seconds:.0f} %"


def _against(row: Row, rows: Sequence[Row]) -> str:
    """Return how many times as fast as PyTorch's faster layout one of our variants is."""
    rivals = [other.seconds for other in rows if other.is_pytorch and other.step == row.step]
    return "" if row.is_pytorch or not rivals else f"x {min(rivals) / row.seconds:.2f}"


def _machine_lines(machine: dict[str, Any]) -> list[str]:
    versions = ", ".join(
        f"{title} {machine[name]}"
        for title, name in (("NumPy", "numpy"), ("Numba", "numba"), ("PyTorch", "pytorch"))
        if machine.get(name)
    )
    return [
        f"{machine['processor']}, {machine['vector_bits']}-bit vectors, "
        f"{machine['threads']} thread(s) for everybody, "
        f"measured peak {machine['peak_gflops']:.0f} GFLOP/s; {versions}"
    ]
