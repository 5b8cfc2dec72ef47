"""What the compiler made of a kernel: its innermost loops, instruction by instruction.

A kernel is as fast as the loop that it spends its time in. Three things are worth reading
there, and each is a number of :class:`Loop`:

- how many *vector multiplications* it holds, and how wide they are. A register tile of 8 rows
  and 2 vectors has 16, or a multiple where the compiler unrolls the loop;
- how many *loads* stand beside them. A processor loads two vectors, or fewer, in the time of
  two multiplications;
- whether it *spills*. A tile that wants more registers than there are keeps some values on
  the stack, and every pass through the loop then waits for memory.

:func:`loops_of` reads a compiled function as it runs here. The code of another processor can be
read as well, although it cannot run. For another one of this family, start Python with its name
and what it has: ``NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+avx2,+fma`` (the name alone leaves
the features of this machine switched on; ``generic`` has none). For one of another family, give
:func:`for_processor` the intermediate code of a function.

Examples
--------
>>> import numba, numpy as np
>>> @numba.njit(fastmath={"contract", "reassoc"})
... def dot(a, b):
...     total = np.float32(0)
...     for k in range(a.size):
...         total += a[k] * b[k]
...     return total
>>> dot(np.ones(9, np.float32), np.ones(9, np.float32))
9.0
>>> main = max(loops_of(dot)[0], key=lambda loop: loop.multiplications)
>>> main.vector_bits >= 128, main.multiplications > 0, main.spills, main.calls
(True, True, 0, 0)
"""

import re
from typing import Any, NamedTuple

from llvmlite import binding

from tinygrad_cnn.errors import OptionError

_LABEL = re.compile(r"^(\.?L[\w.$]+):")
_JUMP = re.compile(r"^(?:j\w+|b|b\.\w+|cbn?z|tbn?z)\s.*?(\.?L[\w.$]+)$")
_MULTIPLICATION = re.compile(
    r"^(?:vfn?m(?:add|sub)\d+p[sd]|v?mulp[sd]"  # x86
    r"|fml[as]\s+v|fmul\s+v)"  # ARM
)
_STACK = re.compile(r"\(%[re]sp|\[sp\b")
_MEMORY = re.compile(r"\(%|\[x\d+|\[sp\b")
_ADDRESS_ALONE = re.compile(r"^(?:lea|nop|prefetch|prfm|adr)")
_LAST_IS_MEMORY = re.compile(r"\)(?:\s*\{%k\d\})?$")  # x86 names what is written last
_COMPARISON = re.compile(r"^(?:cmp|test|bt|v?u?comis)")
_STORE = re.compile(r"^(?:st[rpu]\w*|st1)\s")
# Numba counts who holds an array. LLVM has already made an x86 instruction of it.
_X86_COUNT = re.compile(r"(%[\w.]+) = (?:tail )?call i8 @llvm\.x86\.atomic\.sub\.cc[^\n]*")
_COMMENT = re.compile(r"\s*(?:#|//|;).*$")


class Loop(NamedTuple):
    """An innermost loop: what it holds, in instructions, and these themselves."""

    multiplications: int  #: of vectors, fused with an addition or not
    vector_bits: int  #: of the widest register that these use
    loads: int  #: instructions that read memory, spilled values among it
    stores: int  #: instructions that write memory, spilled values among it
    spills: int  #: instructions that read or write the stack
    calls: int
    instructions: tuple[str, ...]


def loops_of(function: Any) -> list[list[Loop]]:
    """Return the innermost loops of each specialisation of a compiled function.

    Parameters
    ----------
    function : numba dispatcher
        A function under ``numba.njit`` or :func:`tinygrad_cnn.kernels.jit.compiled`, called
        before, so that Numba has compiled it.

    Raises
    ------
    OptionError
        If it is no such function, or nothing is compiled.
    """
    compiled = getattr(function, "inspect_asm", None)
    texts = {} if compiled is None else compiled()
    if not texts:
        raise OptionError(
            "loops_of: it reads a function that Numba has compiled; got "
            f"{getattr(function, '__name__', type(function).__name__)!r}, of which there is no "
            "machine code. Call it once first"
        )
    return [innermost_loops(text) for text in texts.values()]


