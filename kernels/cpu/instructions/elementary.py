"""exp, expm1, log, log1p, sigmoid and tanh in float32, written so that loops of them vectorise.

The C library's functions take one value a call. Here each function is straight-line arithmetic:
no branch and no table, every case is a choice between two finished values. A loop over such a
function becomes vector instructions, 16 values at once with AVX-512.

Two ideas carry all of them. *Range reduction*: e^x = 2^n · e^r with n = round(x / ln 2) and
|r| <= ln(2)/2, and log x = n · ln 2 + log(1 + f) with 2^n the power of two nearest to x. And
a *polynomial* for what remains: e^r = 1 + r + r² Q(r), log(1 + f) = f - f²/2 + f³ P(f). The
first terms are exact, so that the rounded coefficients behind them matter little.

Coefficients were fitted here: least squares in float64 at 4,000 Chebyshev points, repeated with
weights raised where the relative error was largest (Lawson's algorithm) until the error was
level, then rounded to float32. Errors, in units of the last place over all floats (a test
goes through them): exp 1.1, expm1 1.6, log 0.9, log1p 1.5 on [0, 1], sigmoid 2.4, tanh 1.5.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from tinygrad_cnn.kernels.cpu.instructions.vectors import FUSED
from tinygrad_cnn.kernels.jit import compiled


@intrinsic
def like(typing_context: Any, value: Any, number: Any) -> Any:
    """like(value, number): `number` in the type of `value`; 0.5 alone would be a float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[1], signature.args[1], signature.return_type)

    return value(value, number), generate


@intrinsic
def choose(typing_context: Any, condition: Any, value: Any, other: Any) -> Any:
    """choose(condition, value, other): one of two finished values, without a branch."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        other = context.cast(builder, arguments[2], signature.args[2], signature.return_type)
        return builder.select(arguments[0], arguments[1], other)

    return value(types.boolean, value, other), generate


# Adding 1.5 · 2^23 leaves no digits behind the point, so this rounds to whole numbers, also on
# processors that have no instruction for it.
_ROUND = 1.5 * 2.0**23

_WORD = ir.IntType(32)
_SINGLE = ir.FloatType()


@intrinsic
def fused(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """fused(a, b, c): a · b + c with one rounding where the processor has an instruction for it.

    Left to decide by itself (``contract``), the compiler fuses in vectors and not in the values
    behind the last vector, and a result would depend on its place.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b, c = arguments
        return builder.fma(a, b, c) if FUSED else builder.fadd(builder.fmul(a, b), c)

    return a(a, a, a), generate


@intrinsic
def power_of_two(typing_context: Any, n: Any) -> Any:
    """power_of_two(n): 2^n for a whole float32 n in -126..127.

    n + 1.5 · 2^23 holds n in its last bits, which become those of the exponent: unlike a
    conversion to an integer this is defined for a NaN too.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(builder.fadd(arguments[0], ir.Constant(_SINGLE, _ROUND)), _WORD)
        bits = builder.shl(bits, ir.Constant(_WORD, 23))
        return builder.bitcast(builder.add(bits, ir.Constant(_WORD, 0x3F800000)), _SINGLE)

    return types.float32(types.float32), generate


@intrinsic
def split(typing_context: Any, x: Any) -> Any:
    """split(x): n and m with x = 2^n · m, √½ <= m < √2, for a normal float32 x > 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], _WORD)
        above = builder.sub(bits, ir.Constant(_WORD, 0x3F3504F3))  # √½; carries into the exponent
        n = builder.sitofp(builder.ashr(above, ir.Constant(_WORD, 23)), _SINGLE)
        m = builder.sub(bits, builder.and_(above, ir.Constant(_WORD, 0xFF800000)))
        return context.make_tuple(builder, signature.return_type, (n, builder.bitcast(m, _SINGLE)))

    return types.UniTuple(types.float32, 2)(types.float32), generate


