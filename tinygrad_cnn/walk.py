"""The walk backward: error signals travel from values to what these depend on.

Elements are visited by descending number, each once; see :mod:`tinygrad_cnn.graph`.
"""

from collections.abc import Collection, Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from tinygrad_cnn import hooks
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.graph import Node, Recording, elements_behind, is_recording

if TYPE_CHECKING:
    from tinygrad_cnn.element import FunctionElement
    from tinygrad_cnn.variable import Variable

    Signals = tuple[Variable | None, ...]
    Ways = dict[int, tuple[bool, ...]]  # by the order of an element


def _leading_to(wanted: Collection[Node], elements: list["FunctionElement"]) -> "Ways":
    """Return, for each element on a way to a wanted node, which of its inputs lie on one."""
    ways: Ways = {}
    for element in elements:  # in execution order: what an element read was decided before it
        leads = tuple(
            node in wanted or (node.creator is not None and node.creator.order in ways)
            for node in element.inputs
        )
        if any(leads):
            ways[element.order] = leads
    return ways


def refuse_what_cannot_be_walked(
    roots: Iterable[Node], elements: Iterable["FunctionElement"]
) -> None:
    """Refuse elements whose saved arrays are freed, or were changed in place."""
    freed = any(root.freed for root in roots)
    for element in elements:
        if freed or element.freed or element.rests_on_freed:
            freed = True
            break
        for _, _, version, count in element._saved.values():
            if version.count != count:
                element.refuse_changed()
    if freed:
        raise GraphError(
            "backward: the saved arrays of a graph are freed by its first walk; got a second one. "
            "Call backward(retain_graph=True) the first time, or compute the value again."
        )


def propagate(
    roots: "Iterable[tuple[Variable, Variable]]", retain_graph: bool, create_graph: bool
) -> None:
    """Walk back from values to every leaf they depend on, and leave error signals there.

    Parameters
    ----------
    roots : iterable of (Variable, Variable)
        Values, each with the error signal that the walk starts from.
    retain_graph : bool
        Keep the saved arrays of the elements.
    create_graph : bool
        Record the walk.
    """
    roots = tuple(roots)
    elements = elements_behind(*(value.node for value, _ in roots))
    walk = Walk(roots, elements, retain_graph, create_graph)
    walk.run()
    for node, signal in walk.signals.items():
        deposit(node, signal, node in walk.owned or signal.requires_grad)


def signals_at(
    wanted: "Iterable[Node]",
    roots: "Iterable[tuple[Variable, Variable]]",
    retain_graph: bool,
    create_graph: bool,
    stop: Collection[Node] = (),
) -> "dict[Node, Variable]":
    """Walk back from values and return the error signals of the `wanted` nodes alone.

    No ``.grad`` is written, and only elements on a way to a wanted node are visited, where
    they compute the error signals of inputs on such a way.

    Parameters
    ----------
    wanted : iterable of Node
    roots, retain_graph, create_graph
        As for :func:`propagate`.
    stop : collection of Node
        Nodes that the walk does not go beyond.

    Returns
    -------
    dict of Node to Variable
        Without the nodes that no error signal reached.
    """
    roots, wanted = tuple(roots), set(wanted)
    elements = elements_behind(*(value.node for value, _ in roots), stop=stop)
    ways = _leading_to(wanted, elements)
    walk = Walk(
        roots, [e for e in elements if e.order in ways], retain_graph, create_graph, ways, wanted
    )
    walk.run()
    return {
        node: signal if signal.requires_grad or node in walk.owned else signal._private_copy()
        for node, signal in {**walk.signals, **walk.collected}.items()
        if node in wanted
    }


