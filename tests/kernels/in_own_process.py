"""Runs all kernels in ways that a test process had better not: started by the tests here.

``python -m kernels.in_own_process guard`` places every buffer between pages that may not be
touched. A kernel that reads or writes outside ends the process with a signal, and the last
line printed names it. ``threads`` compares the bits of one thread with those of two.
"""

import ctypes
import mmap
import sys
from types import ModuleType

import numpy as np

from tinygrad_cnn import kernels

from .cases import Case, all_cases
from .launch import compiled_functions

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_PAGE = mmap.PAGESIZE
_PROT_NONE = 0
_POISON = 0xFF  # as bytes of a float: a NaN


class Guarded:
    """A copy of an array whose end, or beginning, lies at a page that may not be touched."""

    def __init__(self, array: np.ndarray, side: str) -> None:
        self._size, self._side = array.nbytes, side
        pages = -(-max(1, array.nbytes) // _PAGE)
        memory = mmap.mmap(-1, (pages + 2) * _PAGE)
        whole = np.frombuffer(memory, np.uint8)
        whole[:] = _POISON
        start = whole.ctypes.data
        for guard in (start, start + (pages + 1) * _PAGE):
            if _LIBC.mprotect(guard, _PAGE, _PROT_NONE):
                raise OSError(ctypes.get_errno(), "mprotect")
        self._inside = whole[_PAGE : (pages + 1) * _PAGE]
        first = 0 if side == "begins" else self._inside.size - self._size
        self.bytes = self._inside[first : first + self._size]
        self.array = self.bytes.view(array.dtype).reshape(array.shape)
        self.array[...] = array

    def margin_is_untouched(self) -> bool:
        rest = self._inside[self._size :]
        rest = rest if self._side == "begins" else self._inside[: self._inside.size - self._size]
        return bool((rest == _POISON).all())


def _cases() -> tuple[Case, ...]:
    return (*all_cases(np.float32), *all_cases(np.float64))


def _compiled_kernels(case: Case) -> tuple[kernels.registry.Kernel, ...]:
    dtype = next(a.dtype for a in (*case.arguments, *case.outputs()) if hasattr(a, "dtype"))
    return tuple(
        kernel
        for kernel in kernels.variants(case.operation)
        if kernel.variant != "reference" and not kernel.supports(case.geometry, dtype)
    )


def guard() -> None:
    for case in _cases():
        for kernel in _compiled_kernels(case):
            for side in ("ends", "begins"):
                name = f"{kernel.operation} {kernel.variant}"
                print(f"{name}, buffer {side} at the guard, {case.label}", flush=True)
                inputs = [
                    Guarded(a, side) if isinstance(a, np.ndarray) else a for a in case.arguments
                ]
                outputs = [Guarded(a, side) for a in case.outputs()]
                arguments = [a.array if isinstance(a, Guarded) else a for a in inputs]
                kernel(*arguments, *(o.array for o in outputs))
                if not all(o.margin_is_untouched() for o in outputs):
                    sys.exit("wrote outside of an output")
                wanted = case.outputs()
                kernel(*case.arguments, *wanted)
                exact = kernel.variant not in ("im2col", "blas")
                for got, want in zip(outputs, wanted, strict=True):
                    if exact and got.array.tobytes() != want.tobytes():
                        sys.exit("gave other bits than away from the guard")


def overrun() -> None:
    """Read one byte behind the end: the guard has to end this process."""
    print("overrun, buffer ends at the guard", flush=True)
    guarded = Guarded(np.zeros(3, np.float32), "ends")
    ctypes.string_at(guarded.array.ctypes.data, guarded.array.nbytes + 1)


def threads() -> None:
    import numba

    counts = range(1, numba.config.NUMBA_NUM_THREADS + 1)
    rows = [
        (case, kernel)
        for case in _cases()
        for kernel in _compiled_kernels(case)
        if kernel.variant not in ("im2col", "blas")  # BLAS makes no promise about bits
    ]
    wanted = [_bits(case, kernel) for case, kernel in rows]  # large calls fork, small do not
    differing, forks = set(), _fork_always()
    for count in counts:
        numba.set_num_threads(count)
        for (case, kernel), want in zip(rows, wanted, strict=True):
            if _bits(case, kernel) != want:
                differing.add(f"{kernel.operation} {kernel.variant}, {case.label}")
    print(f"{forks} forked on up to {count} threads; {len(differing)} differ", *differing)


def _bits(case: Case, kernel: kernels.registry.Kernel) -> list[bytes]:
    outputs = case.outputs()
    kernel(*case.arguments, *outputs)
    return [output.tobytes() for output in outputs]


def _fork_always() -> str:
    """Lower the threshold of every parallel function, and return the names of these."""
    names = []
    for module, name, function in compiled_functions():
        if function.targetoptions.get("parallel"):
            if not hasattr(module, "_FORK"):
                sys.exit(f"{module.__name__}.{name} has no threshold _FORK to lower")
            module._FORK = -1
            names.append(name)
    for module in list(sys.modules.values()):
        if module.__name__.startswith(f"{kernels.__name__}.cpu."):
            _forget_plans(module)
    return " ".join(sorted(names))


def _forget_plans(module: ModuleType) -> None:
    """Clear caches: plans remember whether to fork."""
    for value in vars(module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def specialisations(dtype: str) -> None:
    """Call everything with read-only and with writable arrays, and print what was compiled.

    Then once more with every parallel function: some work is forked only where it is large.
    """
    for _ in range(2):
        for case in all_cases(np.dtype(dtype).type):
            writable = [np.array(a) if isinstance(a, np.ndarray) else a for a in case.arguments]
            for argument in case.arguments:
                if isinstance(argument, np.ndarray):
                    argument.flags.writeable = False
            for kernel in _compiled_kernels(case):
                kernel(*case.arguments, *case.outputs())
                kernel(*writable, *case.outputs())
        _fork_always()
    for module, name, function in compiled_functions():
        signatures = function.nopython_signatures
        print(f"{module.__name__}.{name}", *signatures, sep="\t")


if __name__ == "__main__":
    modes = (guard, overrun, threads, specialisations)
    mode, *options = sys.argv[1:]
    {each.__name__: each for each in modes}[mode](*options)
