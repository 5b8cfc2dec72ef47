"""Names for a reader: elements by number, label or layer, values by who made them."""

from collections import Counter
from collections.abc import Sequence

from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import OptionError, unknown_name
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import structure_behind
from tinygrad_cnn.graph import Node
from tinygrad_cnn.variable import Variable

Place = int | str


class Places:
    """The elements of a walk, as the story numbers them, and the values between them.

    Attributes
    ----------
    graph : GraphDump
        All that the result was computed by, also what no error signal passes.
    order : tuple of FunctionElement
        In the order of the walk.
    steps : list of Step
        In the same order.
    numbers : list of int
        Their numbers: those of the story, where all of it was recorded.
    """

    def __init__(self, result: Variable, order: Sequence[FunctionElement]) -> None:
        self.graph = graph_of("step", result)
        known = {step.order: step for step in self.graph.steps}
        if any(element.order not in known for element in order):  # it ran before the recording
            steps = structure_behind(result.node)
            made = {kept.key: kept for step in steps for kept in step.outputs}
            self.graph = GraphDump(steps, made[id(result.node)], recorded=False)
            known = {step.order: step for step in steps}
        numbers = {step.order: number for number, step in enumerate(self.graph.steps, 1)}
        self.order = tuple(order)
        self.steps = [known[element.order] for element in order]
        self.numbers = [numbers[element.order] for element in order]
        self.labels = [step.label for step in self.steps]
        self._names = self._named(result.node)
        # In the order of the walk: who sends an error signal to a value, and by which input.
        self.readers: dict[Node, list[tuple[int, int]]] = {}
        for position, element in enumerate(self.order):
            for k, (node, wanted) in enumerate(zip(element.inputs, element.wanted, strict=True)):
                if wanted:
                    self.readers.setdefault(node, []).append((position, k))

    # -- elements --------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.order)

    def called(self, position: int) -> str:
        """Return the number and label of an element: ``#3 C3.conv2d``."""
        return f"#{self.numbers[position]} {self.labels[position]}"

    def find(self, operation: str, place: Place) -> list[int]:
        """Return the positions in the walk that a number or name means, or refuse it.

        A number is that of the story, as 3, "3" or "#3". A name is an element's label
        (``C3.conv2d``), its layer (``C3``, ``layer1.0``) or its kind (``conv2d``).
        """
        text = str(place).strip()
        number = text.removeprefix("#")
        if number.lstrip("-").isdigit():
            if int(number) not in self.numbers:
                raise OptionError(
                    f"{operation}: the elements of this walk are #{min(self.numbers)} to "
                    f"#{max(self.numbers)}; got {number}{self._missing(int(number))}"
                )
            return [self.numbers.index(int(number))]
        found = [
            position
            for position, step in enumerate(self.steps)
            if text in (step.label, step.scope, step.name) or step.scope.startswith(f"{text}.")
        ]
        if not found or not text:
            raise unknown_name(operation, text, dict.fromkeys(self.labels), "elements")
        return found

    def _missing(self, number: int) -> str:
        inside = min(self.numbers) < number < max(self.numbers)
        return ", which no error signal passes" if inside else ""

    # -- values ----------------------------------------------------------------------

    def name(self, node: Node) -> str:
        """Return the name of a value: its own, or that of the element that made it."""
        return self._names[node]

    def among(self, operation: str, name: str, nodes: Sequence[Node]) -> Node:
        """Return the one of some values that has a name, or refuse it."""
        wanted = name.strip()
        for sign, end in (("δ(", ")"), ("∇", "")):
            if wanted.startswith(sign):
                wanted = wanted.removeprefix(sign).removesuffix(end)
        for node in nodes:
            if self._names[node] == wanted:
                return node
        known = [self._names[node] for node in nodes]
        raise unknown_name(operation, wanted, dict.fromkeys(known), "error signals that wait")

    def _named(self, result: Node) -> dict[Node, str]:
        asked: dict[Node, tuple[str, int]] = {}
        for position in reversed(range(len(self.order))):
            element, step = self.order[position], self.steps[position]
            number = self.numbers[position]
            for k, node in enumerate(element.inputs):
                if node.creator is None:
                    own = node.name or f"{step.rule.input_symbol(k)} of {step.label}"
                    asked.setdefault(node, (own, number))
            for k, reference in enumerate(element.outputs):
                node = reference()  # type: ignore[assignment]
                if node is None:
                    continue
                made = step.label if not k else f"{step.rule.output_symbol(k)} of {step.label}"
                asked[node] = (node.name or made, number)
        several = Counter(name for name, _ in asked.values())
        return {
            node: name if several[name] == 1 else f"{name}#{number}"
            for node, (name, number) in asked.items()
        }
