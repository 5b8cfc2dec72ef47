"""What ``tinygrad-cnn ensemble`` prints: accuracies, and the images behind their differences."""

from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.cli.tables import plain_table
from tinygrad_cnn.train.ensemble import EnsembleResult
from tinygrad_cnn.train.paired import PairedAnswers, paired

__all__ = ["facts", "report", "warning"]

_CHANGES = ("mended", "spoiled", "points", "p-value")
_LEGEND = (
    "mended: wrong before, right now; spoiled: right before, wrong now; p-value: how often a fair\n"
    "coin would divide so many images at least as unevenly (McNemar's exact test)"
)


def report(runs: Sequence[str], plain: EnsembleResult, result: EnsembleResult, crops: int) -> str:
    """Return the tables: each network and all of them, with one view and with several.

    Parameters
    ----------
    runs : sequence of str
        What the networks are called.
    plain, result : EnsembleResult
        With one view of each image, and with `crops` views; the same where that is one.
    crops : int

    Returns
    -------
    str
        Its last line sums up.
    """
    together = f"{len(runs)} networks together"
    parts = [_accuracies(runs, plain, result, crops)]
    if len(runs) > 1:
        seen = f", {crops} views," if crops > 1 else ""
        parts.append(f"{together}{seen} in place of one network{_one_view(crops)}:")
        parts.append(_changes(runs, plain, result))
    if len(runs) > 1 or crops > 1:
        parts.append(_LEGEND)
    before, after = _mean(plain), result.average
    asked = "1 network" if len(runs) == 1 else together
    parts.append(
        f"{asked}, {'1 view' if crops == 1 else f'{crops} views'}: {100 * after.accuracy:.2f} %; "
        f"against one network and one view {100 * (after.accuracy - before):+.2f} points; "
        f"{after.total - after.correct} of {after.total:,} wrong in place of "
        f"{(1 - before) * after.total:.1f}; cross entropy {after.loss:.4f} in place of "
        f"{_mean_loss(plain):.4f}"
    )
    return "\n\n".join(parts)


def facts(
    runs: Sequence[str], plain: EnsembleResult, result: EnsembleResult, crops: int
) -> dict[str, Any]:
    """Return the same as plain values, for ``--json``; parameters as of :func:`report`."""
    by_views = [*zip(plain.members_right, result.members_right, strict=True)]
    return {
        "members": [
            {
                "run": run,
                "accuracy": plain.members[place].accuracy,
                "accuracy_with_views": result.members[place].accuracy,
                "changed_by_views": _counts(paired(*by_views[place])),
                "changed_by_all": _counts(paired(plain.members_right[place], result.right)),
            }
            for place, run in enumerate(runs)
        ],
        "crops": crops,
        "images": result.average.total,
        "accuracy_with_one_view": plain.average.accuracy,
        "accuracy": result.average.accuracy,
        "changed_by_views": _counts(paired(plain.right, result.right)),
        "loss": result.average.loss,
        "mean_loss": _mean_loss(plain),
        "improvement": result.average.accuracy - _mean(plain),
    }


def warning(runs: Sequence[str], unseen: Sequence[Sequence[str]]) -> str:
    """Return a line about views that networks were not trained on; empty without any.

    Parameters
    ----------
    runs : sequence of str
        What the networks are called.
    unseen : sequence of sequences of str
        Of each, see :func:`tinygrad_cnn.train.ensemble.unseen_views`.

    Examples
    --------
    >>> warning(["a", "b", "c"], [["mirror images"], [], ["mirror images"]])
    'a, c: not trained on mirror images, so such views may harm more than they help'
    """
    named = [run for run, what in zip(runs, unseen, strict=True) if what]
    what = dict.fromkeys(words for of in unseen for words in of)
    if not named:
        return ""
    return (
        f"{', '.join(named)}: not trained on {', nor on '.join(what)}, so such views may harm "
        "more than they help"
    )


def _accuracies(
    runs: Sequence[str], plain: EnsembleResult, result: EnsembleResult, crops: int
) -> str:
    """Tell every accuracy; with several views also which images these changed."""
    both = (plain, result) if crops > 1 else (plain,)
    columns = ["network", "one view", *([f"{crops} views", *_CHANGES] if crops > 1 else [])]
    rows = [
        [
            run,
            *(str(of.members[place]) for of in both),
            *_cells(plain.members_right[place], result.members_right[place], crops > 1),
        ]
        for place, run in enumerate(runs)
    ]
    if len(runs) > 1:
        blanks = [""] * (len(_CHANGES) if crops > 1 else 0)
        rows.append(["mean of them", *(f"{100 * _mean(of):.2f} %" for of in both), *blanks])
        changes = _cells(plain.right, result.right, crops > 1)
        rows.append(["together", *(str(of.average) for of in both), *changes])
    return plain_table(columns, rows, right=",".join(columns[1:]))


def _changes(runs: Sequence[str], plain: EnsembleResult, result: EnsembleResult) -> str:
    """Tell which images all networks together changed, against each of them alone."""
    rows = [
        [run, *_cells(right, result.right)]
        for run, right in zip(runs, plain.members_right, strict=True)
    ]
    return plain_table(["network", *_CHANGES], rows, right=",".join(_CHANGES))


def _cells(before: Any, after: Any, wanted: bool = True) -> list[str]:
    if not wanted:
        return []
    change = paired(before, after)
    p_value = "< 0.001" if change.p_value < 0.001 else f"{change.p_value:.3f}"
    return [f"{change.mended:,}", f"{change.spoiled:,}", f"{100 * change.gain:+.2f}", p_value]


def _counts(change: PairedAnswers) -> dict[str, float]:
    return {"mended": change.mended, "spoiled": change.spoiled, "p_value": change.p_value}


def _one_view(crops: int) -> str:
    return " and one view" if crops > 1 else ""


def _mean(result: EnsembleResult) -> float:
    return result.average.accuracy - result.improvement


def _mean_loss(result: EnsembleResult) -> float:
    return sum(member.loss for member in result.members) / len(result.members)
