"""How often a diagnosis is right: every fault in random networks, and networks without one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.faults.catalogue import FAULTS
from tinygrad_cnn.explain.faults.diagnose import diagnose
from tinygrad_cnn.explain.faults.diagnosis import Diagnosis, counted
from tinygrad_cnn.explain.faults.fault import Fault
from tinygrad_cnn.explain.faults.patterns import residual
from tinygrad_cnn.explain.faults.random_nets import RandomNet
from tinygrad_cnn.explain.faults.seeded import seeded
from tinygrad_cnn.explain.faults.step_diagnosis import diagnose_training
from tinygrad_cnn.explain.faults.switch import fault, find
from tinygrad_cnn.explain.faults.watching import Array, Visit, watch
from tinygrad_cnn.optim import SGD

__all__ = ["HitRate", "hit_rate"]

NONE = "no fault"
TRIES = 8  # networks that are drawn until a fault shows in one


@dataclass(frozen=True)
class Row:
    """One fault, over all networks in which it changed any number.

    Attributes
    ----------
    fault : str
    nets, found, first, among_three : int
        Networks; those in which something was found wrong; those in which the fault was named
        first, and among the first three.
    missed : tuple of str
        Seed and verdict of those in which it was not named first.
    """

    fault: str
    nets: int
    found: int
    first: int
    among_three: int
    missed: tuple[str, ...] = ()


@dataclass(frozen=True)
class HitRate:
    """A table of hits, with networks without a fault in its last row."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> float:
        """Share of networks with a fault in which it was named first."""
        return _share(self._faulty(), "first")

    @property
    def among_three(self) -> float:
        """Share in which it was among the first three."""
        return _share(self._faulty(), "among_three")

    @property
    def false_alarms(self) -> int:
        """Networks without a fault in which one was found."""
        return sum(row.found for row in self.rows if row.fault == NONE)

    def _faulty(self) -> list[Row]:
        return [row for row in self.rows if row.fault != NONE]

    def __str__(self) -> str:
        wide = max(len(row.fault) for row in self.rows)
        lines = [f"{'fault':{wide}}   nets  found  first  among three"]
        for row in self.rows:
            named = f"  {row.first:5d}  {row.among_three:11d}" if row.fault != NONE else ""
            lines.append(f"{row.fault:{wide}}  {row.nets:5d}  {row.found:5d}{named}")
        lines.append(self.says)
        for row in self.rows:
            lines += [f"  {row.fault}: {missed}" for missed in row.missed]
        return "\n".join(lines)

    @property
    def says(self) -> str:
        """The rates, in a sentence."""
        nets = sum(row.nets for row in self._faulty())
        clean = sum(row.nets for row in self.rows if row.fault == NONE)
        return (
            f"{counted(nets, 'network')} with a fault: {self.first:.1%} named first, "
            f"{self.among_three:.1%} among the first three; {counted(clean, 'network')} without: "
            f"{counted(self.false_alarms, 'false alarm')}"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(row.fault)}</td><td>{row.nets}</td><td>{row.found}</td>"
            f"<td>{row.first}</td><td>{row.among_three}</td></tr>"
            for row in self.rows
        )
        return (
            "<table><thead><tr><th>fault</th><th>nets</th><th>found</th><th>first</th>"
            f"<th>among three</th></tr></thead><tbody>{rows}</tbody></table><p>{self.says}</p>"
        )


def _share(rows: Sequence[Row], what: str) -> float:
    nets = sum(row.nets for row in rows)
    return sum(getattr(row, what) for row in rows) / nets if nets else 0.0


