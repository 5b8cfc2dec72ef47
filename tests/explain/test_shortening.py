"""Long formulas continue, long names begin with dots, and nothing is lost by either."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.explain.derivation.expression import Array
from tinygrad_cnn.explain.derivation.lines import Line
from tinygrad_cnn.explain.derivation.shortening import beginning_of, broken, shortened, unpaired

PIECES = ("a", "(a - b)", "(a·(b + c))", "[n,c]", "{u<3}", " + ", " - ", "·")
TEXTS = st.lists(st.sampled_from(PIECES)).map("".join)


@given(text=TEXTS, width=st.integers(4, 30))
def test_a_broken_formula_is_the_same_formula(text: str, width: int) -> None:
    parts = broken(text, width)
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")
    for before, part in itertools.pairwise(parts):
        assert part.startswith(("+", "-", "·")) or before.endswith("}")


@given(text=TEXTS)
def test_an_index_is_never_broken(text: str) -> None:
    parts = broken(f"{text} + a_{{r - u + 1}}·b[q - v + 1] + c", 12)
    assert any("{r - u + 1}" in part for part in parts)
    assert any("[q - v + 1]" in part for part in parts)


def test_a_long_range_is_broken_between_its_conditions() -> None:
    text = "Σ_{u<3, v<3 | (r - u + 1) mod 2 = 0, winners[n,r] = 3·u + v} δ(y)[n,c,i]"
    assert broken(text, 40) == [
        "Σ_{u<3, v<3 | (r - u + 1) mod 2 = 0,",
        "winners[n,r] = 3·u + v} δ(y)[n,c,i]",
    ]
    assert broken(text, 70) == [text[: text.index("}") + 1], "δ(y)[n,c,i]"]


def test_a_formula_breaks_at_its_outermost_sum() -> None:
    assert broken("w·(x + y + z) - (u·v + 1)", 18) == ["w·(x + y + z)", "- (u·v + 1)"]


@given(st.lists(st.sampled_from([r"\left(", r"\right)", "x", r"\left|", r"\right|"])))
def test_each_part_of_a_latex_formula_stands_alone(marks: list[str]) -> None:
    (part,) = unpaired([" ".join(marks)])
    depth = 0
    for mark in part.split():
        depth += mark.startswith(r"\left") - mark.startswith(r"\right")
        assert depth >= 0
    assert depth == 0


NAMES = {
    "one block": ("layer3.0.conv1.conv2d", "δ(layer3.0.relu1)", "layer3.0.", "δ(…relu1)"),
    "two blocks": ("layer3.1.conv1.conv2d", "δ(layer3.0.relu2)", "", "δ(layer3.0.relu2)"),
    "below a list": ("features.10.relu.relu", "δ(features.10.conv)", "features.10.", "δ(…conv)"),
    "numbers stay with their word": ("stage2.down.1.batch_norm", "δ(stage2.down.0)", "", ""),
    "a layer keeps its name": ("classifier.affine", "δ(classifier.relu)", "", ""),
    "too short to matter": ("C3.conv.conv2d", "δ(C3.relu)", "", ""),
    "not in the middle of a word": ("block.one.a.relu", "δ(myblock.one.b)", "", ""),
}


@pytest.mark.parametrize(("label", "left", "beginning", "short"), NAMES.values(), ids=NAMES)
def test_names_lose_what_their_line_has_in_common(
    label: str, left: str, beginning: str, short: str
) -> None:
    weight = Array(label.rpartition(".")[0] + ".weight", np.zeros(1))
    line = Line(label, Array(left, np.zeros(1)), (), weight[0], 0.0)
    found = beginning_of(line)
    assert found == beginning
    assert shortened(left, found) == (short or left)
