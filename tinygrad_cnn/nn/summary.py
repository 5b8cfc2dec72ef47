"""A network layer by layer: shapes, parameters, work, memory and receptive fields."""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from tinygrad_cnn import hooks
from tinygrad_cnn.creation import zeros
from tinygrad_cnn.element import FunctionElement, byte_size
from tinygrad_cnn.elements.requirements import integers
from tinygrad_cnn.errors import DTypeError, ShapeError, unknown_name
from tinygrad_cnn.graph import Node, Shape, enable_grad
from tinygrad_cnn.memory import SavedBytes, saved_bytes
from tinygrad_cnn.nn.module import Module, Parameter, running_module
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.variable import Variable

Pair = tuple[int, int]


class Field(NamedTuple):
    """What a pixel sees of the image, in pixels of the image.

    `rows` and `columns` it sees; `down` and `across` from what one pixel sees to what its
    neighbour does; `height` and `width`, how many such pixels stand in a map.
    """

    rows: float
    columns: float
    down: float
    across: float
    height: int
    width: int


@dataclass
class Row:
    """One layer, or one element outside of any layer.

    Parameters
    ----------
    path : str
        Dotted path of the layer; of an element, that of the module it runs in.
    kind : str
        Class of the layer, or name of the element.
    output_shape : tuple of int
    parameters : int
        Trained numbers that no row above has counted.
    multiply_adds, grad_input, grad_weight : int
        Work of the run, of the error signals of values, and of those of parameters.
    activation_bytes : int
        Bytes of the values that it computes; views take none.
    receptive_field : (int, int) or None
        Rows and columns of the image that one output pixel depends on; all of the image for
        what adds up over whole maps. None where the input is no image.
    """

    path: str
    kind: str
    output_shape: Shape = ()
    parameters: int = 0
    multiply_adds: int = 0
    grad_input: int = 0
    grad_weight: int = 0
    activation_bytes: int = 0
    receptive_field: Pair | None = None


