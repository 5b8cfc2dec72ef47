"""Each element by itself: what it sends, against how its own values move.

An element gets error signals δ and sends others back. Whether its rule is right can be measured
without knowing it, and without asking whether the δ that arrived are right: along a direction v of
one input,

    Σ (what it sends) ∘ v   is to be   Σ δ ∘ (f(x + εv) - f(x - εv)) / 2ε

so the first element, walking back, where this fails is where the mistake is. The forward pass runs
again, in double precision, on the recorded values.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.errors import TinygradCnnError
from tinygrad_cnn.explain.faults.expected_windows import tied
from tinygrad_cnn.explain.faults.watching import Array, Visit
from tinygrad_cnn.explain.gradcheck.step_sweep import Line, sweep
from tinygrad_cnn.tensor import Tensor

__all__ = ["Measured", "measure", "swept"]

DIRECTIONS = 3
STEP = 1e-6  # times the size of the values
TOLERANCE = {False: 1e-5, True: 1e-3}  # relative; in double and in single precision
ROUNDINGS = 32.0  # of the sum of absolute values that a direction adds up


@dataclass(frozen=True)
class Measured:
    """What differences say of one error signal.

    Attributes
    ----------
    position : int
        Of the input.
    sent, slopes : tuple of float
        Along each direction: by what the element sent, and by differences.
    apart : float
        How far they are apart, in units of the larger one, beyond what kinks and rounding explain.
    wrong : bool
    """

    position: int
    sent: tuple[float, ...]
    slopes: tuple[float, ...]
    apart: float
    wrong: bool


def measure(visit: Visit, seed: int = 0) -> list[Measured] | None:
    """Measure all error signals that an element sent; None where it cannot run again."""
    drawn = np.random.default_rng(seed)
    try:
        return [_measured(visit, position, drawn) for position in visit.sent()]
    except (TinygradCnnError, AttributeError, TypeError, ValueError):
        return None  # somebody's own element, that runs on nothing but what it ran on


def swept(visit: Visit, position: int, seed: int = 0) -> str | None:
    """Measure one error signal with all step sizes, and say how sure the difference is.

    The one step of :func:`measure` finds where to look; a sweep knows its own error.
    """
    drawn = np.random.default_rng(seed)
    x, sent = visit.inputs[position], visit.sent()[position]
    direction = np.asarray(drawn.choice([-1.0, 1.0], x.shape) * _free(visit, position))
    signals = [
        (place, signal)
        for place, signal in enumerate(visit.outgoing)
        if signal is not None and visit.outputs[place].dtype.kind == "f"
    ]

    def function(*inputs: Any) -> list[Any]:
        outputs = _outputs(visit, [variable._value for variable in inputs])
        return [Tensor.wrap(outputs[place]) for place, _ in signals]

    wrapped = [Tensor.wrap(value) for value in visit.inputs]
    cotangents = [Tensor.wrap(signal) for _, signal in signals]
    found = sweep(Line(function, wrapped, position, cotangents, direction))
    along = float((sent * direction).sum())
    if found.best is None or not np.isfinite(along):
        return None
    apart = abs(along - found.slope)
    times = apart / max(found.uncertainty, float(np.finfo(np.float64).tiny))
    return (
        f"along a random direction it gives {along:.6g}, differences give {found.slope:.6g} ± "
        f"{found.uncertainty:.1g} at the best of {len(found.steps)} steps: {times:.1g} times that "
        "error apart"
    )


def _measured(visit: Visit, position: int, drawn: np.random.Generator) -> Measured:
    x, sent = visit.inputs[position], visit.sent()[position]
    free = _free(visit, position)
    size = float(np.sqrt(np.mean(np.square(x)))) if x.size else 0.0
    step = STEP * max(size, 1e-3)
    middle = _outputs(visit, visit.inputs)
    ours, slopes, beyond, unsure = [], [], [], []
    for _ in range(DIRECTIONS):
        # Of uneven lengths: errors that are alike, as 1/N of a few images, would cancel at times.
        direction = drawn.choice([-1.0, 1.0], x.shape) * drawn.uniform(0.5, 1.5, x.shape) * free
        up, down = (
            _outputs(visit, _replaced(visit.inputs, position, x + sign * step * direction))
            for sign in (1.0, -1.0)
        )
        slope, allowance = _slope(visit, up, down, middle, step)
        along = float((sent * direction).sum())
        ours.append(along)
        slopes.append(slope)
        # Not a number is no error signal either.
        away = abs(along - slope) if np.isfinite(along) else np.inf
        beyond.append(max(0.0, away - allowance))
        unsure.append(allowance)
    norm = float(np.sqrt(np.square(sent * free).sum()))
    scale = max(_root_mean_square(ours), _root_mean_square(slopes), norm)
    apart = _root_mean_square(beyond) / scale if scale > 0 and np.isfinite(scale) else 0.0
    if not np.isfinite(sent).all() and np.isfinite(slopes).all():
        apart = np.inf
    return Measured(position, tuple(ours), tuple(slopes), apart, apart > TOLERANCE[visit.single])


def _replaced(inputs: tuple[Array, ...], position: int, value: Array) -> list[Array]:
    return [*inputs[:position], np.asarray(value), *inputs[position + 1 :]]


def _root_mean_square(numbers: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(numbers))))


def _slope(
    visit: Visit, up: list[Array], down: list[Array], middle: list[Array], step: float
) -> tuple[float, float]:
    """Return Σ δ ∘ f′ along a direction, and how much of it kinks and rounding leave open."""
    slope, allowance = 0.0, 0.0
    eps = float(np.finfo(np.float32 if visit.single else np.float64).eps)
    fine = float(np.finfo(np.float64).eps)
    for signal, high, low, here in zip(visit.outgoing, up, down, middle, strict=False):
        if signal is None or here.dtype.kind != "f":
            continue
        moves = (high - low) / (2 * step)
        slope += float((signal * moves).sum())
        # At a kink the sides differ: any sub-gradient between them is right.
        gap = np.abs(high - 2 * here + low)
        kinked = gap > 0.01 * np.maximum(np.abs(high - here), np.abs(here - low))
        noise = 16 * fine * np.abs(here)
        kinked &= gap > noise
        allowance += float((np.abs(signal) * gap * kinked).sum()) / (2 * step)
        allowance += ROUNDINGS * eps * float(np.abs(signal * moves).sum())
        allowance += float((np.abs(signal) * noise).sum()) / (2 * step)
    return slope, allowance


def _free(visit: Visit, position: int) -> Any:
    """Return the elements of an input that may move: at a kink or tie they stay where they are.

    There any sub-gradient is right. Where most of an image is empty there are many, and what they
    leave open would hide a mistake.
    """
    if visit.family == "relu":
        return visit.inputs[position] != 0
    if visit.family == "max_pool2d" and position == 0:
        return ~tied(visit)
    return 1.0


def _outputs(visit: Visit, inputs: Any) -> list[Array]:
    """Run an element again on other values."""
    if visit.element.name == "dropout":  # its mask is kept: a second draw would be another function
        mask, p = visit.outputs[1], visit.element.p  # type: ignore[attr-defined]
        return [inputs[0] * mask / (1.0 - p) if p < 1.0 else inputs[0] * 0.0]
    twin = copy.copy(visit.element)
    scalar = not any(value.ndim for value in visit.inputs) and not _in_arrays(visit)
    values = [float(value) if scalar else value for value in inputs]
    result = twin.forward(*values)
    results = result if isinstance(result, tuple) else (result,)
    return [np.array(each) for each in results]


def _in_arrays(visit: Visit) -> bool:
    return visit.element.device.name != "scalar"
