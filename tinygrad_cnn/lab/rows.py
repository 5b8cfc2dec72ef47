"""What benchmarks find: rows of figures, files of them, and two files side by side."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tinygrad_cnn.errors import DataError

FORMAT = "tinygrad_cnn bench 1"

#: What a row of the kernel, or the form of a network, is called that runs without asking.
OURS = "ours"

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Row:
    """One figure.

    Parameters
    ----------
    benchmark : {"conv", "train", "loader"}
    subject : str
        The convolution, or the network with its batch.
    step : str
        Pass of the convolution, "training" or "inference"; or what of loading is timed.
    who : str
        :data:`OURS`; "ours, <variant>" for what runs only when asked for; or "pytorch, "
        and its layout; of loading, how many threads.
    seconds, low, high : float
        Median and quartiles.
    repeats : int
    facts : dict
        What else was measured or counted.
    """

    benchmark: str
    subject: str
    step: str
    who: str
    seconds: float
    low: float
    high: float
    repeats: int
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What names the row in any file."""
        return self.benchmark, self.subject, self.step, self.who

    @property
    def is_pytorch(self) -> bool:
        """Whether it is PyTorch's time."""
        return self.who.startswith("pytorch")


def geometric_mean(ratios: Iterable[float]) -> float:
    """Return the geometric mean; NaN of nothing.

    Examples
    --------
    >>> geometric_mean([0.5, 2.0])
    1.0
    """
    logarithms = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else math.nan


def write_rows(path: Path, machine: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write a file that :func:`read_rows` reads."""
    content = {"format": FORMAT, "machine": machine, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_rows(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Return the machine and the rows of a file.

    Raises
    ------
    DataError
        If it is no file that a benchmark has written.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}")
        rows = [Row(**row) for row in content["rows"]]
        if not all(row.seconds > 0 for row in rows):
            raise ValueError("a time that is not above zero")
        return dict(content["machine"]), rows
    except (ValueError, TypeError, KeyError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"bench: figures are read from files that 'bench --json' wrote ({FORMAT}); got "
            f"{path}: {reason}"
        ) from None


class Comparison(NamedTuple):
    """Two files: (row of the first, row of the second) for each common key, and the rest."""

    pairs: list[tuple[Row, Row]]
    only_first: list[Row]
    only_second: list[Row]

    @property
    def speed(self) -> float:
        """How many times as fast our own rows are in the second file: geometric mean."""
        ours = [pair for pair in self.pairs if pair[0].who == OURS]
        return geometric_mean(before.seconds / after.seconds for before, after in ours)


def compare(first: Sequence[Row], second: Sequence[Row]) -> Comparison:
    """Join the rows of two files by what they measure."""
    before, after = {row.key: row for row in first}, {row.key: row for row in second}
    return Comparison(
        [(before[key], after[key]) for key in before if key in after],
        [row for key, row in before.items() if key not in after],
        [row for key, row in after.items() if key not in before],
    )
