"""Vector instructions, written once for all intrinsics that are made of them."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinygrad_cnn.kernels.cpu.instructions.vectors import FUSED


class Registers:
    """The vector instructions for one element type and one number of lanes."""

    def __init__(self, builder: Any, element: Any, width: int) -> None:
        self.builder = builder
        self.vector = ir.VectorType(element, width)
        self.zeros = ir.Constant(self.vector, None)
        self._bytes = 4 if isinstance(element, ir.FloatType) else 8
        self._lanes = ir.VectorType(ir.IntType(32), width)
        self._suffix = f"v{width}f{8 * self._bytes}"

    def constant(self, value: float) -> Any:
        """Return `value` in every lane."""
        return ir.Constant(self.vector, [float(value)] * self.vector.count)

    def load(self, address: Any) -> Any:
        """Load a vector, wherever it lies."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        return self.builder.load(pointer, align=self._bytes)

    def store(self, value: Any, address: Any) -> None:
        """Store a vector, wherever it goes."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        self.builder.store(value, pointer, align=self._bytes)

    def first(self, count: Any) -> Any:
        """Return a mask of the first `count` lanes."""
        count = self._spread(self.builder.trunc(count, ir.IntType(32)), self._lanes)
        return self.builder.icmp_signed("<", self._lanes(list(range(self._lanes.count))), count)

    def store_first(self, value: Any, address: Any, mask: Any) -> None:
        """Store the lanes of a mask and touch no memory behind them."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        kind = ir.FunctionType(
            ir.VoidType(), [self.vector, pointer.type, ir.IntType(32), mask.type]
        )
        masked = self._instruction(f"llvm.masked.store.{self._suffix}.p0", kind)
        self.builder.call(masked, [value, pointer, ir.IntType(32)(self._bytes), mask])

    def load_first(self, address: Any, mask: Any) -> Any:
        """Load the lanes of a mask, zeros in the others, and touch no memory behind them."""
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        kind = ir.FunctionType(self.vector, [pointer.type, ir.IntType(32), mask.type, self.vector])
        masked = self._instruction(f"llvm.masked.load.{self._suffix}.p0", kind)
        zeros = ir.Constant(self.vector, None)
        return self.builder.call(masked, [pointer, ir.IntType(32)(self._bytes), mask, zeros])

    def spread(self, value: Any) -> Any:
        """Copy one value into every lane."""
        return self._spread(value, self.vector)

    def multiply_add(self, left: Any, right: Any, total: Any) -> Any:
        """Return left · right + total.

        Without fused instructions ``llvm.fma`` would call a function for every lane:
        multiply and add then, each rounded.
        """
        if not FUSED:
            return self.builder.fadd(self.builder.fmul(left, right), total)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fma = self._instruction(f"llvm.fma.{self._suffix}", kind)
        return self.builder.call(fma, [left, right, total])

    def shuffle(self, left: Any, right: Any, order: list[int]) -> Any:
        """Pick lanes of two vectors: those of the left one count from 0, then the right one."""
        return self.builder.shuffle_vector(left, right, self._lanes(order))

    def _spread(self, value: Any, vector: Any) -> Any:
        empty = ir.Constant(vector, ir.Undefined)
        first = self.builder.insert_element(empty, value, ir.IntType(32)(0))
        return self.builder.shuffle_vector(first, empty, self._lanes([0] * vector.count))

    def _instruction(self, name: str, kind: Any) -> Any:
        return cgutils.get_or_insert_function(self.builder.module, kind, name)
