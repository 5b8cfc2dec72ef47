"""Vector registers as values of compiled code.

A loop over memory runs at the speed of memory if it keeps its sums and factors in registers
and moves whole vectors. Numba's own values are single numbers; whether its loops become vector
instructions is up to the compiler, and where it would have to prove that arrays do not overlap,
it gives up. Here a *vector* is a value like any other, loaded from an address::

    total = load(x, 0)
    for k in range(lanes(x), size, lanes(x)):
        total = total + load(x, k)
    store(total, out, 0)

A vector fills four registers: four chains of additions are under way at once, and a loop
costs a quarter of its counting. How many lanes that is depends on the processor
(:mod:`~tinygrad_cnn.kernels.cpu.instructions.vectors`). Comparing two vectors gives a *mask*,
a vector of truth values. A masked load or store touches no memory of the other lanes: that is
how the end of a row is treated.

Addresses come from :func:`~tinygrad_cnn.kernels.cpu.loops.memory.address`; what is said there about
the life of arrays holds here too.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from tinygrad_cnn.kernels.cpu.instructions.vectors import FUSED, VECTOR_BYTES

# Whether masked moves are instructions; else the usual case of a whole vector is a branch.
_HAS_MASKS = VECTOR_BYTES == 64


class Vector(types.Type):
    """The type of a vector of values, or of truth values."""

    def __init__(self, element: Any, count: int) -> None:
        self.element, self.count = element, count
        super().__init__(name=f"Vector({element} x {count})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        element = manager.lookup(kind.element).get_value_type()
        super().__init__(manager, kind, ir.VectorType(element, kind.count))


def _truth(kind: Vector) -> Vector:
    return Vector(types.boolean, kind.count)


# -- arithmetic and comparison -------------------------------------------------------


def _teach(function: Any, result: Callable[[Vector], Vector], emit: Callable[..., Any]) -> None:
    """Let an operator take two vectors of one type."""

    class Template(AbstractTemplate):
        key = function

        def generic(self, arguments: Any, keywords: Any) -> Any:
            left, right = arguments
            alike = isinstance(left, Vector) and left == right
            return signature(result(left), left, right) if alike else None

    infer_global(function)(Template)

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return emit(builder, *arguments)

    lower_builtin(function, Vector, Vector)(lower)


def _ordered(sign: str) -> Callable[..., Any]:
    """Compare so that a NaN compares as IEEE 754 says: it differs from all, and is not less."""

    def emit(builder: Any, left: Any, right: Any) -> Any:
        if isinstance(left.type.element, ir.IntType):
            return builder.icmp_unsigned(sign, left, right)
        compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        return compare(sign, left, right)

    return emit


for _operator, _method in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _teach(_operator, lambda kind: kind, lambda b, x, y, name=_method: getattr(b, name)(x, y))
for _operator, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _teach(_operator, _truth, _ordered(_sign))
_teach(operator.and_, lambda kind: kind, lambda builder, x, y: builder.and_(x, y))
_teach(operator.or_, lambda kind: kind, lambda builder, x, y: builder.or_(x, y))


@intrinsic
def negation(typing_context: Any, mask: Any) -> Any:
    """negation(mask): the other lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.not_(*arguments)

    return mask(mask), generate


@intrinsic
def multiply_add(typing_context: Any, left: Any, right: Any, summand: Any) -> Any:
    """multiply_add(left, right, summand): left · right + summand, rounded once where it can be."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right, summand = arguments
        if not FUSED:  # llvm.fma would call a function for every lane
            return builder.fadd(builder.fmul(left, right), summand)
        called = ir.FunctionType(left.type, [left.type] * 3)
        function = _function(builder, f"llvm.fma.{_suffix(left.type)}", called)
        return builder.call(function, arguments)

    return left(left, right, summand), generate


@intrinsic
def select(typing_context: Any, mask: Any, yes: Any, no: Any) -> Any:
    """select(mask, yes, no): lane by lane one or the other."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return yes(mask, yes, no), generate


# -- lanes ---------------------------------------------------------------------------


