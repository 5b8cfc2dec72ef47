"""Rules: the mathematics of elements, told once; printouts, derivations and documents read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Rule"]


def _numbered(symbols: tuple[str, ...], position: int) -> str:
    """Return the symbol at a position; a last ``"..."`` numbers the one before it."""
    if symbols[-1] == "..." and position >= len(symbols) - 2:
        return f"{symbols[-2]}{position - (len(symbols) - 2) + 1}"
    return symbols[position]


@dataclass(frozen=True)
class Rule:
    """The mathematics of an element, as its author would write it on a blackboard.

    Parameters
    ----------
    inputs, outputs : tuple of str
        Symbols, in call order. A last input of ``"..."`` repeats the one before it.
    forward : str
        Right-hand side, with symbols in braces: ``"1 / (1 + exp(-{z}))"``.
    backward : mapping of str to str
        For each input that has one, its error signal; ``{δa}`` stands for δ of output a.
    latex : str
        The forward formula in LaTeX.
    latex_backward : mapping of str to str
        The error signals in LaTeX.

    Examples
    --------
    >>> rule = Rule(("z",), ("a",), "max(0, {z})", {"z": "{δa} ∘ [{a} > 0]"})
    >>> rule.forward_text()
    'a = max(0, z)'
    >>> rule.forward_text({"z": "-1.5"})
    'a = max(0, -1.5)'
    >>> rule.backward_text("z")
    'δ(z) = δ(a) ∘ [a > 0]'
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    forward: str
    backward: Mapping[str, str] = field(default_factory=dict)
    latex: str = ""
    latex_backward: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Where a symbol stands: input k as k, output k as ~k.
        places = {symbol: ~position for position, symbol in enumerate(self.outputs)}
        places |= {symbol: position for position, symbol in enumerate(self.inputs)}
        object.__setattr__(self, "places", places)

    def input_symbol(self, position: int) -> str:
        """Return the symbol of the input at a position."""
        return _numbered(self.inputs, position)

    def output_symbol(self, position: int) -> str:
        """Return the symbol of the output at a position."""
        return _numbered(self.outputs, position)

    def declared_symbol(self, position: int) -> str:
        """Return the declared symbol of an input; repeated ones share theirs."""
        if self.inputs[-1] == "...":
            return self.inputs[min(position, len(self.inputs) - 2)]
        return self.inputs[position]

    def fill(self, template: str, numbers: Mapping[str, str] | None = None) -> str:
        """Return a formula with numbers, or else symbols, in place of the braces."""
        words = {symbol: symbol for symbol in (*self.inputs, *self.outputs)}
        words |= {f"δ{symbol}": f"δ({symbol})" for symbol in (*self.inputs, *self.outputs)}
        return template.format_map({**words, **(numbers or {})})

    def without(self, symbol: str) -> "Rule":
        """Return the rule as it reads when an optional summand, such as a bias, is absent."""
        return replace(self, forward=self.forward.replace(f" + {{{symbol}}}", ""))

    def forward_text(self, numbers: Mapping[str, str] | None = None) -> str:
        """Return ``output = formula``, numbers put in place of the symbols that have one."""
        return f"{self.outputs[0]} = {self.fill(self.forward, numbers)}"

    def backward_text(self, symbol: str, numbers: Mapping[str, str] | None = None) -> str:
        """Return ``δ(input) = formula`` for one input."""
        return f"δ({symbol}) = {self.fill(self.backward[symbol], numbers)}"