def innermost_loops(assembly: str) -> list[Loop]:
    """Return the innermost loops of a listing, in its order.

    Parameters
    ----------
    assembly : str
        As LLVM writes it: AT&T syntax for x86 processors, ARM's for ARM.

    Examples
    --------
    >>> text = '''
    ... .LBB0_1:
    ...     vmovups (%rdi,%rax,4), %ymm1
    ...     vfmadd231ps (%rsi,%rax,4), %ymm1, %ymm0
    ...     addq $8, %rax
    ...     jne .LBB0_1
    ... '''
    >>> [loop] = innermost_loops(text)
    >>> loop.multiplications, loop.vector_bits, loop.loads, loop.stores, loop.spills
    (1, 256, 2, 0, 0)
    """
    lines = [_COMMENT.sub("", line).strip() for line in assembly.splitlines()]
    labels = {found[1]: k for k, line in enumerate(lines) if (found := _LABEL.match(line))}
    ends: dict[int, int] = {}  # first line of a loop → the last jump back to it
    for k, line in enumerate(lines):
        jump = _JUMP.match(line)
        if jump and labels.get(jump[1], k) < k:
            ends[labels[jump[1]]] = k
    innermost = [
        (begin, end)
        for begin, end in ends.items()
        if not any(begin <= b and e <= end and (b, e) != (begin, end) for b, e in ends.items())
    ]
    return [_loop(lines[begin : end + 1]) for begin, end in sorted(innermost)]


def _loop(lines: list[str]) -> Loop:
    code = tuple(line for line in lines if line and not line.startswith(".") and ":" not in line)
    multiplying = [line for line in code if _MULTIPLICATION.match(line)]
    touching = [line for line in code if _MEMORY.search(line) and not _ADDRESS_ALONE.match(line)]
    writing = [line for line in touching if _writes(line)]
    return Loop(
        multiplications=len(multiplying),
        vector_bits=max(map(_vector_bits, multiplying), default=0),
        loads=sum(line not in writing for line in touching),
        stores=len(writing),
        spills=sum(bool(_STACK.search(line)) for line in touching),
        calls=sum(line.startswith(("call", "bl\t", "bl ", "blr")) for line in code),
        instructions=code,
    )


def _writes(line: str) -> bool:
    """Tell whether an instruction that names memory writes there."""
    if "%" not in line:
        return bool(_STORE.match(line))
    return bool(_LAST_IS_MEMORY.search(line)) and not _COMPARISON.match(line)


def _vector_bits(line: str) -> int:
    for register, bits in (("%zmm", 512), ("%ymm", 256), ("%xmm", 128)):
        if register in line:
            return bits
    lanes = re.search(r"\bv\d+\.(\d+)([sdh])", line)
    return int(lanes[1]) * {"h": 16, "s": 32, "d": 64}[lanes[2]] if lanes else 0


def for_processor(llvm: str, triple: str, processor: str) -> str:
    """Return the assembly that a function would have on another processor.

    Parameters
    ----------
    llvm : str
        Its intermediate code: ``function.inspect_llvm(signature)``.
    triple : str
        The family, such as ``"aarch64-unknown-linux-gnu"``.
    processor : str
        LLVM's name of the processor, such as ``"neoverse-n1"``.

    Notes
    -----
    Numba has chosen for *this* processor what it writes into the intermediate code, the width
    of loops that it made vectors of among it. What a kernel writes itself, such as a register
    tile, stays as it is, and registers are assigned anew.
    """
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(triple).create_target_machine(
        cpu=processor, opt=3, reloc="pic", codemodel="default"
    )
    text = re.sub(r"^target (?:triple|datalayout) = .*$", "", llvm, flags=re.MULTILINE)
    text = re.sub(r'"(?:target-cpu|target-features|tune-cpu|probe-stack)"(?:="[^"]*")?', "", text)
    text = _X86_COUNT.sub(r"\1 = add i8 0, 0", text)
    module = binding.parse_assembly(text)
    module.triple = triple
    module.data_layout = str(machine.target_data)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_assembly(module)