def _widths(vector_bytes: int) -> tuple[Any, ...]:
    """Return what depends on how many bytes a vector has."""

    def vector(element: Any) -> Vector:
        return Vector(element, vector_bytes // (element.bitwidth // 8))

    @intrinsic
    def lanes(typing_context: Any, pointer: Any) -> Any:
        """lanes(pointer): how many of the values that it points to fill a vector."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return context.get_constant(types.intp, vector(pointer.dtype).count)

        return types.intp(pointer), generate

    @intrinsic
    def spread(typing_context: Any, pointer: Any, value: Any) -> Any:
        """spread(pointer, value): a vector of what it points to, alike in each lane."""
        kind = vector(pointer.dtype)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = context.cast(builder, arguments[1], signature.args[1], kind.element)
            return _spread(builder, value, kind.count)

        return kind(pointer, value), generate

    @intrinsic
    def first(typing_context: Any, pointer: Any, count: Any) -> Any:
        """first(pointer, count): the mask of the first `count` lanes, none or all of them."""
        kind = vector(pointer.dtype)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            count, most = arguments[1], arguments[1].type(kind.count)
            count = builder.select(builder.icmp_signed("<", count, most), count, most)
            counts = _spread(builder, builder.trunc(count, ir.IntType(32)), kind.count)
            return builder.icmp_signed("<", counts.type(list(range(kind.count))), counts)

        return _truth(kind)(pointer, types.intp), generate

    @intrinsic
    def load(typing_context: Any, pointer: Any, offset: Any) -> Any:
        """load(pointer, offset): the vector that begins at pointer[offset]."""
        kind = vector(pointer.dtype)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _place(builder, context.get_value_type(kind), *arguments)
            return builder.load(place, align=kind.element.bitwidth // 8)

        return kind(pointer, types.intp), generate

    return lanes, spread, first, load


lanes, spread, first, load = _widths(4 * VECTOR_BYTES)
#: The same for vectors of one register, where runs of neighbouring values are short ...
lanes_one, spread_one, first_one, load_one = _widths(VECTOR_BYTES)
#: ... and of half a register: to store 64 bytes across cache lines takes three times as long.
lanes_half, _, first_half, _ = _widths(VECTOR_BYTES // 2)


@intrinsic
def spread_beside(typing_context: Any, pointer: Any, value: Any, vector: Any) -> Any:
    """spread_beside(pointer, value, vector): as spread, with as many lanes as another vector."""
    kind = Vector(pointer.dtype, vector.count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.cast(builder, arguments[1], signature.args[1], kind.element)
        return _spread(builder, value, kind.count)

    return kind(pointer, value, vector), generate


# -- memory --------------------------------------------------------------------------


@intrinsic
def store(typing_context: Any, value: Any, pointer: Any, offset: Any) -> Any:
    """store(value, pointer, offset): fill pointer[offset] and what follows."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, pointer, offset = arguments
        place = _place(builder, value.type, pointer, offset)
        builder.store(value, place, align=signature.args[0].element.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(value, pointer, types.intp), generate


@intrinsic
def load_masked(typing_context: Any, pointer: Any, offset: Any, mask: Any) -> Any:
    """load_masked(pointer, offset, mask): the lanes of the mask, zeros in the others."""
    kind = Vector(pointer.dtype, mask.count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, offset, mask = arguments
        vector, size = context.get_value_type(kind), kind.element.bitwidth // 8
        place = _place(builder, vector, pointer, offset)
        called = ir.FunctionType(vector, [place.type, ir.IntType(32), mask.type, vector])
        function = _function(builder, f"llvm.masked.load.{_suffix(vector)}.p0", called)
        given = [place, ir.IntType(32)(size), mask, ir.Constant(vector, None)]
        if _HAS_MASKS:
            return builder.call(function, given)
        with builder.if_else(_is_full(builder, mask)) as (whole, part):
            with whole:
                all_lanes, from_whole = builder.load(place, align=size), builder.block
            with part:
                some_lanes, from_part = builder.call(function, given), builder.block
        result = builder.phi(vector)
        result.add_incoming(all_lanes, from_whole)
        result.add_incoming(some_lanes, from_part)
        return result

    return kind(pointer, types.intp, mask), generate


@intrinsic
def store_masked(typing_context: Any, value: Any, pointer: Any, offset: Any, mask: Any) -> Any:
    """store_masked(value, pointer, offset, mask): fill the lanes of the mask alone."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, pointer, offset, mask = arguments
        size = signature.args[0].element.bitwidth // 8
        place = _place(builder, value.type, pointer, offset)
        called = ir.FunctionType(ir.VoidType(), [value.type, place.type, ir.IntType(32), mask.type])
        function = _function(builder, f"llvm.masked.store.{_suffix(value.type)}.p0", called)
        given = [value, place, ir.IntType(32)(size), mask]
        if _HAS_MASKS:
            builder.call(function, given)
        else:
            with builder.if_else(_is_full(builder, mask)) as (whole, part):
                with whole:
                    builder.store(value, place, align=size)
                with part:
                    builder.call(function, given)
        return context.get_dummy_value()

    return types.void(value, pointer, types.intp, mask), generate


def _is_full(builder: Any, mask: Any) -> Any:
    number = ir.IntType(mask.type.count)
    return builder.icmp_unsigned("==", builder.bitcast(mask, number), number(-1))


def _place(builder: Any, vector: Any, pointer: Any, offset: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())


def _spread(builder: Any, value: Any, count: int) -> Any:
    empty = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    places = ir.Constant(ir.VectorType(ir.IntType(32), count), None)
    return builder.shuffle_vector(
        builder.insert_element(empty, value, ir.IntType(32)(0)), empty, places
    )


def _suffix(vector: Any) -> str:
    element = vector.element
    bits = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}.get(element) or f"i{element.width}"
    return f"v{vector.count}{bits}"


def _function(builder: Any, name: str, kind: Any) -> Any:
    return cgutils.get_or_insert_function(builder.module, kind, name)
