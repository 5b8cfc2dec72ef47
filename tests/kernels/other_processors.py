"""Compiles kernels for processors other than this one: started by `test_instruction_sets`.

``python -m kernels.other_processors signatures`` goes through the rows of convolutions and
affine maps and prints which functions they call, with which types. ``listings NAME`` compiles
these for a processor of :data:`PROCESSORS`, on which they need not be able to run, and prints
what the innermost loops hold of them and of the functions that they are made of.
"""

import base64
import json
import pickle
import re
import sys
from typing import Any, NamedTuple

import numpy as np

FAMILIES = ("affine", "conv2d")  # beginnings of the names of operations that multiply matrices


class Processor(NamedTuple):
    """What Numba is told, and what the kernels should make of it."""

    name: str  # LLVM's
    features: str  # those that decide how wide the vectors are
    vector_bytes: int
    rows: int  # of a register tile
    fused: bool = True
    triple: str = ""  # of another family


_CALL_OF_FMA = re.compile(r"\bfmaf?\b")  # the instructions are called vfmadd... and fmla
_AVX2 = "+avx,+avx2,+bmi,+bmi2,+fma"
_AVX512 = f"{_AVX2},+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl"
_ARM = "aarch64-unknown-linux-gnu"
PROCESSORS = {
    "sse2": Processor("generic", "", 16, 6, fused=False),
    "haswell": Processor("haswell", _AVX2, 32, 6),
    "skylake": Processor("skylake-avx512", _AVX512, 64, 8),
    "znver4": Processor("znver4", _AVX512, 64, 8),
    "neoverse": Processor("neoverse-n1", "+neon", 16, 8, triple=_ARM),
}


def environment(processor: Processor) -> dict[str, str]:
    """Return what Numba is told. A kernel for another family is written in generic vectors."""
    if processor.triple:
        return {"NUMBA_CPU_NAME": "generic"}
    return {"NUMBA_CPU_NAME": processor.name, "NUMBA_CPU_FEATURES": processor.features}


def signatures() -> None:
    from tinygrad_cnn import kernels
    from tinygrad_cnn.kernels.jit import listed

    from .cases import all_cases

    with listed() as needed:  # nothing is computed
        for case in all_cases(np.float32):
            if case.operation.startswith(FAMILIES):
                for kernel in kernels.variants(case.operation):
                    objection = kernel.supports(case.geometry, np.dtype(np.float32))
                    if not objection and kernel.variant != "reference":
                        kernel(*case.arguments, *case.outputs())
    print(base64.b64encode(pickle.dumps(needed)).decode())


def listings(name: str) -> None:
    processor = PROCESSORS[name]
    if processor.triple:
        _pretend(processor)
    from tinygrad_cnn.kernels.cpu.instructions import vectors
    from tinygrad_cnn.lab import assembly

    from .launch import compiled_functions

    found: dict[str, Any] = {
        "vector_bytes": vectors.VECTOR_BYTES, "rows": vectors.TILE_ROWS, "fused": vectors.FUSED,
        "calls_of_fma": 0, "loops": {},
    }  # fmt: skip
    functions = {function: (module, name) for module, name, function in compiled_functions()}
    for function in functions:  # a loop that is shared by threads holds the same code as one alone
        function.targetoptions["parallel"] = False
    for kernel in pickle.loads(base64.b64decode(sys.stdin.read())):
        kernel.compile()
    for function, (module, name) in functions.items():
        for library in function.libraries():
            if processor.triple:
                llvm = library.get_llvm_str()
                text = assembly.for_processor(llvm, processor.triple, processor.name)
            else:
                text = library.get_asm_str()
            found["calls_of_fma"] += len(_CALL_OF_FMA.findall(text))
            short = f"{module.__name__.rpartition('.')[2]}.{name}"
            loops = [
                loop._asdict() | {"instructions": ()} for loop in assembly.innermost_loops(text)
            ]
            found["loops"].setdefault(short, []).extend(loops)
    print(json.dumps(found))


def _pretend(processor: Processor) -> None:
    """Let the kernels see a processor of another family while they write their vectors."""
    from numba.core.registry import cpu_target

    codegen = cpu_target.target_context.codegen()
    as_it_is = codegen.magic_tuple
    codegen.magic_tuple = lambda: (processor.triple, processor.name, processor.features)
    from tinygrad_cnn.kernels.cpu.instructions import vectors  # noqa: F401  # asks while it is imported

    codegen.magic_tuple = as_it_is


if __name__ == "__main__":
    mode, *names = sys.argv[1:]
    {"signatures": signatures, "listings": listings}[mode](*names)
