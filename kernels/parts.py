"""Compiling the functions that kernels are made of.

A compiled kernel contains whatever it calls: Numba links the callees' intermediate code into
the caller, where the optimiser sees all of it at once. For each callee Numba also makes
machine code of its own, an entry for Python and one for C, and a file in the cache. That is
a third of the time that LeNet-5's kernels take, and nobody uses any of it. So a function
that is met inside another one is compiled only as far as its intermediate code, as a *part*.

A function may be both: when Python calls it, it is compiled as a whole, as if it had never
been a part, with its entry for Python. Entries for C are left out everywhere.
"""

from typing import Any

from numba.core import event, typing
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompileResult, Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher
from numba.core.sigutils import normalize_signature
from numba.core.types.misc import unliteral

Types = tuple[Any, ...]


class _IntermediateCode(JITCodeLibrary):
    """Optimised code for callers to link; none of it is made into machine code."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class KernelDispatcher(CPUDispatcher):
    """Numba's dispatcher, in which being called from compiled code is another matter."""

    def __init__(self, function: Any, options: dict[str, Any]) -> None:
        super().__init__(function, targetoptions={"no_cfunc_wrapper": True, **options})
        self._parts: dict[Types, tuple[object, CompileResult]] = {}

    @property
    def nopython_signatures(self) -> list[Any]:
        """What it was compiled for, as a whole or as a part."""
        parts = {types: result for types, (_, result) in self._parts.items()}
        return [result.signature for result in {**parts, **self.overloads}.values()]

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Return what a call from compiled code looks like; the part is compiled then.

        Numba would compile a part anew for every number that is written out in a call. The
        optimiser, which sees both sides, makes as much of an integer.
        """
        signature, types = self._compiler.fold_argument_types(args, kws)
        types = tuple(map(unliteral, types))
        with global_compiler_lock:
            self._compile_part(types)
        name = self.py_func.__name__
        template = typing.make_concrete_template(
            f"CallTemplate({name})", key=name, signatures=self.nopython_signatures
        )
        return template, signature, types, {}

    def get_overload(self, sig: Any) -> object:
        """Return what Numba knows the code for a signature by."""
        part = self._parts.get(normalize_signature(sig)[0])
        return super().get_overload(sig) if part is None else part[0]

    def add_overload(self, result: Any) -> None:
        """Take a function compiled as a whole, and see to the environments of its parts."""
        super().add_overload(result)
        for environment in result._find_referenced_environments():
            result.library.codegen.set_env(environment.env_name, environment)

    def libraries(self) -> list[Any]:
        """Return the code that was compiled here, as a whole or as a part, to be read."""
        parts = [result.library for _, result in self._parts.values()]
        return [*parts, *(result.library for result in self.overloads.values())]

    def _compile_part(self, types: Types) -> None:
        if types in self._parts or types in self.overloads:
            return
        flags = Flags()
        self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
        flags.no_cpython_wrapper = flags.no_compile = True
        codegen = self.targetctx.codegen()
        library = _IntermediateCode(codegen, self.py_func.__qualname__)
        details = {"dispatcher": self, "args": types, "return_type": None}
        with self._compiling_counter, event.trigger_event("numba:compile", data=details):
            result = compile_extra(
                self.typingctx, self.targetctx, self.py_func, types, None, flags, {}, library
            )
        name = object()
        self.targetctx.insert_user_function(name, result.fndesc, [library])
        self._parts[types] = name, result
