"""One parallel loop for many kernels: tasks that are called through their address.

Numba needs one to three seconds to compile a parallel function, and a fifth of one for a
serial loop. So there is a single parallel function here. It is told the address of a compiled
*task* and that of a table, and calls ``task(table, k)`` for k = 0, 1, …, count - 1 on all
threads. What the table holds is agreed between a task and its wrapper; task k owns a part of
the result that the shape decides, so the number of threads changes no bit.

In the same way a *loop over values*, ``loop(x, y, z, out, count)``, is called through its
address: broadcasting is compiled once for all operations and all dtypes.
"""

from typing import Any

from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic

from tinygrad_cnn.kernels.alone import is_alone
from tinygrad_cnn.kernels.jit import address_of, compiled, is_listing
from tinygrad_cnn.kernels.layout import Array

#: From this many values on a call is shared between threads, if a value costs as much as in an
#: addition; where it costs c times that, from a c-th of them on. Waking the threads up takes
#: some 2 µs within a training step, a tenth of so many additions.
_FORK = 80_000

TASK = types.void(types.intp, types.intp)


class Code:
    """The address of a compiled function; it is compiled when it is first asked for.

    The code stays where it is as long as the function lives, and that is as long as its module.
    """

    def __init__(self, function: Any, signature: Any = TASK) -> None:
        self._function, self._signature, self._address = function, signature, 0

    @property
    def address(self) -> int:
        """Where the code lies."""
        address = self._address or address_of(self._function, self._signature)
        if not is_listing():
            self._address = address
        return address


def _call(context: Any, builder: Any, place: Any, arguments: Any) -> Any:
    """Emit a call of compiled code that returns nothing, as Numba calls its own functions.

    Numba hands over two places first, for a result and for an exception. There is neither.
    """
    word = context.get_value_type(types.intp)
    nothing = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(
        ir.IntType(32),
        [nothing.as_pointer(), nothing.as_pointer(), *(word for _ in arguments)],
    )
    entry = builder.function.entry_basic_block
    with builder.goto_block(entry):  # once for a function, not once for a turn of a loop
        places = [builder.alloca(nothing) for _ in range(2)]
    builder.call(builder.inttoptr(place, kind.as_pointer()), [*places, *arguments])
    return context.get_dummy_value()


@intrinsic
def call_task(typing_context: Any, task: Any, table: Any, k: Any) -> Any:
    """call_task(task, table, k): call the code at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(context, builder, arguments[0], arguments[1:])

    return types.void(types.intp, types.intp, types.intp), generate


@intrinsic
def call_loop(typing_context: Any, loop: Any, x: Any, y: Any, z: Any, out: Any, count: Any) -> Any:
    """call_loop(loop, x, y, z, out, count): call the code at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(context, builder, arguments[0], arguments[1:])

    return types.void(*(types.intp,) * 6), generate


@intrinsic
def call_update(
    typing_context: Any,
    loop: Any,
    grad: Any,
    parameter: Any,
    first: Any,
    second: Any,
    third: Any,
    numbers: Any,
    count: Any,
) -> Any:
    """call_update(loop, grad, …, count): call the code at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(context, builder, arguments[0], arguments[1:])

    return types.void(*(types.intp,) * 8), generate


@compiled(parallel=True)
def run_tasks(task: int, table: int, count: int) -> None:
    """Call task(table, k) for k = 0 … count - 1 on all threads.

    Only Python calls this: compiled code that did would be loaded from the cache without the
    threads that it needs, since Numba starts them for the parallel function alone.
    """
    for k in prange(count):
        call_task(task, table, k)


@compiled()
def run_in_order(task: int, table: int, count: int) -> None:
    """Call task(table, k) for k = 0 … count - 1, on the thread that asks."""
    for k in range(count):
        call_task(task, table, k)


def run(task: int, table: Array, count: int, work: int) -> None:
    """Call task(table, k) for k = 0 … count - 1, on all threads where the work is large.

    Work is counted in values that cost as much as those of an addition. A thread that works
    alone does all of it.
    """
    share = work > _FORK and not is_alone()
    (run_tasks if share else run_in_order)(task, table.ctypes.data, count)
