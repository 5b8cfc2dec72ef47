"""What was found: where the chain rule breaks, and which fault it looks like."""

from dataclasses import dataclass
from html import escape

from tinygrad_cnn.explain.faults.catalogue import FAULTS

__all__ = ["CERTAIN", "Candidate", "Diagnosis", "Finding", "counted"]

CERTAIN = 0.999  # agreement from which on a fault is named: equal, but for rounding
SHOWN = 5


def counted(number: int, noun: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> counted(1, "fan-in"), counted(0, "gradient")
    ('1 fan-in', '0 gradients')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Candidate:
    """A fault that may explain what was found.

    Attributes
    ----------
    fault : str
        Its name.
    score : float
        Agreement of what it would give with what was seen: 1 is equal, but for rounding.
    evidence : str
    """

    fault: str
    score: float
    evidence: str

    def __str__(self) -> str:
        return f"{self.score:.3f}  {self.fault}: {self.evidence}"


@dataclass(frozen=True)
class Finding:
    """A place where the chain rule does not hold.

    Attributes
    ----------
    place : str
        The element, value or parameter.
    kind : {"rule", "sum", "step"}
        As of a :class:`~tinygrad_cnn.explain.faults.fault.Fault`.
    evidence : tuple of str
    """

    place: str
    kind: str
    evidence: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((f"{self.place}", *(f"    {line}" for line in self.evidence)))


@dataclass(frozen=True)
class Diagnosis:
    """What a diagnosis found.

    Attributes
    ----------
    looked_at : str
        What was judged, as "12 elements, 2 fan-ins, 8 gradients".
    findings : tuple of Finding
        In backward order: the first one is where the mistake is; what follows may be other places
        with the same one.
    candidates : tuple of Candidate
        The likeliest first.
    unjudged : tuple of str
        Places of which nothing could be said.
    notes : tuple of str
    """

    looked_at: str
    findings: tuple[Finding, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    unjudged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether something is wrong."""
        return bool(self.findings)

    @property
    def fault(self) -> str | None:
        """The name of the fault; None where nothing is wrong or no known fault explains it."""
        if self.found and self.candidates and self.candidates[0].score >= CERTAIN:
            return self.candidates[0].fault
        return None

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.found:
            return f"no fault found in {self.looked_at}"
        where = self.findings[0].place
        if self.fault is None:
            return f"wrong at {where}, in a way that is none of the known faults"
        return f"{self.fault}, first at {where}"

    def __str__(self) -> str:
        lines = [f"diagnosis: {self.verdict}"]
        if self.fault is not None:
            told = FAULTS[self.fault]
            lines += [f"  {told.says}", f"  right    {told.right}", f"  wrong    {told.wrong}"]
            lines += [f"  mistake  {told.mistake}"]
        if self.found:
            lines += ["", f"looked at {self.looked_at}; wrong: {len(self.findings)}"]
            lines += [f"  {finding}" for finding in self.findings[:SHOWN]]
            if len(self.findings) > SHOWN:
                lines.append(f"  and {len(self.findings) - SHOWN} more")
        if self.candidates:
            lines += ["", "candidates (1 is equal to what was seen)"]
            lines += [f"  {candidate}" for candidate in self.candidates[:SHOWN]]
        if self.unjudged:
            lines.append(f"not judged: {', '.join(self.unjudged)}")
        return "\n".join((*lines, *(f"note: {note}" for note in self.notes)))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{candidate.score:.3f}</td><td><code>{escape(candidate.fault)}</code></td>"
            f"<td>{escape(candidate.evidence)}</td></tr>"
            for candidate in self.candidates[:SHOWN]
        )
        table = (
            "<table><thead><tr><th>agreement</th><th>fault</th><th>evidence</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )
        places = "".join(
            f"<li><code>{escape(found.place)}</code>: {escape('; '.join(found.evidence))}</li>"
            for found in self.findings[:SHOWN]
        )
        parts = [f"<p><b>{escape(self.verdict)}</b></p>"]
        if self.fault is not None:
            parts.append(f"<p>{escape(FAULTS[self.fault].says)}</p>")
        return "".join([*parts, f"<ol>{places}</ol>" if places else "", table if rows else ""])
