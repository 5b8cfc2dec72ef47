"""One call of a kernel, and the arrays it fills."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.geometry import Convolution, Window


@dataclass(frozen=True)
class Case:
    """One call: arguments, then arrays to fill, as (shape, dtype) or with starting values."""

    operation: str
    label: str
    arguments: tuple[Any, ...]
    results: tuple[tuple[tuple[int, ...], Any], ...] = ()
    starts: tuple[np.ndarray, ...] = ()  # of operations that change arrays in place
    terms: int = 1  # length of the longest sum

    @property
    def geometry(self) -> Any:
        """What decides which variant serves: of a convolution its layer, else the window."""
        window = next((a for a in self.arguments if isinstance(a, Window)), None)
        if window is None or not self.operation.startswith("conv2d_"):
            return window
        arrays = [a for a in self.arguments if isinstance(a, np.ndarray)]
        return Convolution.of(self.operation, [*arrays, *self.outputs()], window)

    @property
    def work(self) -> int:
        """Multiply-adds of the call, about."""
        filled = sum(np.prod(shape, dtype=int) for shape, _ in self.results)
        return self.terms * (filled + sum(start.size for start in self.starts))

    @property
    def float_inputs(self) -> tuple[int, ...]:
        """Positions of the arguments that may hold a NaN."""
        return tuple(
            k
            for k, a in enumerate(self.arguments)
            if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size
        )

    def outputs(self) -> list[np.ndarray]:
        """Make arrays to fill, poisoned so that what is not written shows."""
        if self.starts:
            return [start.copy() for start in self.starts]
        return [
            np.full(shape, {"f": np.nan, "u": 249}.get(np.dtype(dtype).kind, -7), dtype)
            for shape, dtype in self.results
        ]