def hit_rate(
    nets: int = 5,
    seed: int = 0,
    faults: Iterable[str] | None = None,
    on_fault: Callable[[str], None] | None = None,
) -> HitRate:
    """Switch faults on in random networks, diagnose each, and count.

    Parameters
    ----------
    nets : int
        Networks for each fault, and without one as many for each of them. What a fault would not
        change by any number, such as a turned kernel of one pixel, is drawn again.
    seed : int
    faults : iterable of str, optional
        Names; all by default.
    on_fault : callable, optional
        Called with the name of each when it is done.

    Returns
    -------
    HitRate
        ``print`` shows the table.

    Raises
    ------
    OptionError
        If `nets` is not a number from 1 up, or `seed` not one from 0 up.
    UnknownNameError
        If a fault is none.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> print(tg.explain.hit_rate(1, faults=["loss_sign_turned"]))
    fault              nets  found  first  among three
    loss_sign_turned      1      1      1            1
    no fault              1      0
    1 network with a fault: 100.0% named first, 100.0% among the first three; 1 network without: \
0 false alarms
    """
    if not isinstance(nets, int) or isinstance(nets, bool) or nets < 1:
        raise OptionError(f"hit_rate: nets is a whole number from 1 up; got {nets!r}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise OptionError(f"hit_rate: seed is a whole number from 0 up; got {seed!r}")
    chosen = [find(name, "hit_rate") for name in (FAULTS if faults is None else faults)]
    rows, alarms, clean = [], [], 0
    for place, one in enumerate(chosen):
        diagnoses = []
        for k in range(nets):
            start = seed + 1000 * (place * nets + k)
            with_it, without = _tried(one, start)
            if with_it is not None:
                diagnoses.append((start, with_it))
            if without is not None:
                clean += 1
                if without.found:
                    alarms.append(f"seed {start}: {without.verdict}")
        rows.append(_row(one.name, diagnoses))
        if on_fault is not None:
            on_fault(one.name)
    rows.append(Row(NONE, clean, len(alarms), 0, 0, tuple(alarms)))
    return HitRate(tuple(rows))


def _row(name: str, diagnoses: Sequence[tuple[int, Diagnosis]]) -> Row:
    first = three = found = 0
    missed = []
    for start, diagnosis in diagnoses:
        named = [candidate.fault for candidate in diagnosis.candidates]
        found += diagnosis.found
        three += name in named[:3]
        if diagnosis.fault == name:
            first += 1
        else:
            missed.append(f"seed {start}: {diagnosis.verdict}")
    return Row(name, len(diagnoses), found, first, three, tuple(missed))


def _tried(one: Fault, start: int) -> tuple[Diagnosis | None, Diagnosis | None]:
    """Diagnose a network with the fault, and the same without; None where it shows in none."""
    for seed in range(start, start + TRIES):
        with seeded(seed):
            found = _of_steps(one, seed) if one.kind == "step" else _of_rules(one, seed)
        if found is not None:
            return found
    return None, None


def _of_rules(one: Fault, seed: int) -> tuple[Diagnosis, Diagnosis] | None:
    net = RandomNet(seed, one.touches)
    if not _shows(one, net):
        return None
    with fault(one.name):
        with_it = diagnose(net)
    return with_it, diagnose(net)


def _shows(one: Fault, net: RandomNet) -> bool:
    """Tell whether a fault changes any number by more than rounding."""
    right = watch(net)
    with fault(one.name):
        wrong = watch(net)
    wrong.restore()
    right.restore()
    pairs = zip(_signals(right.walked()), _signals(wrong.walked()), strict=True)
    return any(residual(sent, due) > 0.01 for due, sent in pairs)


def _signals(walked: Sequence[Visit]) -> list[Array]:
    return [signal for visit in walked for signal in visit.sent().values()]


def _is_alive(seed: int) -> bool:
    """Tell whether any gradient reaches the first half of a network; some have dead units."""
    net = RandomNet(seed)
    net().backward()
    first = net.parameters[: (len(net.parameters) + 1) // 2]
    return any(one.grad is not None and bool(one.grad.numpy().any()) for one in first)


def _of_steps(one: Fault, seed: int) -> tuple[Diagnosis, Diagnosis] | None:
    if not _is_alive(seed):
        return None
    drawn = np.random.default_rng(seed)
    options: dict[str, Any] = {
        "lr": float(drawn.choice([0.01, 0.05, 0.1])),
        "momentum": float(drawn.choice([0.5, 0.9])),
        "weight_decay": float(drawn.choice([1e-3, 1e-2])),
    }

    def run() -> Diagnosis:
        net = RandomNet(seed)
        optimiser = SGD(net.parameters, **options)

        def step() -> None:
            optimiser.zero_grad()
            net().backward()
            optimiser.step()

        return diagnose_training(step, net.parameters)

    with fault(one.name):
        with_it = run()
    return with_it, run()
