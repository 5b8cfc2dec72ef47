"""The story of one run: a line for each element, forward and then backward.

Columns, forward: element · shapes · rule · least and largest value · share of zeros.
Columns, backward: element · ‖δ out‖ → ‖δ in‖ · gain ‖δ in‖ / ‖δ out‖ · least and largest
value and share of zeros of δ in · norms of parameter gradients · rule.

On scalars the numbers themselves stand in place of norms, and the rule is also written with
them.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.explain.recording import Kept, Statistics, Step, recording_of
from tinygrad_cnn.graph import Node, elements_behind
from tinygrad_cnn.hooks import Effort
from tinygrad_cnn.variable import Variable

NOT_KEPT = "not kept"
NOT_YET = "not yet computed"
NOT_WANTED = "not wanted"
OPTIONAL_COLUMNS = ("time", "bytes", "kernel")


def story(result: Variable, columns: Sequence[str] = ()) -> str:
    """Tell how a value was computed and how its error signal came back.

    Parameters
    ----------
    result : Scalar or Tensor
        Usually a loss. Figures are those kept by :func:`record`; of a value computed
        outside a recording only the structure is told.
    columns : sequence of {"time", "bytes", "kernel"}
        Columns to add: microseconds, bytes read and written, kernels that ran.

    Returns
    -------
    str
        Plain text.

    Raises
    ------
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
    recording = recording_of(result.node)
    steps = _structure(result) if recording is None else recording.behind(result.node)
    if not steps:
        raise GraphError(
            "story: no recorded element computed this value; got "
            f"{result.name or 'a leaf'} of shape {result.shape}. Compute it from something "
            "that requires a gradient, or inside 'with tg.explain.record():'"
        )
    numbers = {step.element.order: str(k) for k, step in enumerate(steps, 1)}
    scalars = all(kept.node.device == "scalar" for step in steps for kept in step.outputs)
    kept = recording is not None
    lines = [_headline(result, steps, kept), "", "forward"]
    lines += _table(_forward_columns(kept, scalars, columns), steps, numbers)
    lines += ["", "backward"]
    walked = [s for s in reversed(steps) if any(k.node.requires_grad for k in s.outputs)]
    lines += _table(_backward_columns(kept, scalars, columns), walked, numbers)
    if not walked:
        lines.append("  nothing here requires a gradient")
    notes = [*_linear_maps(steps), *_several_passes(steps)]
    if notes:
        lines += ["", *(f"note: {note}" for note in notes)]
    return "\n".join(line.rstrip() for line in lines)


def _structure(result: Variable) -> list[Step]:
    """Return the steps behind a value that was not recorded: structure without figures."""
    unknown = Statistics(math.nan, math.nan, math.nan, math.nan)
    no_effort = Effort(0.0, ())
    return [
        Step(
            element,
            tuple(Kept(node, unknown) for node in element.inputs),
            tuple(Kept(node, unknown) for ref in element.outputs if (node := ref()) is not None),
            no_effort,
        )
        for element in elements_behind(result.node)
    ]


def _headline(result: Variable, steps: list[Step], kept: bool) -> str:
    what = f"{len(steps)} element" + ("s" if len(steps) != 1 else "")
    single = kept and math.prod(result.shape) == 1
    value = f": result {_number(np.asarray(result._value).item())}" if single else ""
    return f"composite function of {what}{value}"


# -- tables --------------------------------------------------------------------------


class _Column(NamedTuple):
    title: str
    cell: Callable[[Step], str]


def _table(columns: list[_Column], steps: list[Step], numbers: dict[int, str]) -> list[str]:
    """Lay out one row for each step, columns aligned."""
    if not steps:
        return []
    rows = [["#", *(column.title for column in columns)]]
    for step in steps:
        cells = (column.cell(step) for column in columns)
        rows.append([numbers[step.element.order], *cells])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  " + "  ".join([row[0].rjust(widths[0]), *map(str.ljust, row[1:], widths[1:])])
        for row in rows
    ]