class Walk:
    """One walk backward: error signals on their way, by the nodes they have reached.

    :meth:`run` makes all of it. Whoever wants to pause between two elements calls :meth:`visit`
    for each, and :meth:`finish` at the end (:mod:`tinygrad_cnn.explain.stepper`).
    """

    def __init__(
        self,
        roots: "tuple[tuple[Variable, Variable], ...]",
        elements: list["FunctionElement"],
        retain_graph: bool,
        create_graph: bool,
        ways: "Ways | None" = None,
        wanted: Collection[Node] = (),
    ) -> None:
        self.signals: dict[Node, Variable] = {}
        self.collected: dict[Node, Variable] = {}  # finished ones of wanted nodes
        self.owned: set[Node] = set()  # nodes whose signal lies in memory of this walk alone
        self.elements = elements  # those to be visited, the next one last
        self._retain, self._create = retain_graph, create_graph
        self._ways, self._wanted = ways, wanted
        refuse_what_cannot_be_walked((value.node for value, _ in roots), elements)
        for value, seed in roots:
            present = self.signals.get(value.node)
            if present is None:
                self.signals[value.node] = seed
            else:
                self._add(value.node, present, seed, private=False)

    def run(self) -> None:
        """Visit the elements, the last one first."""
        with Recording(self._create):
            while self.elements:
                self.visit(self.elements.pop())
            self.finish()

    def finish(self) -> None:
        """Show the finished error signals of leaves to their hooks."""
        for node, signal in self.signals.items():
            if node.hooks:
                self.signals[node] = self._hooked(node, signal)

    def visit(self, element: "FunctionElement") -> None:
        """Take the finished error signals of the outputs, and send on those of the inputs."""
        signals = self.signals
        arrived: list[Variable | None] = []
        reached = False
        for reference in element.outputs:
            node = reference()
            signal = None if node is None else signals.pop(node, None)
            if node is not None and signal is not None:
                reached = True
                if node.hooks or node.retains_grad or self._wanted:
                    signal = self._looked_at(node, signal)
            arrived.append(signal)
        if not reached:
            return
        outgoing = tuple(arrived)
        observed = bool(hooks.observers())
        run = _run_observed if observed else type(element).propagate
        if self._ways is None:
            incoming = run(element, outgoing)
        else:
            with element.wanting(self._ways[element.order]):
                incoming = run(element, outgoing)
        answers_anew = element.answers_anew and not observed  # who looks on may have kept it
        for node, signal in zip(element.inputs, incoming):  # noqa: B905  # propagate has counted
            if signal is None:
                continue
            present = signals.get(node)
            # Asked only where it decides who owns a sum or a gradient.
            private = (present is not None or node.creator is None) and (
                answers_anew or (not observed and _is_private(signal, element, outgoing, incoming))
            )
            if present is not None:
                self._add(node, present, signal, private)
                continue
            signals[node] = signal
            if private:
                self.owned.add(node)
        if not self._retain:
            element.free()

    def _looked_at(self, node: Node, signal: "Variable") -> "Variable":
        """Show the finished error signal of a node to whoever asked for it."""
        if node.hooks:
            signal = self._hooked(node, signal)
        if self._ways is None and node.retains_grad:
            self.leave(node, signal)
        if node in self._wanted:
            self.collected[node] = signal
        return signal

    def leave(self, node: Node, signal: "Variable") -> None:
        """Leave the error signal of an intermediate value that wants to retain it in .grad."""
        deposit(node, signal, mine=signal.requires_grad)

    def _hooked(self, node: Node, signal: "Variable") -> "Variable":
        """Return what the hooks of a value leave of its error signal."""
        for hook in tuple(node.hooks.values()):
            with hooks.unobserved():
                replaced = hook(signal)
            if replaced is not None:
                signal._check_signal("register_hook", "what a hook returns", replaced)
                signal = replaced
        self.owned.discard(node)  # a hook may have kept it
        return signal

    def _add(self, node: Node, present: "Variable", signal: "Variable", private: bool) -> None:
        """Fan-in: the error signals that reach one value by several paths add up.

        The sum goes into the memory of one of them where that is nobody else's.
        """
        if not self._create and node in self.owned:
            present._accumulate(signal)
            return
        if not self._create and private:
            signal._accumulate(present)
        else:
            signal = _sum(present, signal, self._create)
        self.signals[node] = signal
        self.owned.add(node)


def _run_observed(element: "FunctionElement", outgoing: "Signals") -> "Signals":
    """Let an element propagate error signals, and tell those who look on.

    They may replace what it answers.
    """
    # With create_graph the elements of the walk become part of a graph: they are told too.
    with nullcontext() if is_recording() else hooks.unobserved():
        incoming, effort = hooks.measured(lambda: element.propagate(outgoing))
    return hooks.tell_backward(element, outgoing, incoming, effort)


def _sum(first: "Variable", second: "Variable", recorded: bool) -> "Variable":
    """Add two error signals; observers are told of the sum where it belongs to a graph."""
    with Recording(recorded), nullcontext() if recorded else hooks.unobserved():
        return first + second  # type: ignore[operator]  # Scalar and Tensor add


def _is_private(
    signal: "Variable",
    element: "FunctionElement",
    outgoing: "Iterable[Variable | None]",
    incoming: "Signals",
) -> bool:
    """Tell whether a signal lies in memory that its element's backward made for it alone."""
    if not signal._is_writable():
        return False
    itself = 0
    for other in (*outgoing, *incoming):
        if other is signal:
            itself += 1
        elif other is not None and signal._shares_memory(other._value):
            return False
    saved = element._saved.values()
    return itself == 1 and not any(signal._shares_memory(value) for value, *_ in saved)


def deposit(node: Node, signal: "Variable", mine: bool) -> None:
    """Add an error signal to .grad of the variable it belongs to, if that is still alive."""
    variable = None if node.variable is None else node.variable()
    if variable is None or not node.requires_grad:
        return
    before = variable._grad
    if before is not None:
        variable._grad = _sum(before, signal, signal.requires_grad or before.requires_grad)
    else:
        variable._grad = signal if mine else signal._private_copy()
    variable.grad_passes += 1
