"""Reading machine code: loops, and what stands in them."""

import numba
import numpy as np
import pytest

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.lab.assembly import for_processor, innermost_loops, loops_of

X86 = """
    .text
sums:
    subq    $136, %rsp
    testq   %rdi, %rdi
    jle     .LBB0_4
.LBB0_1:                                # outer loop
    xorl    %eax, %eax
    movq    %rdx, -8(%rsp)
.LBB0_2:
    vmovups (%rsi,%rax,4), %zmm3
    vmovups 64(%rsi,%rax,4), %zmm4
    vfmadd231ps (%rdx,%rax,4){1to16}, %zmm3, %zmm0  # no spill: (%rsp)
    vfmadd231ps %zmm4, %zmm5, %zmm1
    vfmadd231ss %xmm4, %xmm5, %xmm1
    vmovups %zmm1, (%rcx,%rax,4)
    vmovups %zmm1, (%rcx,%rax,4) {%k1}
    leaq    8(%rsp), %r8
    cmpq    %rax, 16(%rcx)
    addq    24(%rsp), %r9
    movq    %r9, 32(%rsp)
    incq    %rax
    jne     .LBB0_2
    decq    %rdi
    jne     .LBB0_1
.LBB0_3:
    callq   *%rbx
    mulps   %xmm2, %xmm3
    jmp     .LBB0_3
.LBB0_4:
    vzeroupper
    retq
"""

ARM = """
.LBB0_1:
    ldr     q2, [x8], #16
    ldp     q3, q4, [x9]
    fmla    v0.4s, v2.4s, v3.s[0]
    fmla    v1.2d, v2.2d, v4.2d
    fmul    v5.2s, v2.2s, v4.2s
    str     q1, [x10, x11]
    stp     q3, q4, [sp, #32]
    ldr     x12, [sp, #16]
    bl      fmaf
    subs    x13, x13, #1
    b.ne    .LBB0_1
    ret
"""


def test_innermost_loops_of_x86_code() -> None:
    inner, plain = innermost_loops(X86)
    assert (inner.multiplications, inner.vector_bits) == (2, 512)
    assert (inner.loads, inner.stores, inner.spills, inner.calls) == (5, 3, 2, 0)
    assert inner.instructions[0].startswith("vmovups")
    assert inner.instructions[-1].startswith("jne")
    assert len(inner.instructions) == 13
    assert (plain.multiplications, plain.vector_bits, plain.calls) == (1, 128, 1)


def test_innermost_loops_of_arm_code() -> None:
    [loop] = innermost_loops(ARM)
    assert (loop.multiplications, loop.vector_bits) == (3, 128)
    assert (loop.loads, loop.stores, loop.spills, loop.calls) == (3, 2, 2, 1)


def test_code_without_loops_has_none() -> None:
    assert innermost_loops("f:\n    vmulps %zmm1, %zmm2, %zmm3\n    retq\n") == []


@numba.njit(error_model="numpy")
def _scale(x: np.ndarray, factor: float, out: np.ndarray) -> None:
    for k in range(x.size):
        out[k] = x[k] * factor


def test_each_specialisation_is_read_and_other_processors_too() -> None:
    for dtype in (np.float32, np.float64):
        _scale(np.ones(9, dtype), dtype(2), np.empty(9, dtype))
    single, double = loops_of(_scale)
    for loops in (single, double):
        widest = max(loops, key=lambda loop: loop.vector_bits * loop.multiplications)
        assert widest.vector_bits >= 128
        assert widest.spills == widest.calls == 0
        assert widest.loads
        assert widest.stores
    llvm = _scale.inspect_llvm(_scale.signatures[0])
    text = for_processor(llvm, "aarch64-unknown-linux-gnu", "neoverse-n1")
    assert "fmul\tv" in text
    assert max(loop.vector_bits for loop in innermost_loops(text)) == 128


def test_what_numba_has_not_compiled_is_refused() -> None:
    with pytest.raises(OptionError, match=r"that Numba has compiled; got 'innermost_loops'"):
        loops_of(innermost_loops)
    with pytest.raises(OptionError, match=r"got '_later'.*Call it once first"):
        loops_of(_later)


@numba.njit
def _later(x: float) -> float:
    return x