def _forward_columns(kept: bool, scalars: bool, extra: Sequence[str]) -> list[_Column]:
    columns = [_Column("element", _label), _Column("shapes", _shapes)]
    rule = _Column("rule", _forward_rule if kept else lambda s: s.rule.forward_text())
    if scalars:
        return [*columns, *_extra_columns(extra, lambda s: s.forward_effort, "forward"), rule]
    figures = [
        _Column("min", _figure(lambda s: s.outputs[0], lambda f: _number(f.least), kept)),
        _Column("max", _figure(lambda s: s.outputs[0], lambda f: _number(f.largest), kept)),
        _Column("zeros", _figure(lambda s: s.outputs[0], lambda f: _percent(f.zeros), kept)),
    ]
    return [
        *columns,
        *figures,
        *_extra_columns(extra, lambda s: s.forward_effort, "forward"),
        rule,
    ]


def _backward_columns(kept: bool, scalars: bool, extra: Sequence[str]) -> list[_Column]:
    norms = "δ out → δ in" if scalars else "‖δ out‖ → ‖δ in‖"
    figures = [
        _Column("min", lambda s: _of_signal(s, lambda f: _number(f.least))),
        _Column("max", lambda s: _of_signal(s, lambda f: _number(f.largest))),
        _Column("zeros", lambda s: _of_signal(s, lambda f: _percent(f.zeros))),
    ]
    return [
        _Column("element", _label),
        _Column(norms, lambda s: _norms(s) if kept else NOT_KEPT),
        _Column("gain", _gain),
        *([] if scalars or not kept else figures),
        _Column("parameter gradients", _parameter_gradients),
        *_extra_columns(extra, lambda s: s.backward_effort, "backward"),
        _Column("rule", _backward_rule),
    ]


def _extra_columns(
    extra: Sequence[str], effort: Callable[[Step], Effort | None], direction: str
) -> list[_Column]:
    def kernels(step: Step) -> str:
        spent = effort(step)
        used = {f"{k.operation}:{k.variant}": None for k in (spent.kernels if spent else ())}
        return " ".join(used)

    def microseconds(step: Step) -> str:
        spent = effort(step)
        return f"{spent.seconds * 1e6:.0f} µs" if spent and spent.seconds else ""

    known = {
        "time": _Column("time", microseconds),
        "bytes": _Column("bytes", lambda step: f"{_bytes(step, direction):,}"),
        "kernel": _Column("kernel", kernels),
    }
    return [known[column] for column in extra]


def _bytes(step: Step, direction: str) -> int:
    inputs = [kept.node for kept in step.inputs]
    cost = step.element.cost(inputs, [kept.node for kept in step.outputs])
    if direction == "forward":
        return cost.forward.bytes
    wanted = [step.rule.declared_symbol(k) for k, node in enumerate(inputs) if node.requires_grad]
    return sum(cost.gradients[symbol].bytes for symbol in wanted if symbol in cost.gradients)


# -- cells ---------------------------------------------------------------------------


def _label(step: Step) -> str:
    options = ", ".join(f"{value}" if key in ("kernel",) else f"{key} {value}"
                        for key, value in step.element.options().items())  # fmt: skip
    return f"{step.label} {options}" if options else step.label


def _shape(node: Node) -> str:
    return "x".join(map(str, node.shape)) if node.shape else "scalar"


def _shapes(step: Step) -> str:
    given = [kept.node for kept in step.inputs if not _is_parameter(kept.node)]
    given = given or [step.inputs[0].node]
    left = ", ".join(dict.fromkeys(map(_shape, given)))
    return f"{left} → {_shape(step.outputs[0].node)}"


def _is_parameter(node: Node) -> bool:
    return node.is_leaf and node.requires_grad


def _figure(
    pick: Callable[[Step], Kept], show: Callable[[Statistics], str], kept: bool
) -> Callable[[Step], str]:
    return lambda step: show(pick(step).statistics) if kept else NOT_KEPT


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
    return f"({_number(value)})" if value < 0 else _number(value)


def _forward_rule(step: Step) -> str:
    rule, numbers = step.rule, _numbers(step)
    if not numbers or "..." in (*rule.inputs, *rule.outputs):
        return rule.forward_text()
    written = _scalar_text(rule.fill(rule.forward, numbers))
    result = _number(step.outputs[0].value)
    return f"{_scalar_text(rule.forward_text())} = {written} = {result}"


