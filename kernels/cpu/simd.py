"""Vector registers as values of compiled code.

A loop over memory runs at the speed of memory if it keeps its sums and factors in registers
and moves whole vectors. Numba's own values are single numbers; whether its loops become vector
instructions is up to the compiler, and where it would have to prove that arrays do not overlap,
it gives up. Here a *vector* is a value like any other, loaded from an address::

    total = load(x, 0)
    for k in range(lanes(x), size, lanes(x)):
        total = total + load(x, k)
    store(total, out, 0)

A vector here fills four registers: four chains of additions are under way at once, and a loop
costs a quarter of its counting. How many lanes that is depends on the processor
(:mod:`~tinygrad_cnn.kernels.cpu.vectors`). Comparing two vectors gives a *mask*, a vector of
truth values. A masked load or store touches no memory of the other lanes: that is how the end
of a row is treated.

Addresses come from :func:`~tinygrad_cnn.kernels.cpu.memory.address`; what is said there about
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

from tinygrad_cnn.kernels.cpu.vectors import FUSED, VECTOR_BYTES

_REGISTERS = 4


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


def _vector(element: Any) -> Vector:
    return Vector(element, _REGISTERS * VECTOR_BYTES // (element.bitwidth // 8))


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
    name = "fcmp_unordered" if sign == "!=" else "fcmp_ordered"
    return lambda builder, left, right: getattr(builder, name)(sign, left, right)


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


# -- memory --------------------------------------------------------------------------


@intrinsic
def lanes(typing_context: Any, pointer: Any) -> Any:
    """lanes(pointer): how many of the values that it points to fill a vector."""
    count = _vector(pointer.dtype).count

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(pointer), generate


@intrinsic
def spread(typing_context: Any, pointer: Any, value: Any) -> Any:
    """spread(pointer, value): a vector of the kind of what it points to, alike in each lane."""
    kind = _vector(pointer.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.cast(builder, arguments[1], signature.args[1], kind.element)
        return _spread(builder, value, kind.count)

    return kind(pointer, value), generate


@intrinsic
def first(typing_context: Any, pointer: Any, count: Any) -> Any:
    """first(pointer, count): the mask of the first `count` lanes; all or none beyond the ends."""
    kind = _vector(pointer.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count, all_of_them = arguments[1], arguments[1].type(kind.count)
        count = builder.select(builder.icmp_signed("<", count, all_of_them), count, all_of_them)
        counts = _spread(builder, builder.trunc(count, ir.IntType(32)), kind.count)
        return builder.icmp_signed("<", counts.type(list(range(kind.count))), counts)

    return _truth(kind)(pointer, types.intp), generate


@intrinsic
def load(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """load(pointer, offset): the vector that begins at pointer[offset]."""
    kind = _vector(pointer.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, kind, *arguments)
        return builder.load(place, align=kind.element.bitwidth // 8)

    return kind(pointer, types.intp), generate


@intrinsic
def store(typing_context: Any, value: Any, pointer: Any, offset: Any) -> Any:
    """store(value, pointer, offset): fill pointer[offset] and what follows."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, *where = arguments
        place = _place(context, builder, signature.args[0], *where)
        builder.store(value, place, align=signature.args[0].element.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(value, pointer, types.intp), generate


@intrinsic
def load_masked(typing_context: Any, pointer: Any, offset: Any, mask: Any) -> Any:
    """load_masked(pointer, offset, mask): the lanes of the mask, zeros in the others."""
    kind = _vector(pointer.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, offset, mask = arguments
        place = _place(context, builder, kind, pointer, offset)
        vector = context.get_value_type(kind)
        called = ir.FunctionType(vector, [place.type, ir.IntType(32), mask.type, vector])
        function = _function(builder, f"llvm.masked.load.{_suffix(vector)}.p0", called)
        alignment = ir.IntType(32)(kind.element.bitwidth // 8)
        return builder.call(function, [place, alignment, mask, ir.Constant(vector, None)])

    return kind(pointer, types.intp, mask), generate


@intrinsic
def store_masked(typing_context: Any, value: Any, pointer: Any, offset: Any, mask: Any) -> Any:
    """store_masked(value, pointer, offset, mask): fill the lanes of the mask alone."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, pointer, offset, mask = arguments
        place = _place(context, builder, signature.args[0], pointer, offset)
        called = ir.FunctionType(ir.VoidType(), [value.type, place.type, ir.IntType(32), mask.type])
        function = _function(builder, f"llvm.masked.store.{_suffix(value.type)}.p0", called)
        alignment = ir.IntType(32)(signature.args[0].element.bitwidth // 8)
        builder.call(function, [value, place, alignment, mask])
        return context.get_dummy_value()

    return types.void(value, pointer, types.intp, mask), generate


def _place(context: Any, builder: Any, kind: Vector, pointer: Any, offset: Any) -> Any:
    vector = context.get_value_type(kind)
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
