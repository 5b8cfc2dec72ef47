"""How fast the variants of the three convolution passes are, compared in one run.

Correctness first: every variant is compared with the first one before it is timed. Then the
variants take turns, repeat by repeat, so that a busy machine disturbs all of them alike, and
the median of each is kept. Compilation happens in the first, untimed call. Ratios between
columns of one run mean something; absolute figures of different runs do not.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import KernelMismatchError, OptionError
from tinygrad_cnn.kernels.geometry import Convolution, Window
from tinygrad_cnn.kernels.registry import Kernel, variants

Array = npt.NDArray[Any]

PASSES = ("conv2d_forward", "conv2d_grad_input", "conv2d_grad_weight")


class ConvShape(NamedTuple):
    """A convolution layer: batch, channels in and out, image side, and what slides over it."""

    batch: int
    channels: int
    filters: int
    side: int
    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def window(self) -> Window:
        """The sliding window."""
        k, s, p, d = self.kernel, self.stride, self.padding, self.dilation
        return Window(k, k, s, s, p, p, d, d, groups=self.groups)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of each of the three passes.

        Examples
        --------
        >>> ConvShape(1, 1, 6, 32, 5).multiply_adds
        117600
        """
        oh, ow = self.window.output_size(self.side, self.side)
        channels = self.channels // self.groups
        return self.batch * oh * ow * self.filters * channels * self.kernel**2

    def __str__(self) -> str:
        text = f"{self.batch} x {self.channels}→{self.filters}, {self.side}x{self.side}, "
        text += f"kernel {self.kernel}"
        text += f", stride {self.stride}" if self.stride != 1 else ""
        text += f", padding {self.padding}" if self.padding else ""
        text += f", dilation {self.dilation}" if self.dilation != 1 else ""
        return text + (f", groups {self.groups}" if self.groups != 1 else "")


# The layer that the variants are judged by, then the two of LeNet-5.
SHAPES = (
    ConvShape(32, 64, 64, 32, 3, padding=1),
    ConvShape(64, 1, 6, 32, 5),
    ConvShape(64, 6, 16, 14, 5),
)


class Measurement(NamedTuple):
    """Median seconds of one variant of one pass on one shape."""

    shape: ConvShape
    operation: str
    variant: str
    seconds: float

    @property
    def gflops(self) -> float:
        """Billions of floating-point operations per second, two for each multiply-add."""
        return 2e-9 * self.shape.multiply_adds / self.seconds


@dataclass
class _Candidate:
    kernel: Kernel
    run: Callable[[], None]
    out: Array
    times: list[float]


def benchmark_conv(
    shapes: Sequence[ConvShape] = SHAPES,
    repeats: int = 9,
    skip: Sequence[str] = ("reference",),
    progress: Callable[[str], None] = lambda text: None,
) -> list[Measurement]:
    """Measure every variant of the three passes.

    Parameters
    ----------
    shapes : sequence of ConvShape
    repeats : int
        Timed calls of each variant; the median is kept.
    skip : sequence of str
        Variants left out; the plain loops by default.
    progress : callable
        Is told what is measured next.

    Raises
    ------
    KernelMismatchError
        If a variant computes something else than the others.
    OptionError
        If there is less than one repeat.
    """
    if repeats < 1:
        raise OptionError(f"bench: there is at least one repeat; got {repeats}")
    measured = []
    for shape in shapes:
        for operation in PASSES:
            progress(f"{operation}, {shape}")
            candidates = _candidates(shape, operation, skip)
            _compare(shape, operation, candidates)
            for _ in range(repeats):
                for candidate in candidates:
                    begin = time.perf_counter()
                    candidate.run()
                    candidate.times.append(time.perf_counter() - begin)
            measured += [
                Measurement(shape, operation, one.kernel.variant, median(one.times))
                for one in candidates
            ]
    return measured


def _candidates(shape: ConvShape, operation: str, skip: Sequence[str]) -> list[_Candidate]:
    generator = np.random.default_rng(0)
    oh, ow = shape.window.output_size(shape.side, shape.side)

    def draw(*sizes: int) -> Array:
        return generator.standard_normal(sizes, np.float32)

    x = draw(shape.batch, shape.side, shape.side, shape.channels)
    weight = draw(shape.filters, shape.channels // shape.groups, shape.kernel, shape.kernel)
    grad = draw(shape.batch, oh, ow, shape.filters)
    bias = draw(shape.filters)
    operands, result = {
        "conv2d_forward": ((x, weight, bias), grad),
        "conv2d_grad_input": ((grad, weight), x),
        "conv2d_grad_weight": ((grad, x), weight),
    }[operation]
    candidates = []
    for kernel in variants(operation):
        layer = Convolution.of(operation, (*operands, result), shape.window)
        if kernel.variant in skip or kernel.supports(layer, x.dtype):
            continue
        out = np.full(result.shape, np.nan, np.float32)
        candidates.append(_Candidate(kernel, _call(kernel, operands, shape.window, out), out, []))
    return candidates


def _call(
    kernel: Kernel, operands: tuple[Array, ...], window: Window, out: Array
) -> Callable[[], None]:
    return lambda: kernel(*operands, window, out)


def _compare(shape: ConvShape, operation: str, candidates: list[_Candidate]) -> None:
    """Run each variant once, which compiles it, and refuse one that differs."""
    for candidate in candidates:
        candidate.run()
        expected, got = candidates[0].out, candidate.out
        largest = float(np.abs(expected).max())
        if not np.abs(got - expected).max() <= 1e-4 * largest:
            raise KernelMismatchError(
                f"bench: all variants of {operation} agree within 1e-4 of the largest value; "
                f"got {candidate.kernel.variant!r} unlike {candidates[0].kernel.variant!r} on "
                f"{shape}"
            )