def _backward_rule(step: Step) -> str:
    rule, numbers = step.rule, _numbers(step)
    listed = "..." in (*rule.inputs, *rule.outputs)
    texts = []
    for position, kept in enumerate(step.inputs):
        symbol = rule.declared_symbol(position)
        if not kept.node.requires_grad or symbol not in rule.backward:
            continue
        text = rule.backward_text(symbol)
        signal = step.incoming[position] if step.incoming else None
        if numbers and signal is not None and not listed:
            text = f"{text} = {rule.fill(rule.backward[symbol], numbers)}"
            text = _scalar_text(f"{text} = {_number(signal.value)}")
        if _is_parameter(kept.node):
            text = text.replace(f"δ({symbol})", f"∇{symbol}", 1)
        texts.append(text)
    return "; ".join(dict.fromkeys(texts))


def _signals(step: Step) -> list[Kept]:
    """Return the error signals that travel on: those of inputs that are not parameters."""
    return [
        signal
        for kept, signal in zip(step.inputs, step.incoming or (), strict=False)
        if signal is not None and not _is_parameter(kept.node)
    ]


def _size_of(signal: Kept) -> str:
    """Return the norm of an error signal; of a single number the number itself."""
    scalar = isinstance(signal.value, float)
    return _number(signal.value if scalar else signal.statistics.norm)


def _arriving(step: Step) -> Kept | None:
    return next((signal for signal in step.outgoing or () if signal is not None), None)


def _norms(step: Step) -> str:
    out = _arriving(step)
    if out is None:
        return NOT_YET
    travelling = ", ".join(map(_size_of, _signals(step)))
    only_leaves = all(_is_parameter(kept.node) for kept in step.inputs)
    return f"{_size_of(out)} → {travelling or ('leaves' if only_leaves else NOT_WANTED)}"


def _gain(step: Step) -> str:
    out = _arriving(step)
    if out is None or not out.statistics.norm > 0:
        return ""
    gains = (signal.statistics.norm / out.statistics.norm for signal in _signals(step))
    return ", ".join(f"x{_number(gain)}" for gain in gains)


def _of_signal(step: Step, show: Callable[[Statistics], str]) -> str:
    return ", ".join(show(signal.statistics) for signal in _signals(step))


def _parameter_gradients(step: Step) -> str:
    parts = []
    for position, (kept, signal) in enumerate(zip(step.inputs, step.incoming or (), strict=False)):
        if signal is not None and _is_parameter(kept.node):
            called = kept.node.name or step.rule.declared_symbol(position)
            bars = "" if isinstance(signal.value, float) else "‖"
            parts.append(f"{bars}∇{called}{bars} {_size_of(signal)}")
    return ", ".join(parts)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _percent(share: float) -> str:
    return "" if share != share else f"{100 * share:.3g} %"


# -- notes ---------------------------------------------------------------------------


def _linear_maps(steps: list[Step]) -> list[str]:
    """Name affine elements that follow each other with nothing non-linear in between."""
    made_by = {step.outputs[0].node: step for step in steps if step.element.name == "affine"}
    follows: dict[int, Step] = {}
    for step in made_by.values():
        before = made_by.get(step.inputs[0].node)
        if before is not None:
            follows[before.element.order] = step
    heads = {step.element.order for step in follows.values()}
    notes = []
    for step in steps:
        if step.element.order in follows and step.element.order not in heads:
            chain = [step]
            while (after := follows.get(chain[-1].element.order)) is not None:
                chain.append(after)
            size_in = chain[0].inputs[0].node.shape[-1:] or (1,)
            size_out = chain[-1].outputs[0].node.shape[-1:] or (1,)
            names = ", ".join(link.label for link in chain[:-1]) + f" and {chain[-1].label}"
            notes.append(
                f"{names} have nothing non-linear between them: together they are one linear "
                f"map from {size_in[0]} to {size_out[0]} values"
            )
    return notes


def _several_passes(steps: list[Step]) -> list[str]:
    """Name the leaves whose gradient adds up several backward passes."""
    notes: dict[Node, str] = {}
    for step in steps:
        for position, kept in enumerate(step.inputs):
            owner = kept.node.variable() if kept.node.variable is not None else None
            if owner is not None and owner.grad_passes > 1:
                called = kept.node.name or step.rule.declared_symbol(position)
                notes[kept.node] = f"{called}.grad holds {owner.grad_passes} passes"
    return list(notes.values())