@intrinsic
def with_sign(typing_context: Any, size: Any, sign: Any) -> Any:
    """with_sign(size, sign): a float32 with the digits of one number and the sign of another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        digits, sign = (builder.bitcast(argument, _WORD) for argument in arguments)
        digits = builder.and_(digits, ir.Constant(_WORD, 0x7FFFFFFF))
        sign = builder.and_(sign, ir.Constant(_WORD, 0x80000000))
        return builder.bitcast(builder.or_(digits, sign), _SINGLE)

    return types.float32(types.float32, types.float32), generate


_ONE, _TWO, _HALF, _ZERO = (np.float32(number) for number in (1.0, 2.0, 0.5, 0.0))
_WHOLE = np.float32(_ROUND)
_PER_LN2 = np.float32(1.0 / np.log(2.0))
# ln 2 in two parts; the first has nine digits, so its products with whole n < 2^15 are exact.
_LN2_HIGH = np.float32(355.0 / 512.0)
_LN2_LOW = np.float32(np.log(2.0) - 355.0 / 512.0)
_EXP_LARGEST, _EXP_SMALLEST = np.float32(89.0), np.float32(-104.0)  # infinity, and 0
_EXPM1_SMALLEST, _TANH_LARGEST = np.float32(-20.0), np.float32(10.0)  # -1, and 1
_SIGMOID_LARGEST = np.float32(20.0)  # 1
_SCALE, _SCALE_POWER = np.float32(2.0**24), np.float32(24.0)
_TANH_NEAR = np.float32(0.55)

# Q(r) = (e^r - 1 - r) / r²
_Q0, _Q1, _Q2, _Q3, _Q4 = (
    np.float32(number)
    for number in (0.5, 0.16666542, 0.04166628, 0.008366644, 0.0013946555)
)  # fmt: skip
# P(f) = (log(1 + f) - f + f²/2) / f³
_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7 = (
    np.float32(number)
    for number in (
        0.3333333134651184, -0.250008225440979, 0.20001234114170074, -0.16623298823833466,
        0.14201553165912628, -0.1316058337688446, 0.12763331830501556, -0.07635658979415894,
    )
)  # fmt: skip
# T(z²) = (tanh z - z) / z³ for |z| < 0.55
_T0, _T1, _T2, _T3, _T4 = (
    np.float32(number)
    for number in (-0.33333316, 0.13332586, -0.05385231, 0.021071678, -0.006274238)
)  # fmt: skip
_SMALLEST_NORMAL, _INFINITY = np.float32(2.0**-126), np.float32(np.inf)
_NAN = np.float32(np.nan)
_LIFT, _LIFTED = np.float32(2.0**23), np.float32(23.0)
_SQRT2_LESS_1 = np.float32(np.sqrt(2.0) - 1.0)


@compiled()
def _reduced(x: Any) -> Any:
    """Return whole n and e^r - 1 with x = n ln 2 + r."""
    n = fused(x, _PER_LN2, _WHOLE) - _WHOLE
    r = fused(n, -_LN2_LOW, fused(n, -_LN2_HIGH, x))
    q = fused(r, fused(r, fused(r, fused(r, _Q4, _Q3), _Q2), _Q1), _Q0)
    return n, fused(r * r, q, r)


@compiled()
def exp(x: Any) -> Any:
    """Return e^x; denormal results are rounded once, so they are right too."""
    n, p = _reduced(
        choose(x > _EXP_LARGEST, _EXP_LARGEST, choose(x < _EXP_SMALLEST, _EXP_SMALLEST, x))
    )
    half = fused(n, _HALF, _WHOLE) - _WHOLE  # 2^n itself may not be a float
    return (_ONE + p) * power_of_two(half) * power_of_two(n - half)


@compiled()
def expm1(x: Any) -> Any:
    """Return e^x - 1 for x < 88."""
    n, p = _reduced(choose(x < _EXPM1_SMALLEST, _EXPM1_SMALLEST, x))
    scale = power_of_two(n)
    return fused(scale, p, scale - _ONE)


@compiled()
def sigmoid(z: Any) -> Any:
    """Return 1 / (1 + e^-z) as s e^z / (s + s e^z): with s = 2^24 no factor is denormal."""
    n, p = _reduced(
        choose(z > _SIGMOID_LARGEST, _SIGMOID_LARGEST, choose(z < _EXP_SMALLEST, _EXP_SMALLEST, z))
    )
    scale = power_of_two(n + _SCALE_POWER)
    e = fused(scale, p, scale)
    return e / (_SCALE + e)


@compiled()
def tanh(z: Any) -> Any:
    """Return 1 - 2 / (e^2|z| + 1) with the sign of z; that loses digits of a small z."""
    size = with_sign(z, _ONE)
    n, p = _reduced(_TWO * choose(size > _TANH_LARGEST, _TANH_LARGEST, size))
    far = _ONE - _TWO / fused(_ONE + p, power_of_two(n), _ONE)
    s = z * z
    t = fused(s, fused(s, fused(s, fused(s, _T4, _T3), _T2), _T1), _T0)
    near = fused(size * s, t, size)
    return with_sign(choose(size < _TANH_NEAR, near, far), z)


@compiled()
def _log_from(n: Any, f: Any) -> Any:
    """Return n ln 2 + log(1 + f), the smallest terms first."""
    p = fused(f, fused(f, fused(f, _P7, _P6), _P5), _P4)
    p = fused(f, fused(f, fused(f, fused(f, p, _P3), _P2), _P1), _P0)
    square = f * f
    small = fused(-_HALF, square, fused(f * square, p, n * _LN2_LOW))
    return fused(n, _LN2_HIGH, f + small)


@compiled()
def log(x: Any) -> Any:
    """Return log x: -inf at 0, NaN below."""
    denormal = x < _SMALLEST_NORMAL
    n, m = split(choose(denormal, x * _LIFT, x))
    result = _log_from(n - choose(denormal, _LIFTED, _ZERO), m - _ONE)
    return choose(x > _ZERO, choose(x < _INFINITY, result, x), choose(x == _ZERO, -_INFINITY, _NAN))


@compiled()
def log1p(u: Any) -> Any:
    """Return log(1 + u) for 0 <= u <= 1."""
    far = u > _SQRT2_LESS_1  # then 1 + u = 2 (1 + (u - 1) / 2)
    return _log_from(choose(far, _ONE, _ZERO), choose(far, _HALF * (u - _ONE), u))


def exp_of(x: Any) -> Any:
    """Return e^x in the type of x, inside compiled code."""
    return math.exp(x)


def _single_exp(x: Any) -> Any:
    return exp(x)


def _library_exp(x: Any) -> Any:
    return math.exp(x)


@overload(exp_of)
def _exp_of(x: Any) -> Any:
    return _single_exp if x == types.float32 else _library_exp
