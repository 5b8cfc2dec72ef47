"""A run of PyTorch as the same document: what two frameworks do with the same weights.

PyTorch tells of each function that a program calls, and lets hooks look at the error signal of
each value. So its run can be written down as ours are: elements in execution order, figures of
what they made, of δ, and of what each of them sent to its inputs. Then
:func:`~tinygrad_cnn.explain.difference` says where the two part.

To see what *one* reader of a value sends back, it is handed a view of the value, which computes
nothing and has a hook of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np

from tinygrad_cnn.errors import DTypeError, GraphError, MissingImportError
from tinygrad_cnn.explain.fan_in import FanInCollector
from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.recording import Kept, Spent, Statistics, Step, calling_line
from tinygrad_cnn.explain.torch_elements import Described, Place, described, name_of

__all__ = ["dump_torch"]

OPERATION = "dump_torch"


def dump_torch(
    module: Any, inputs: Any, objective: Callable[[Any], Any], title: str = ""
) -> GraphDump:
    """Run a network of PyTorch forward and backward, and return the run as a document.

    Parameters
    ----------
    module : torch.nn.Module
        It runs in the mode that it is in, and is left as it was: gradients and buffers too.
    inputs : torch.Tensor, or tuple of them
        What it is called with.
    objective : callable
        Takes what the module returns, and returns the loss, a tensor of one element.
    title : str
        What pictures and pages are headed by; by default the module's class.

    Returns
    -------
    GraphDump
        For every renderer and :func:`difference`. Functions that this library has too have its
        name, options and rule, others their own; no kernels and times are known.

    Raises
    ------
    MissingImportError
        If PyTorch is not installed.
    DTypeError
        If the module is none of PyTorch's.
    GraphError
        If the loss is not one number, or nothing that requires a gradient led to it.

    Notes
    -----
    Dropout draws in each framework from its own generator: compare in evaluation.
    A function that changes its argument in place sends back all of what came to the old value,
    whoever else read it; ``inplace=True`` of layers is switched off meanwhile.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())  # doctest: +SKIP
    >>> graph = dump_torch(net, torch.ones(4, 3), torch.sum)  # doctest: +SKIP
    >>> [step.label for step in graph.steps]  # doctest: +SKIP
    ['0.affine', '1.tanh', 'sum']
    """
    try:
        import torch
    except ImportError as error:
        raise MissingImportError(
            f"{OPERATION}: PyTorch is installed; got {error}. pip install torch"
        ) from None
    if not isinstance(module, torch.nn.Module):
        raise DTypeError(f"{OPERATION}: a torch.nn.Module is run; got {type(module).__name__}")
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    run = _TorchRun(torch, module)
    with _left_as_it_is(torch, module), torch.enable_grad():
        with run.watching():
            loss = objective(module(*given))
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            got = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise GraphError(f"{OPERATION}: the objective returns one number; got {got}")
        return run.graph(loss, title or type(module).__name__)


@contextmanager
def _left_as_it_is(torch: Any, module: Any) -> Any:
    """Give a module its buffers back, and let its layers compute out of place meanwhile."""
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    in_place = [each for each in module.modules() if getattr(each, "inplace", False) is True]
    for each in in_place:
        each.inplace = False
    try:
        yield
    finally:
        for each in in_place:
            each.inplace = True
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


class _TorchRun:
    """What is seen of a run: elements as they are called, then what comes back to them."""

    def __init__(self, torch: Any, module: Any) -> None:
        self.torch, self.module = torch, module
        self.names = {id(value): name for name, value in module.named_parameters()}
        self.steps: list[Step] = []
        # What each element sent to the tensors it was given, and which of these it reads.
        self.arrived: list[tuple[list[Any], tuple[int | float, ...]]] = []
        self.came: dict[int, Any] = {}  # δ of values, by their key
        self.keys: dict[int, int] = {}  # of tensors, by their id
        self.kept: dict[int, Kept] = {}
        self.leaves: dict[int, Any] = {}
        self.alive: list[Any] = []  # an id is one tensor's as long as that lives
        self.path: list[str] = [""]

    # -- forward ---------------------------------------------------------------------

    def watching(self) -> ExitStack:
        """Look on while the program inside a ``with`` block runs."""
        from torch.overrides import TorchFunctionMode

        class Watching(TorchFunctionMode):  # type: ignore[misc]
            def __torch_function__(
                self, function: Any, types: Any, args: Any = (), kwargs: Any = None
            ) -> Any:
                return run.call(function, args, kwargs or {})

        run = self
        stack = ExitStack()

        def left(*_: Any) -> None:
            self.path.pop()

        for path, module in self.module.named_modules():
            entered = partial(self._entered, path)
            stack.callback(module.register_forward_pre_hook(entered).remove)
            stack.callback(module.register_forward_hook(left).remove)
        stack.enter_context(Watching())
        return stack

    def _entered(self, path: str, *_: Any) -> None:
        self.path.append(path)

    def call(self, function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
        """Call a function; keep it as an element if it made values of its tensors."""
        tensors: list[Any] = []
        views: list[Any] = []
        name = name_of(function)
        called = str(getattr(function, "__name__", ""))
        changes = called.startswith("__i") or (called.endswith("_") and called[:2] != "__")
        changes = changes or bool(options.get("inplace")) or called == "__setitem__"

        def view(argument: Any) -> Any:
            if isinstance(argument, self.torch.Tensor):
                tensors.append(argument)
                shown = argument
                if argument.requires_grad and argument.is_floating_point() and not changes:
                    shown = argument.view_as(argument)
                    self.alive.append(shown)
                    self.keys[id(shown)] = self._key(argument)
                views.append(shown)
                return shown
            if type(argument) in (tuple, list):
                return type(argument)(map(view, argument))
            return argument

        args, options = [view(each) for each in args], {k: view(v) for k, v in options.items()}
        arrived: list[Any] = [None] * len(tensors)
        if changes:  # hooks on the old values, and figures of them
            inputs = self._read(tensors, tensors, arrived)
        made = function(*args, **options)
        # x[...] = y hands nothing back: what it made is x.
        outputs = tensors[0] if changes and made is None and tensors else made
        outputs = [outputs] if isinstance(outputs, self.torch.Tensor) else outputs
        if not isinstance(outputs, tuple | list) or not tensors:
            return made
        outputs = [
            each for each in outputs
            if isinstance(each, self.torch.Tensor) and each.is_floating_point()
            and (changes or id(each) not in self.keys)
        ]  # fmt: skip
        if not outputs:
            return made
        if not changes:
            inputs = self._read(tensors, views, arrived)
        given, named = self._places((args, options), views)
        found = described(name, tensors, given, named, len(outputs))
        if found is None:  # hands on what it was given
            for each in outputs:
                self.alive.append(each)
                self.keys[id(each)] = inputs[0].key
        else:
            self._add(found, inputs, arrived, outputs)
        return made

    def _read(self, tensors: list[Any], views: list[Any], arrived: list[Any]) -> list[Kept]:
        """Keep the values that an element reads, and let hooks keep what it sends to them."""
        for place, each in enumerate(views):
            if each.requires_grad:
                each.register_hook(self._keeper(arrived, place))
        return [self._kept(tensor) for tensor in tensors]

    def _places(self, arguments: Any, views: Sequence[Any]) -> Any:
        numbers = iter(range(len(views)))

        def place(argument: Any) -> Any:
            if isinstance(argument, self.torch.Tensor):
                return Place(next(numbers))
            if type(argument) in (tuple, list):
                return type(argument)(map(place, argument))
            return argument

        given, options = arguments
        return [place(each) for each in given], {k: place(v) for k, v in options.items()}

    def _add(
        self, found: Described, inputs: list[Kept], arrived: list[Any], outputs: list[Any]
    ) -> None:
        """Keep an element, and let hooks keep what comes back to it."""
        number = len(self.steps) + 1
        self.arrived.append((arrived, found.inputs))
        read = [
            self._kept(self.torch.tensor(place)) if isinstance(place, float) else inputs[place]
            for place in found.inputs
        ]
        made = []
        for each in outputs:
            self.keys.pop(id(each), None)  # changed in place: from here on another value
            made.append(self._kept(each, made=True))
            if each.requires_grad:
                each.register_hook(self._keeper(self.came, made[-1].key))
        symbols = found.rule.outputs
        if len(made) > len(symbols):  # such as the parts of a split
            made = made[: len(symbols)]
        self.steps.append(
            Step(
                number,
                found.name,
                self.path[-1],
                found.options,
                found.rule,
                found.convention,
                found.cost,
                tuple(read),
                tuple(made),
                Spent(0.0, ()),
                calling_line(beside=("torch",)),
            )
        )

    def _keeper(self, into: Any, place: int) -> Callable[[Any], None]:
        def keep(signal: Any) -> None:
            into[place] = _array(signal).copy()

        return keep

    def _key(self, tensor: Any) -> int:
        return self._kept(tensor).key

    def _kept(self, tensor: Any, made: bool = False) -> Kept:
        key = self.keys.get(id(tensor))
        if key is None:
            key = self.keys[id(tensor)] = len(self.kept)
            self.alive.append(tensor)
            name = self.names.get(id(tensor))
            leaf = bool(tensor.is_leaf) and not made
            if leaf and tensor.requires_grad:
                self.leaves[key] = tensor
            dtype = str(tensor.dtype).removeprefix("torch.")
            facts = (tuple(tensor.shape), dtype, str(tensor.device), bool(tensor.requires_grad))
            self.kept[key] = Kept(
                key, *facts, leaf, Statistics.of(_array(tensor)), None, None, name
            )
        return self.kept[key]

    # -- backward --------------------------------------------------------------------

    def graph(self, loss: Any, title: str) -> GraphDump:
        """Walk back, and return the document of what led to the loss."""
        result = self.keys.get(id(loss), -1)
        steps = self._behind(result)
        if not steps or not loss.requires_grad:
            raise GraphError(
                f"{OPERATION}: the loss comes of a parameter by functions of PyTorch; got one of "
                f"{len(self.steps)} that were called, and requires_grad={loss.requires_grad}"
            )
        leaves = list(self.leaves.items())
        gradients = self.torch.autograd.grad(
            loss, [leaf for _, leaf in leaves], self.torch.ones_like(loss), allow_unused=True
        )
        collector = FanInCollector()
        for step in steps:
            for kept in step.inputs:
                if kept.requires_grad:
                    collector.read(kept.key)
        for step in reversed(steps):
            arrived, places = self.arrived[step.order - 1]
            sent = [None if isinstance(place, float) else arrived[place] for place in places]
            keys = [kept.key for kept in step.inputs]
            made = [kept.key for kept in step.outputs]
            collector.visit(step.order, made, zip(keys, sent, strict=True))
            step.outgoing = tuple(_signal(kept, self.came.get(kept.key)) for kept in step.outputs)
            if any(signal is not None for signal in step.outgoing):
                step.incoming = tuple(map(_signal, step.inputs, _added(keys, sent)))
                step.backward_effort, step.passes = Spent(0.0, ()), 1
            else:
                step.outgoing = None
        fan_ins = collector.among(
            (step.order for step in steps),
            dict.fromkeys(kept.key for step in steps for kept in step.inputs),
        )
        return GraphDump(
            steps,
            self.kept[result],
            True,
            title,
            {
                key: self.kept[key].with_figures(Statistics.of(_array(gradient)), None)
                for (key, _), gradient in zip(leaves, gradients, strict=True)
                if gradient is not None
            },
            fan_ins,
            f"torch {self.torch.__version__}",
        )

    def _behind(self, result: int) -> list[Step]:
        """Return the steps that a value depends on, in execution order."""
        wanted, found = {result}, []
        for step in reversed(self.steps):
            if any(kept.key in wanted for kept in step.outputs):
                wanted.update(kept.key for kept in step.inputs)
                found.append(step)
        return found[::-1]


def _added(keys: Sequence[int], sent: Iterable[Any]) -> list[Any]:
    """Add up what goes to one value by several inputs, at the first of them."""
    totals: dict[int, Any] = {}
    for key, signal in zip(keys, sent, strict=True):
        if signal is not None:
            totals[key] = totals[key] + signal if key in totals else signal
    return [totals.pop(key, None) for key in keys]


def _signal(kept: Kept, value: Any) -> Kept | None:
    return None if value is None else kept.with_figures(Statistics.of(value), None)


def _array(tensor: Any) -> Any:
    """Return the numbers of a tensor, wherever it lies; types that NumPy has not are widened."""
    here = tensor.detach().cpu()
    if str(here.dtype) == "torch.bfloat16":
        here = here.float()
    return np.asarray(here.resolve_conj().resolve_neg().numpy())
