"""What notebooks show: the text that a terminal prints, or Markdown where there are formulas."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import explain
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.rendering.notebook import Printed


def residual() -> tuple[tg.Tensor, tg.Tensor]:
    x = tg.Tensor([[0.5, -1.0]], requires_grad=True, name="x<y")
    with explain.record(keep="arrays"):
        h = x * 2.0
        joined = F.concatenate([h.tanh() + h, h], 1)
        loss = F.concatenate([joined, joined.exp()], 1).sum()
        loss.backward(retain_graph=True)
    return loss, x


def checked() -> Any:
    return explain.explain_gradcheck(lambda a: a.tanh().sum(), tg.Tensor([0.5], requires_grad=True))


PRINTED: dict[str, Callable[[], Any]] = {
    "story": lambda: explain.story(residual()[0]),
    "rules": explain.rules,
    "fan-ins": lambda: explain.fan_ins(residual()[0]),
    "paths": lambda: explain.count_paths(residual()[0]),
    "lengths": lambda: explain.split_by_length(*residual()),
    "one length": lambda: explain.split_by_length(*residual()).splits[0],
    "contributions": lambda: explain.contribution_matrices(residual()[0])[0],
    "orders": lambda: explain.compare_orders(residual()[0]),
    "difference": lambda: explain.difference(residual()[0], residual()[0]),
    "toolbox": explain.toolbox_replay,
    "gradcheck": checked,
    "fault": lambda: explain.FAULTS["step_uphill"],
    "sweep": lambda: checked().inputs[0].worst.sweep,
}
WITH_FORMULAS: dict[str, Callable[[], Any]] = {
    "derivation": lambda: explain.derive(residual()[0], "x<y", (0, 1)),
    "zoom": lambda: explain.zoom(residual()[0], "x<y", (0, 1)),
    "rules": lambda: explain.rules("latex"),
    "tables": lambda: explain.markdown(residual()[0]),
}


@pytest.mark.parametrize("make", PRINTED.values(), ids=PRINTED)
def test_a_notebook_shows_what_a_terminal_prints(make: Callable[[], Any]) -> None:
    result = make()
    shown = result._repr_html_()
    text = shown.removeprefix('<pre style="white-space: pre; overflow-x: auto">')
    text = text.removesuffix("</pre>")
    assert "<" not in text
    for letter, word in (("<", "&lt;"), (">", "&gt;"), ("'", "&#x27;"), ('"', "&quot;")):
        text = text.replace(word, letter)
    assert text.replace("&amp;", "&") == str(result)


@pytest.mark.parametrize("make", WITH_FORMULAS.values(), ids=WITH_FORMULAS)
def test_formulas_are_shown_as_markdown(make: Callable[[], Any]) -> None:
    shown = make()._repr_markdown_()
    assert shown.startswith("#")
    assert shown.count("$$") % 2 == 0


@pytest.mark.parametrize("ending", [".txt", ".md", ".tex"])
def test_a_derivation_is_saved_as_the_ending_says(tmp_path: Path, ending: str) -> None:
    derived = explain.derive(residual()[0], "x<y", (0, 1))
    forms = {".txt": derived.text, ".md": derived.markdown, ".tex": derived.latex}
    file = tmp_path / f"derivation{ending}"
    derived.save(file)
    assert file.read_text(encoding="utf-8") == f"{forms[ending]().rstrip()}\n"


@pytest.mark.parametrize(
    ("make", "known"),
    [
        (lambda: explain.derive(residual()[0], "x<y"), ".txt, .md or .tex"),
        (lambda: explain.zoom(residual()[0], "x<y", (0, 1)), ".txt or .md"),
        (lambda: explain.fan_ins(residual()[0]), ".txt"),
        (lambda: explain.receptive_field(residual()[0], "tanh", (0, 0)), ".html, .svg or .png"),
    ],
)
def test_other_endings_are_refused(make: Callable[[], Any], known: str) -> None:
    with pytest.raises(OptionError, match=f"a file ends in {re.escape(known)}; got 'run.pdf'"):
        make().save("run.pdf")


@pytest.mark.parametrize("make", PRINTED.values(), ids=PRINTED)
def test_what_is_printed_is_saved(tmp_path: Path, make: Callable[[], Any]) -> None:
    result = make()
    if not isinstance(result, Printed):
        pytest.fail(f"{type(result).__name__} has conventions of its own")
    result.save(tmp_path / "told.txt")
    told = (tmp_path / "told.txt").read_text(encoding="utf-8")
    assert told == f"{result.text().rstrip()}\n"
    assert result.text() == str(result)


def test_a_zoom_in_markdown_has_its_formula_and_a_table() -> None:
    w = tg.Tensor([[3.0, 4.0]], requires_grad=True, name="w")
    x = tg.Tensor([[1.0, 2.0]], name="x")
    with explain.record(keep="arrays"):
        loss = F.affine(x, w).sum()
        loss.backward()
    assert explain.zoom(loss, "affine", (0, 0)).markdown().splitlines() == [
        "### affine[0,0] of affine, as 3 scalar elements",
        "",
        r"$$\text{affine}_{0,\,0} = \sum_{d<2} w_{0,\,d} \, x_{0,\,d}$$",
        "",
        "scalars 11 · tensors 11 · recorded 11",
        "",
        "| ∂ by | value | scalars | tensors |",
        "| --- | ---: | ---: | ---: |",
        "| `w[0,1]` | 4 | 2 | 2 |",
        "| `w[0,0]` | 3 | 1 | 1 |",
        "",
        "2 partial derivatives, all agree",
    ]
    assert r"\begin{align*}" in explain.derive(loss, "w")._repr_latex_()


def test_a_picture_is_shown_and_a_page_framed() -> None:
    loss, _ = residual()
    drawn, page = explain.svg(loss), explain.page(loss)
    assert drawn._repr_svg_() == drawn
    assert drawn in drawn._repr_html_()
    frame = page._repr_html_()
    assert frame.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert unescape(frame.split('"')[1]) == page
