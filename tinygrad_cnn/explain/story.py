"""The story of one run: a line for each element, forward and then backward.

Columns, forward: element · shapes · rule · least and largest value · share of zeros.
Columns, backward: element · ‖δ out‖ → ‖δ in‖ · gain ‖δ in‖ / ‖δ out‖ · least and largest
value and share of zeros of δ in · norms of parameter gradients · rule. Where several elements
send δ to one value, a line that begins with ``fan-in`` says how much each of them sent.

On scalars the numbers themselves stand in place of norms, and the rule is also written with
them.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tinygrad_cnn.element import Work
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.fan_in_lines import with_fan_ins
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.notes import notes
from tinygrad_cnn.explain.recording import Kept, Spent, Statistics, Step
from tinygrad_cnn.explain.rendering.notebook import PlainText
from tinygrad_cnn.variable import Variable

NOT_KEPT = "not kept"
NOT_YET = "not yet computed"
NOT_WANTED = "not wanted"
OPTIONAL_COLUMNS = ("time", "bytes", "multiply-adds", "kernel")


def story(result: Variable | GraphDump, columns: Sequence[str] = ()) -> str:
    """Tell how a value was computed and how its error signal came back.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss. Figures are those kept by :func:`record`; of a value computed
        outside a recording only the structure is told.
    columns : sequence of {"time", "bytes", "multiply-adds", "kernel"}
        Columns to add: microseconds, bytes read and written, multiply-adds (of products of
        matrices and convolutions; 0 elsewhere), kernels that ran.

    Returns
    -------
    str
        Plain text.

    Raises
    ------
    DTypeError
        If it is no value of a graph.
    GraphError
        If no element computed the value.
    OptionError
        If a column is unknown.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.5, requires_grad=True, name="x")
    >>> with tg.explain.record():
    ...     y = x.exp()
    ...     y.backward()
    >>> print(tg.explain.story(y))
    composite function of 1 element: result 1.649
    <BLANKLINE>
    forward
      #  element  shapes           rule
      1  exp      scalar → scalar  y = exp(x) = exp(0.5) = 1.649
    <BLANKLINE>
    backward
      #  element  δ out → δ in  gain  parameter gradients  rule
      1  exp      1 → leaves          ∇x 1.649             ∇x = δ(y) · y = 1 · 1.649 = 1.649
    """
    for column in columns:
        if column not in OPTIONAL_COLUMNS:
            raise OptionError(
                f"story: columns are among {', '.join(OPTIONAL_COLUMNS)}; got {column!r}"
            )
    graph = graph_of("story", result)
    steps, kept = graph.steps, graph.recorded
    numbers = {step.order: str(k) for k, step in enumerate(steps, 1)}
    scalars = all(kept.device == "scalar" for step in steps for kept in step.outputs)
    lines = [headline(graph), "", "forward"]
    lines += _table(forward_columns(kept, scalars, columns), steps, numbers)
    lines += ["", "backward"]
    walked = [s for s in reversed(steps) if any(kept.requires_grad for kept in s.outputs)]
    told = _table(backward_columns(kept, scalars, columns), walked, numbers)
    lines += with_fan_ins(graph, told, walked)
    if not walked:
        lines.append("  nothing here requires a gradient")
    if remarks := notes(steps, kept):
        lines += ["", *(f"note: {remark}" for remark in remarks)]
    return PlainText("\n".join(line.rstrip() for line in lines))


def headline(graph: GraphDump) -> str:
    """Say in a line what was computed."""
    what = f"{len(graph.steps)} element" + ("s" if len(graph.steps) != 1 else "")
    single = graph.recorded and math.prod(graph.result.shape) == 1
    # Of one element the least value is the value.
    value = f": result {number_text(graph.result.statistics.least)}" if single else ""
    return f"composite function of {what}{value}"


# -- tables --------------------------------------------------------------------------


class Column(NamedTuple):
    """A title, and what stands below it for each element."""

    title: str
    cell: Callable[[Step], str]


def _table(columns: list[Column], steps: list[Step], numbers: dict[int, str]) -> list[str]:
    """Lay out one row for each step, columns aligned."""
    if not steps:
        return []
    rows = [["#", *(column.title for column in columns)]]
    for step in steps:
        cells = (column.cell(step) for column in columns)
        rows.append([numbers[step.order], *cells])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  " + "  ".join([row[0].rjust(widths[0]), *map(str.ljust, row[1:], widths[1:])])
        for row in rows
    ]


def forward_columns(kept: bool, scalars: bool, extra: Sequence[str]) -> list[Column]:
    """Return what is told of the forward pass; `kept` says whether figures are there."""
    columns = [Column("element", label_text), Column("shapes", _shapes)]
    rule = Column("rule", _forward_rule if kept else lambda s: s.rule.forward_text())
    if scalars:
        return [*columns, *_extra_columns(extra, lambda s: s.forward_effort, "forward"), rule]
    figures = [
        Column("min", _figure(lambda s: s.outputs[0], lambda f: number_text(f.least), kept)),
        Column("max", _figure(lambda s: s.outputs[0], lambda f: number_text(f.largest), kept)),
        Column("zeros", _figure(lambda s: s.outputs[0], lambda f: _percent(f.zeros), kept)),
    ]
    return [
        *columns,
        *figures,
        *_extra_columns(extra, lambda s: s.forward_effort, "forward"),
        rule,
    ]


def backward_columns(kept: bool, scalars: bool, extra: Sequence[str]) -> list[Column]:
    """Return what is told of the walk back."""
    norms = "δ out → δ in" if scalars else "‖δ out‖ → ‖δ in‖"
    figures = [
        Column("min", lambda s: _of_signal(s, lambda f: number_text(f.least))),
        Column("max", lambda s: _of_signal(s, lambda f: number_text(f.largest))),
        Column("zeros", lambda s: _of_signal(s, lambda f: _percent(f.zeros))),
    ]
    return [
        Column("element", label_text),
        Column(norms, lambda s: _norms(s) if kept else NOT_KEPT),
        Column("gain", _gain),
        *([] if scalars or not kept else figures),
        Column("parameter gradients", _parameter_gradients),
        *_extra_columns(extra, lambda s: s.backward_effort, "backward"),
        Column("rule", _backward_rule),
    ]


def _extra_columns(
    extra: Sequence[str], effort: Callable[[Step], Spent | None], direction: str
) -> list[Column]:
    def kernels(step: Step) -> str:
        spent = effort(step)
        used = {f"{k.operation}:{k.variant}": None for k in (spent.kernels if spent else ())}
        return " ".join(used)

    def microseconds(step: Step) -> str:
        spent = effort(step)
        return f"{spent.seconds * 1e6:.0f} µs" if spent and spent.seconds else ""

    known = {
        "time": Column("time", microseconds),
        "bytes": Column("bytes", lambda step: f"{_bytes(step, direction):,}"),
        "multiply-adds": Column(
            "multiply-adds", lambda step: f"{_multiply_adds(step, direction):,}"
        ),
        "kernel": Column("kernel", kernels),
    }
    return [known[column] for column in extra]


def _bytes(step: Step, direction: str) -> int:
    return sum(work.bytes for work in _works(step, direction))


def _multiply_adds(step: Step, direction: str) -> int:
    return sum(work.multiply_adds for work in _works(step, direction))


def _works(step: Step, direction: str) -> list[Work]:
    """Return what was computed: forward, or the error signals of inputs that wanted one."""
    if direction == "forward":
        return [step.cost.forward]
    symbols = (
        step.rule.input_symbol(k) for k, kept in enumerate(step.inputs) if kept.requires_grad
    )
    return [step.cost.gradients[symbol] for symbol in symbols if symbol in step.cost.gradients]


# -- cells ---------------------------------------------------------------------------


def label_text(step: Step) -> str:
    """Name an element with its options."""
    options = options_text(step)
    return f"{step.label} {options}" if options else step.label


def options_text(step: Step) -> str:
    """Write the options of an element: ``5x5, stride 2x2``."""
    return ", ".join(f"{value}" if key in ("kernel",) else f"{key} {value}"
                     for key, value in step.options.items())  # fmt: skip


def shape_text(kept: Kept) -> str:
    """Write a shape as ``16x6x28x28``."""
    return "x".join(map(str, kept.shape)) if kept.shape else "scalar"


def _shapes(step: Step) -> str:
    given = [kept for kept in step.inputs if not kept.is_parameter] or [step.inputs[0]]
    left = ", ".join(dict.fromkeys(map(shape_text, given)))
    return f"{left} → {shape_text(step.outputs[0])}"


def _figure(
    pick: Callable[[Step], Kept], show: Callable[[Statistics], str], kept: bool
) -> Callable[[Step], str]:
    def cell(step: Step) -> str:
        figures = pick(step).statistics
        # What has a shape alone has no figures; a NaN among values still has a share of zeros.
        return (show(figures) if figures.zeros == figures.zeros else "") if kept else NOT_KEPT

    return cell


def _names(step: Step) -> dict[str, str]:
    """Return the names that users gave to leaves, by the symbols that they stand for.

    Parameters of a layer keep the rule's symbols, since the label already names the layer.
    """
    given = {
        step.rule.declared_symbol(k): kept.name
        for k, kept in enumerate(step.inputs)
        if kept.is_leaf and kept.name and "." not in kept.name and " " not in kept.name
    }
    others = {step.rule.declared_symbol(k) for k in range(len(step.inputs))} - given.keys()
    return {symbol: name for symbol, name in given.items() if name not in others}


def _numbers(step: Step) -> dict[str, str]:
    """Return the numbers of a step on scalars, by symbol; empty for arrays."""
    rule = step.rule
    named: dict[str, str] = {}
    pairs = [(rule.declared_symbol(k), kept) for k, kept in enumerate(step.inputs)]
    pairs += list(zip(rule.outputs, step.outputs, strict=False))
    for symbol, kept in pairs:
        if not isinstance(kept.value, float):
            return {}
        named[symbol] = _operand(kept.value)
    for symbol, signal in zip(rule.outputs, step.outgoing or (), strict=False):
        if signal is not None:
            named[f"δ{symbol}"] = _operand(signal.value)
    return named


def _scalar_text(text: str) -> str:
    """Write a rule as it reads on single numbers: no sums over a batch, no transposes."""
    return text.replace("∘", "·").replace("Σ ", "").replace("ᵀ", "")


def _operand(value: float) -> str:
    """Write a number inside a formula: negative ones in parentheses."""
    return f"({number_text(value)})" if value < 0 else number_text(value)


def _listed(step: Step) -> bool:
    """Tell whether a rule speaks of a list of values, whose numbers have no place in it."""
    return "..." in (*step.rule.inputs, *step.rule.outputs)


def _forward_rule(step: Step) -> str:
    text = step.rule.forward_text(_names(step))
    numbers = _numbers(step)
    if not numbers or _listed(step):
        return text
    written = step.rule.fill(step.rule.forward, numbers)
    return f"{_scalar_text(f'{text} = {written}')} = {number_text(step.outputs[0].value)}"


def _backward_rule(step: Step) -> str:
    texts: dict[str, None] = {}
    for position, kept in enumerate(step.inputs):
        symbol = step.rule.declared_symbol(position)
        if kept.requires_grad and symbol in step.rule.backward:
            texts[_signal_rule(step, position, symbol)] = None
    return "; ".join(texts)


def _signal_rule(step: Step, position: int, symbol: str) -> str:
    """Write the error signal of one input; where it enters twice, the sum over both."""
    rule, names, numbers = step.rule, _names(step), _numbers(step)
    kept, signal = step.inputs[position], step.incoming[position] if step.incoming else None
    same = [k for k, other in enumerate(step.inputs) if other.key == kept.key]
    symbols = dict.fromkeys(rule.declared_symbol(k) for k in same)
    terms = [rule.fill(rule.backward[each], names) for each in symbols if each in rule.backward]
    sign = "∇" if kept.is_parameter else "δ"
    called = names.get(symbol, symbol)
    left = f"∇{called}" if sign == "∇" else f"δ({called})"
    text = f"{left} = {' + '.join(terms)}"
    first = step.incoming[same[0]] if step.incoming else signal
    if not numbers or first is None or _listed(step):
        return text
    written = " + ".join(
        rule.fill(rule.backward[each], numbers) for each in symbols if each in rule.backward
    )
    result = number_text(first.value)
    text = _scalar_text(text)
    written = _scalar_text(written)
    if written.strip("()") == result:
        return f"{text} = {result}"
    return f"{text} = {written} = {result}"


def _signals(step: Step) -> list[Kept]:
    """Return the error signals that travel on: those of inputs that are not parameters."""
    return [
        signal
        for kept, signal in zip(step.inputs, step.incoming or (), strict=False)
        if signal is not None and not kept.is_parameter
    ]


def _size_of(signal: Kept) -> str:
    """Return the norm of an error signal; of a single number the number itself."""
    scalar = isinstance(signal.value, float)
    return number_text(signal.value if scalar else signal.statistics.norm)


def _arriving(step: Step) -> Kept | None:
    return next((signal for signal in step.outgoing or () if signal is not None), None)


def _norms(step: Step) -> str:
    out = _arriving(step)
    if out is None:
        return NOT_YET
    travelling = ", ".join(map(_size_of, _signals(step)))
    only_leaves = all(kept.is_parameter for kept in step.inputs)
    return f"{_size_of(out)} → {travelling or ('leaves' if only_leaves else NOT_WANTED)}"


def _gain(step: Step) -> str:
    out = _arriving(step)
    if out is None or not out.statistics.norm > 0:
        return ""
    gains = (signal.statistics.norm / out.statistics.norm for signal in _signals(step))
    return ", ".join(f"x{number_text(gain)}" for gain in gains)


def _of_signal(step: Step, show: Callable[[Statistics], str]) -> str:
    return ", ".join(show(signal.statistics) for signal in _signals(step))


def _parameter_gradients(step: Step) -> str:
    parts = []
    for position, (kept, signal) in enumerate(zip(step.inputs, step.incoming or (), strict=False)):
        if signal is not None and kept.is_parameter:
            called = kept.name or step.rule.declared_symbol(position)
            bars = "" if isinstance(signal.value, float) else "‖"
            parts.append(f"{bars}∇{called}{bars} {_size_of(signal)}")
    return ", ".join(parts)


def number_text(value: float) -> str:
    """Write a number to four digits."""
    return f"{value + 0.0:.4g}"  # + 0.0: a negative zero is written as 0


def _percent(share: float) -> str:
    return "" if share != share else f"{100 * share:.3g} %"