@dataclass(frozen=True)
class Summary:
    """What :func:`summary` found; ``print`` shows a table.

    Parameters
    ----------
    name : str
        Class of the network.
    input_shape : tuple of int
    rows : tuple of Row
        In the order they ran.
    parameters, trainable : int
        Numbers in all parameters, a shared one once, also if it did not run; and those of
        them that require a gradient.
    saved : SavedBytes
        What the graph of the run keeps for its walk back.
    """

    name: str
    input_shape: Shape
    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    saved: SavedBytes

    @property
    def output_shape(self) -> Shape:
        """Shape of what the last row computed."""
        return self.rows[-1].output_shape if self.rows else self.input_shape

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one run."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def grad_input(self) -> int:
        """Multiply-adds of the error signals of all values, the image among them."""
        return sum(row.grad_input for row in self.rows)

    @property
    def grad_weight(self) -> int:
        """Multiply-adds of the gradients of all parameters."""
        return sum(row.grad_weight for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all values that are computed."""
        return sum(row.activation_bytes for row in self.rows)

    def __getitem__(self, path: str) -> Row:
        """Return the last row of a path, such as ``"layer1.0.conv1"``."""
        found = {row.path: row for row in self.rows}
        if path not in found:
            raise unknown_name("summary", path, found)
        return found[path]

    def __str__(self) -> str:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table

        table = Table(
            title=f"{self.name}, input {_times(self.input_shape)}", box=SIMPLE_HEAD,
            title_justify="left", show_footer=True,
        )  # fmt: skip
        table.add_column("layer", "total", no_wrap=True)
        table.add_column("output", no_wrap=True)
        for title, total in (
            ("parameters", self.parameters),
            ("multiply-adds", self.multiply_adds),
            ("grad input", self.grad_input),
            ("grad weight", self.grad_weight),
            ("bytes", self.activation_bytes),
        ):
            table.add_column(title, f"{total:,}", justify="right", no_wrap=True)
        table.add_column("sees", justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(
                f"{row.path} {row.kind}".strip(),
                _times(row.output_shape),
                *(_count(n) for n in (row.parameters, row.multiply_adds, row.grad_input)),
                *(_count(n) for n in (row.grad_weight, row.activation_bytes)),
                "" if row.receptive_field is None else _times(row.receptive_field),
            )
        text = io.StringIO()
        console = Console(file=text, width=400, color_system=None, markup=False)
        console.print(table)
        frozen = self.parameters - self.trainable
        console.print(
            f"{self.trainable:,} trained parameters{f', {frozen:,} fixed' if frozen else ''}; kept "
            f"for the walk back: {self.saved.activations:,} bytes"
        )
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip())


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def summary(model: Module, input_shape: Sequence[int]) -> Summary:
    """Run a network on a shape alone and describe what each layer does.

    Parameters
    ----------
    model : Module
        In memory or without, see :func:`tinygrad_cnn.nn.without_memory`. It keeps its mode,
        its parameters and its buffers.
    input_shape : sequence of int
        (C, H, W) for one image, or the whole shape (N, C, H, W), (N, features) ...

    Returns
    -------
    Summary
        A row for each run of a layer, and for each element outside of the innermost layers.

    Raises
    ------
    ShapeError
        If there is no input of that shape, or the network does not take one.
    DTypeError
        If the model is no Module.

    Notes
    -----
    Multiply-adds and bytes are those that the elements declare; a layer's are the sum over
    its elements. ``grad input`` counts the image's error signal, which training skips.

    A pixel that sees ``r`` pixels of the image, at steps of ``j``, sees ``r + (k - 1) j``
    after a window of span k, at steps of ``j s`` for stride s. Where values meet the larger
    field counts.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> nn = tg.nn
    >>> two = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    >>> found = tg.summary(two, (1, 9, 9))
    >>> [(row.kind, row.output_shape, row.receptive_field) for row in found.rows]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('Conv2d', (1, 4, 7, 7), (3, 3)), ('ReLU', (1, 4, 7, 7), (3, 3)),
     ('Conv2d', (1, 4, 5, 5), (5, 5))]
    >>> found.parameters, found.multiply_adds
    (188, 5364)
    """
    if not isinstance(model, Module):
        raise DTypeError(
            f"summary: it describes a Module; got {type(model).__name__}. Put it into one"
        )
    shape = integers("summary", "sizes", input_shape)
    if not shape or min(shape) < 1:
        raise ShapeError(f"summary: the input is not empty; got {tuple(input_shape)}")
    shape = (1, *shape) if len(shape) == 3 else shape
    paths = {id(module): path for path, module in reversed(list(model.named_modules()))}
    dtype = next((parameter.dtype for parameter in model.parameters()), None)
    image = zeros(shape, dtype=dtype, device="shapes")
    table = _Table(paths, image)
    with ExitStack() as around:
        for context in (_left_as_it_is(model), enable_grad(), hooks.observe(table)):
            around.enter_context(context)
        for module in model.modules():
            around.enter_context(module.register_forward_hook(table.on_module))
        result = model(image)
    outputs = [each for each in _flat(result) if isinstance(each, Variable)]
    parameters = list(model.parameters())
    return Summary(
        type(model).__name__,
        shape,
        tuple(table.rows),
        sum(parameter.numel() for parameter in parameters),
        sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        saved_bytes(*outputs),
    )


def _flat(result: Any) -> Iterator[Any]:
    """Yield what a network returned, one by one."""
    if isinstance(result, tuple | list):
        for each in result:
            yield from _flat(each)
    elif isinstance(result, dict):
        yield from _flat(list(result.values()))
    else:
        yield result


@contextmanager
def _left_as_it_is(model: Module) -> Iterator[None]:
    """Give buffers and the default generator their state back after a ``with`` block."""
    bits = default_generator().bit_generator
    state = bits.state
    before = [
        (module, name, value, value.copy())
        for module in model.modules()
        for name in vars(module).get("_buffers", {})
        if (value := getattr(module, name)) is not None
    ]
    try:
        yield
    finally:
        bits.state = state
        for module, name, value, copy in before:
            value[...] = copy
            object.__setattr__(module, name, value)


class _Table:
    """Watches the elements of a run and writes the rows."""

    def __init__(self, paths: dict[int, str], image: Variable) -> None:
        self.rows: list[Row] = []
        self._paths = paths
        self._image = image.shape
        self._module: Module | None = None  # that the last row is about
        self._counted: set[Node] = set()
        self._fields: dict[Node, Field] = {}  # holds nodes, so that none is taken for another
        if len(image.shape) == 4:
            self._fields[image.node] = Field(1, 1, 1, 1, *image.shape[2:])

    def on_forward(
        self,
        element: FunctionElement,
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        effort: Any,
    ) -> None:
        """Add an element to the row of its layer."""
        if element.name == "checkpoint":  # what it ran has been told of
            for output in outputs:
                self._follow(element, inputs, output)
            return
        row = self._row(element)
        nodes = [variable.node for variable in inputs]
        cost = element.cost(nodes, [variable.node for variable in outputs])
        row.output_shape = outputs[0].shape
        row.multiply_adds += cost.forward.multiply_adds
        for position, variable in enumerate(inputs):
            symbol = element.rule.input_symbol(position)
            work = cost.gradients[symbol].multiply_adds if symbol in cost.gradients else 0
            trained = isinstance(variable, Parameter)
            if trained or symbol in ("weight", "bias"):
                row.grad_weight += work
            else:
                row.grad_input += work
            if trained and variable.node not in self._counted:
                self._counted.add(variable.node)
                row.parameters += math.prod(variable.shape)
        if not element.shares_memory:
            row.activation_bytes += sum(byte_size(output.node) for output in outputs)
        for output in outputs:
            field = self._follow(element, inputs, output)
        row.receptive_field = None if field is None else (int(field.rows), int(field.columns))

    def on_module(self, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        """End the row of a layer that has run."""
        self._module = None

    def on_backward(self, *_: Any) -> None:
        """Nothing walks back here."""

    def _row(self, element: FunctionElement) -> Row:
        """Return the row of the layer that runs, or a new one for an element outside of any."""
        module = running_module()
        path = self._paths.get(id(module), "")
        if module is None or any(True for _ in module.named_children()):
            self._module = None
            self.rows.append(Row(path, element.name))
        elif module is not self._module or not self.rows:
            self._module = module
            self.rows.append(Row(path, type(module).__name__))
        return self.rows[-1]

    def _follow(
        self, element: FunctionElement, inputs: tuple[Variable, ...], output: Variable
    ) -> Field | None:
        """Return what a pixel of an output sees, and keep it for what is computed next."""
        seen = [self._fields[v.node] for v in inputs if v.node in self._fields]
        if not seen:
            return None
        joined = Field(*(max(sizes) for sizes in zip(*seen, strict=True)))
        height, width = output.shape[2:] if len(output.shape) == 4 else joined[4:]
        shrinks = (height, width) != joined[4:]
        reach = element.reach()
        rows, columns, down, across = joined[:4]
        if reach is not None:
            rows, columns = rows + (reach.rows - 1) * down, columns + (reach.columns - 1) * across
            down, across = down * reach.down, across * reach.across
        elif (element.sees_everything and (shrinks or len(output.shape) != 4)) or (
            shrinks and (height, width) == (1, 1)
        ):
            rows, columns = max(rows, self._image[2]), max(columns, self._image[3])
        elif shrinks and element.name not in ("index", "pad"):  # adaptive pooling
            tall, wide = max(joined.height // height, 1), max(joined.width // width, 1)
            rows += (joined.height - (height - 1) * tall - 1) * down
            columns += (joined.width - (width - 1) * wide - 1) * across
            down, across = down * tall, across * wide
        found = Field(rows, columns, down, across, height, width)
        self._fields[output.node] = found
        return found
