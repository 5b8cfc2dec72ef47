"""What every kernel promises, checked for one that you have written.

The test suite holds all kernels that it finds registered to the same promises, on more
shapes and with pages behind each array that may not be touched. This is the short form, for
a kernel that is being written: it answers in a second and says which promise is broken on
which call.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import unknown_name
from tinygrad_cnn.kernels.registry import Kernel, variants
from tinygrad_cnn.lab.contract_samples import Sample, known_operations, samples

Array = npt.NDArray[Any]

# Of the largest value: a sum of a few hundred rounded terms, in whatever order
_TOLERANCES = {np.float32: 2e-5, np.float64: 1e-12}
_MARGIN = 64  # elements before and behind each result


class Promise(NamedTuple):
    """One promise: on how many calls it was tried, and the first on which it was broken."""

    text: str
    calls: int
    broken: str


class ContractReport(NamedTuple):
    """What :func:`check_kernel` found; ``print`` shows a line for each promise."""

    operation: str
    variant: str
    promises: tuple[Promise, ...]

    @property
    def is_kept(self) -> bool:
        """Whether the kernel was called at all and broke no promise."""
        return all(promise.calls and not promise.broken for promise in self.promises)

    def __str__(self) -> str:
        lines = [f"{self.operation}, variant {self.variant}"]
        for promise in self.promises:
            mark = "BROKEN" if promise.broken else "kept" if promise.calls else "not tried"
            lines.append(f"  {mark:9s}  {promise.text} ({promise.calls} calls)")
            if promise.broken:
                lines.append(f"             {promise.broken}")
        return "\n".join(lines)


def check_kernel(operation: str, variant: str) -> ContractReport:
    """Try a registered kernel against the plain loops of the same operation.

    Calls that the kernel declines (``supports``) are left out.

    Parameters
    ----------
    operation : str
        Such as ``"conv2d_forward"``.
    variant : str
        The name that it was registered under.

    Raises
    ------
    UnknownNameError
        If no such variant is registered, or there are no samples of the operation.

    Examples
    --------
    >>> check_kernel("max_pool2d_forward", "direct").is_kept
    True
    """
    if operation not in known_operations():
        raise unknown_name("check_kernel", operation, known_operations())
    known = {kernel.variant: kernel for kernel in variants(operation)}
    if variant not in known:
        raise unknown_name(f"check_kernel: {operation}", variant, sorted(known))
    checks: dict[str, Callable[[Kernel, Kernel, Sample], str]] = {
        "fills all of its result with what the plain loops compute": _computes,
        "writes nothing beside its result, and leaves its inputs alone": _stays_inside,
        "a repeated call gives the same bits": _repeats,
        "any number of threads gives the same bits": _ignores_threads,
        "a NaN that goes in is not lost": _keeps_nans,
    }
    calls = list(_calls(known[variant], operation))
    promises = []
    for text, check in checks.items():
        found = (
            f"{sample.label}, {sample.results[0][1].__name__}: {complaint}"
            for sample in calls
            if (complaint := check(known[variant], known["reference"], sample))
        )
        promises.append(Promise(text, len(calls), next(found, "")))
    return ContractReport(operation, variant, tuple(promises))


def _calls(kernel: Kernel, operation: str) -> Iterator[Sample]:
    for dtype in _TOLERANCES:
        for sample in samples(operation, dtype):
            if not kernel.supports(sample.geometry, np.dtype(dtype)):
                for argument in sample.arguments:
                    if isinstance(argument, np.ndarray):
                        argument.flags.writeable = False
                yield sample


def _filled(kernel: Kernel, sample: Sample, arguments: Any = None) -> list[Array]:
    """Call a kernel on poisoned memory."""
    results = [
        np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -7, dtype)
        for shape, dtype in sample.results
    ]
    with np.errstate(all="ignore"):
        kernel(*(sample.arguments if arguments is None else arguments), *results)
    return results


def _same_bits(left: list[Array], right: list[Array]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(left, right, strict=True))


def _computes(kernel: Kernel, plain: Kernel, sample: Sample) -> str:
    for got, want in zip(_filled(kernel, sample), _filled(plain, sample), strict=True):
        if want.dtype.kind != "f":
            if (got != want).any():
                return f"{(got != want).sum()} of {want.size} whole numbers differ"
            continue
        if np.isnan(got).any():
            return f"{np.isnan(got).sum()} of {got.size} values were not written, or are NaN"
        limit = _TOLERANCES[want.dtype.type] * max(1.0, float(np.abs(want).max(initial=0.0)))
        worst = float(np.abs(got - want).max(initial=0.0))
        if not worst <= limit:
            return f"off by {worst:.3g} where {limit:.1g} is allowed"
    return ""


def _stays_inside(kernel: Kernel, plain: Kernel, sample: Sample) -> str:
    before = [np.array(a) for a in sample.arguments if isinstance(a, np.ndarray)]
    memory, results = [], []
    for shape, dtype in sample.results:
        size = int(np.prod(shape))
        memory.append(np.full(size + 2 * _MARGIN, 77, dtype))
        results.append(memory[-1][_MARGIN : _MARGIN + size].reshape(shape))
    if kernel(*sample.arguments, *results) is not None:
        return "it returned something; results go into the last arguments"
    for whole in memory:
        if (whole[:_MARGIN] != 77).any() or (whole[-_MARGIN:] != 77).any():
            return "the memory beside the result has changed"
    after = [np.array(a) for a in sample.arguments if isinstance(a, np.ndarray)]
    return "" if _same_bits(before, after) else "an input has changed"


def _repeats(kernel: Kernel, plain: Kernel, sample: Sample) -> str:
    same = _same_bits(_filled(kernel, sample), _filled(kernel, sample))
    return "" if same else "two calls differ"


def _ignores_threads(kernel: Kernel, plain: Kernel, sample: Sample) -> str:
    import numba

    former, found = numba.get_num_threads(), []
    try:
        for threads in (1, numba.config.NUMBA_NUM_THREADS):
            numba.set_num_threads(threads)
            found.append(_filled(kernel, sample))
    finally:
        numba.set_num_threads(former)
    return "" if _same_bits(*found) else "one thread and all of them differ"


def _keeps_nans(kernel: Kernel, plain: Kernel, sample: Sample) -> str:
    """Poison one value of each input: where the plain loops have a NaN, there has to be one."""
    for position, argument in enumerate(sample.arguments):
        if not isinstance(argument, np.ndarray) or not argument.size:
            continue
        arguments = list(sample.arguments)
        arguments[position] = poisoned = argument.copy()
        poisoned.reshape(-1)[argument.size // 2] = np.nan
        pairs = zip(_filled(kernel, sample, arguments), _filled(plain, sample, arguments),
                    strict=True)  # fmt: skip
        for got, want in pairs:
            if want.dtype.kind == "f" and (np.isnan(want) & ~np.isnan(got)).any():
                return f"one in argument {position} did not arrive"
    return ""
