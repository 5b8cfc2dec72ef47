"""How fast the three passes of a convolution are: our variants, and PyTorch in both layouts.

Correctness first: everybody is compared with our default before anything is timed. The time
is that of a call as a network makes it: packing of the weight and memory for the result
included, for us and for PyTorch. Ratios within one run mean something; absolute figures of
different runs on a shared machine do not.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.device import CPU
from tinygrad_cnn.errors import KernelMismatchError
from tinygrad_cnn.kernels.geometry import Convolution
from tinygrad_cnn.kernels.registry import Kernel, lookup, variants
from tinygrad_cnn.lab.conv_shapes import describe, multiply_adds
from tinygrad_cnn.lab.machine import has_pytorch
from tinygrad_cnn.lab.pytorch_convolution import LAYOUTS, pytorch_calls
from tinygrad_cnn.lab.rows import OURS, Row, geometric_mean
from tinygrad_cnn.lab.timing import Effort, take_turns

Array = npt.NDArray[Any]

PASSES = ("conv2d_forward", "conv2d_grad_input", "conv2d_grad_weight")

_FEWEST_CHANNELS = 16  # of the layers among which the slowest is looked for
_MANY_CHANNELS = 64  # of those that Winograd's effective speed is looked for in


class _Data(NamedTuple):
    """What a pass takes and gives, as our kernels have it."""

    operands: tuple[Array, ...]
    shape: tuple[int, ...]


def benchmark_conv(
    layers: Mapping[Convolution, Sequence[str]],
    *,
    effort: Effort | None = None,
    peak: float | None = None,
    with_pytorch: bool | None = None,
    skip: Sequence[str] = ("reference",),
    progress: Callable[[str, int, int], None] = lambda text, done, total: None,
) -> list[Row]:
    """Measure every variant of the three passes on layers.

    Parameters
    ----------
    layers : mapping
        Each layer and the networks it is from; see :func:`conv_layers`.
    effort : Effort, optional
        How long to measure.
    peak : float, optional, in GFLOP/s
        What the machine can do; rows then tell their share of it.
    with_pytorch : bool, optional
        By default where it is installed.
    skip : sequence of str
        Variants left out; the plain loops by default.
    progress : callable
        ``progress(text, done, total)`` is told what is measured next.

    Raises
    ------
    KernelMismatchError
        If somebody computes something else than our default.
    OptionError
        If there is less than one repeat.
    """
    with_pytorch = has_pytorch() if with_pytorch is None else with_pytorch
    rows: list[Row] = []
    disciplines = list(product(layers, PASSES))
    for done, (layer, operation) in enumerate(disciplines):
        progress(f"{operation}, {describe(layer)}", done, len(disciplines))
        networks = tuple(layers[layer])
        rows += _measure(layer, operation, networks, effort or Effort(), peak, with_pytorch, skip)
    return rows


def _measure(
    layer: Convolution,
    operation: str,
    networks: tuple[str, ...],
    effort: Effort,
    peak: float | None,
    with_pytorch: bool,
    skip: Sequence[str],
) -> list[Row]:
    data = _draw(layer, operation)
    kernels = {OURS: lookup(operation, "cpu", np.float32, layer)}
    for kernel in variants(operation):
        serves = not kernel.supports(layer, np.dtype(np.float32))
        if kernel != kernels[OURS] and kernel.variant not in skip and serves:
            kernels[f"{OURS}, {kernel.variant}"] = kernel
    runs = {who: _call(kernel, data, layer) for who, kernel in kernels.items()}
    if with_pytorch:
        runs |= pytorch_calls(operation, data.operands, data.shape, layer.window)
    _compare(layer, operation, kernels, data, runs)
    rows = []
    w = layer.window
    for who, timing in take_turns(runs, effort).items():
        gflops = 2e-9 * multiply_adds(layer) / timing.seconds
        facts: dict[str, Any] = {
            "networks": list(networks), "channels": layer.channels, "gflops": gflops,
            "padded": any((w.ph, w.pw, w.eh, w.ew)),
        }  # fmt: skip
        if who in kernels:
            facts["variant"] = kernels[who].variant
        if peak is not None:
            facts["share_of_peak"] = gflops / peak
        rows.append(Row("conv", describe(layer), operation, who, *timing, facts))
    return rows


def _draw(layer: Convolution, operation: str) -> _Data:
    generator = np.random.default_rng(0)
    w = layer.window

    def draw(*sizes: int) -> Array:
        return generator.standard_normal(sizes, np.float32)

    x = draw(layer.images, layer.height, layer.width, layer.channels)
    weight = draw(layer.filters, layer.channels // w.groups, w.kh, w.kw)
    grad = draw(layer.images, *w.output_size(layer.height, layer.width), layer.filters)
    return {
        "conv2d_forward": _Data((x, weight, draw(layer.filters)), grad.shape),
        "conv2d_grad_input": _Data((grad, weight), x.shape),
        "conv2d_grad_weight": _Data((grad, x), weight.shape),
    }[operation]


def _call(kernel: Kernel, data: _Data, layer: Convolution) -> Callable[[], Array]:
    def run() -> Array:
        out: Array = CPU.empty(data.shape, np.dtype(np.float32))
        kernel.function(*data.operands, layer.window, out)
        return out

    return run


def _compare(
    layer: Convolution,
    operation: str,
    kernels: Mapping[str, Kernel],
    data: _Data,
    runs: Mapping[str, Callable[[], Any]],
) -> None:
    """Run everybody once, which compiles our kernels, and refuse whoever differs."""
    expected: Array | None = None
    for who, run in runs.items():
        if who in kernels:
            got = np.full(data.shape, np.nan, np.float32)
            kernels[who].function(*data.operands, layer.window, got)
        else:
            got = run().numpy()
            got = got if operation == "conv2d_grad_weight" else got.transpose(0, 2, 3, 1)
        expected = got if expected is None else expected
        largest = float(np.abs(expected).max())
        if not np.abs(got - expected).max() <= 1e-4 * largest:
            name = kernels[who].variant if who in kernels else who
            raise KernelMismatchError(
                f"bench: all ways to compute {operation} agree within 1e-4 of the largest value; "
                f"got {name!r} unlike {kernels[OURS].variant!r} on {describe(layer)}"
            )


# -- what it comes to --------------------------------------------------------------------


class ConvSummary(NamedTuple):
    """The figures that a run is judged by; NaN and "" where there is nothing to judge.

    Parameters
    ----------
    ratio : float
        How many times as fast as PyTorch's faster layout we are: all three passes of a shape
        together, geometric mean over the shapes.
    by_pass : dict
        The same for each pass alone.
    worst, worst_subject
        The lowest ratio of a shape with 16 input channels or more, and which it is.
    best_share, best_winograd : float
        Highest share of the machine's peak, of direct kernels (without padding, where they do
        all multiply-adds that are counted) and of Winograd ones (effective: counted in the
        multiply-adds of the definition; from 64 channels on).
    """

    ratio: float
    by_pass: dict[str, float]
    worst: float
    worst_subject: str
    best_share: float
    best_winograd: float


def summarise_conv(rows: Sequence[Row]) -> ConvSummary:
    """Sum up the rows of :func:`benchmark_conv`."""
    nan = float("nan")
    times: dict[str, dict[str, dict[str, float]]] = {}
    channels = {row.subject: row.facts["channels"] for row in rows}
    for row in rows:
        times.setdefault(row.subject, {}).setdefault(row.who, {})[row.step] = row.seconds
    rivals = [f"pytorch, {layout}" for layout in LAYOUTS]
    ratios: dict[str, float] = {}
    by_pass: dict[str, list[float]] = {step: [] for step in PASSES}
    for subject, who in times.items():
        present = [who[rival] for rival in rivals if rival in who]
        if not present:
            continue
        fastest = min(sum(steps.values()) for steps in present)
        ratios[subject] = fastest / sum(who[OURS].values())
        for step in PASSES:
            by_pass[step].append(min(steps[step] for steps in present) / who[OURS][step])
    wide = {s: ratio for s, ratio in ratios.items() if channels[s] >= _FEWEST_CHANNELS}
    worst = min(wide, key=lambda subject: wide[subject], default="")
    direct, winograd = [], []
    for row in rows:
        variant, share = row.facts.get("variant", ""), row.facts.get("share_of_peak", nan)
        if variant == "direct" and not row.facts["padded"]:
            direct.append(share)
        elif "winograd" in variant and row.facts["channels"] >= _MANY_CHANNELS:
            winograd.append(share)
    return ConvSummary(
        geometric_mean(ratios.values()),
        {step: geometric_mean(values) for step, values in by_pass.items()},
        wide.get(worst, nan),
        worst,
        max(direct, default=nan),
        max(winograd, default=nan),
    )
