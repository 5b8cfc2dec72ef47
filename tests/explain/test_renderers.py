"""Everything that renders from a document: well-formed, complete, asking nothing of a network."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models
from tinygrad_cnn.errors import DTypeError, GraphError
from tinygrad_cnn.explain import GraphDump, dot, latex, markdown, page, svg
from tinygrad_cnn.explain.rendering.drawing import picture

from .runs import RUNS, neuron, small_network, structure

RENDERERS = {"svg": svg, "page": page, "dot": dot, "latex": latex, "markdown": markdown}
NAMESPACE = "{http://www.w3.org/2000/svg}"


def members(drawn: str) -> list[int]:
    """Numbers of the elements that the boxes of a picture stand for."""
    root = ElementTree.fromstring(drawn)
    cards = (g for g in root.iter(f"{NAMESPACE}g") if g.get("data-members"))
    return sorted(int(n) for card in cards for n in str(card.get("data-members")).split())


# -- each format by its grammar ----------------------------------------------------------


class Page(HTMLParser):
    """Reads a page: elements must be closed in order, and nothing may come from elsewhere."""

    EMPTY = ("meta", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[int] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert not given.keys() & {"src", "href", "srcset", "action", "xlink:href"}
        assert tag not in ("link", "iframe", "object", "embed", "img", "base")
        if tag == "tr" and "data-element" in given:
            self.rows.append(int(given["data-element"] or 0))
        if tag not in self.EMPTY:
            self.open.append(tag if tag != "script" else f"script {given.get('id', '')}".strip())

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not dict(attrs).keys() & {"src", "href", "xlink:href"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().split()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


DOT_TOKEN = re.compile(r'\s+|"(?:[^"\\]|\\.)*"|->|[\w.]+|[\[\]{};=,]')


def read_dot(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Read DOT by its grammar; return the nodes and edges."""
    tokens, at = [], 0
    while at < len(text):
        match = DOT_TOKEN.match(text, at)
        assert match, f"no DOT: {text[at : at + 40]!r}"
        at = match.end()
        if match[0].strip():
            tokens.append(match[0])
    nodes: list[str] = []
    edges: list[tuple[str, str]] = []
    clusters: list[str] = []

    def attributes(k: int) -> int:
        assert tokens[k] == "["
        k += 1
        while tokens[k] != "]":
            assert tokens[k + 1] == "="
            k += 3
            assert tokens[k] in (",", "]")
            k += tokens[k] == ","
        return k + 1

    def statements(k: int) -> int:
        while tokens[k] != "}":
            if tokens[k] == "subgraph":
                clusters.append(tokens[k + 1])
                assert tokens[k + 2] == "{"
                k = statements(k + 3)
                continue
            name = tokens[k]
            assert re.fullmatch(r"\w+", name)
            if tokens[k + 1] == "=":
                k += 3
            elif tokens[k + 1] == "->":
                edges.append((name, tokens[k + 2]))
                k = attributes(k + 3)
            else:
                if name not in ("node", "edge"):
                    nodes.append(name)
                k = attributes(k + 1)
            assert tokens[k] == ";"
            k += 1
        return k + 1

    assert tokens[0] == "digraph"
    assert tokens[2] == "{"
    assert statements(3) == len(tokens)
    assert len(set(clusters)) == len(clusters)
    return nodes, edges


def check_latex(text: str) -> None:
    """Check what a compiler would stumble over: letters, braces, environments, mathematics."""
    assert text.isascii()
    environments: list[str] = []
    depth, mathematics = 0, False
    for token in re.findall(r"\\begin\{[^}]*\}|\\end\{[^}]*\}|\\.|\\[a-zA-Z]+|[{}$&#%_^]", text):
        aligned = "align*" in environments
        if token.startswith("\\begin"):
            assert not mathematics
            environments.append(token[7:-1])
        elif token.startswith("\\end"):
            assert environments.pop() == token[5:-1]
            assert depth == 0
        elif token in "{}":
            depth += 1 if token == "{" else -1
            assert depth >= 0
        elif token == "$" and not aligned:
            mathematics = not mathematics
        elif token == "&":
            assert aligned
        elif token in "_^":
            assert mathematics or aligned
        else:
            assert token not in ("#", "%")
    assert not environments
    assert depth == 0
    assert not mathematics
    for body in re.findall(r"\\begin\{align\*\}\n(.*?)\\end\{align\*\}", text, re.S):
        assert "\n\n" not in body
        for line in body.split("\\\\\n"):
            assert len(re.findall(r"(?<!\\)&", line)) == 1


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_every_run_renders_well_formed(run: Callable[[], GraphDump]) -> None:
    graph = run()
    numbers = list(range(1, len(graph.steps) + 1))
    assert members(svg(graph)) == numbers
    read = Page(page(graph))
    assert read.rows == numbers
    assert json.loads(read.texts["script graph"]) == json.loads(json.dumps(graph.to_json()))
    nodes, edges = read_dot(dot(graph))
    assert {node for edge in edges for node in edge} <= set(nodes)
    assert max(Counter(nodes).values()) == 1
    assert len(edges) == sum(len(step.inputs) for step in graph.steps)
    check_latex(latex(graph))
    tables = [line for line in markdown(graph).splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert len(widths) <= 2


@pytest.mark.parametrize("name", models.names())
def test_every_element_of_a_twin_appears_once(name: str) -> None:
    graph = structure(name)
    numbers = list(range(1, len(graph.steps) + 1))
    assert members(svg(graph)) == numbers
    whole = svg(graph, folded=False)
    assert len(re.findall(r"data-element=", whole)) == len(numbers)
    nodes, edges = read_dot(dot(graph, folded=False))
    assert sorted(n for n in nodes if n.startswith("e")) == sorted(f"element{k}" for k in numbers)
    assert len(edges) == sum(len(step.inputs) for step in graph.steps)
    read_dot(dot(graph))
    text = latex(graph, folded=False)
    check_latex(text)
    check_latex(latex(graph))
    forward = markdown(graph, folded=False).split("## Backward")[0]
    assert re.findall(r"^\| (\d+) \|", forward, re.M) == [str(k) for k in numbers]
    told = re.findall(r"^\\noindent (\d+)~", text.split("subsection*{Backward}")[0], re.M)
    assert told == [str(k) for k in numbers]


def test_resnet_1202_stays_small() -> None:
    graph = structure("resnet1202", twin=False)
    drawn = svg(graph)
    assert members(drawn) == list(range(1, len(graph.steps) + 1))
    assert sum(1 for _ in ElementTree.fromstring(drawn).iter()) < 1200
    assert "layer1.0 … layer1.199 ×200" in drawn
    nodes, _ = read_dot(dot(graph))
    assert len(nodes) < 120
    assert len(markdown(graph).splitlines()) < 140
    assert "come $200$ times, up to 1403:" in latex(graph)
    assert svg(graph, folded=False).count("data-element=") == len(graph.steps)


def test_formulas_say_which_inputs_were_not_given() -> None:
    text = latex(structure("resnet20"))
    assert "(3x3, padding 1x1, no bias)" in text
    assert "no bias" not in latex(structure("lenet5"))


# -- what they say -----------------------------------------------------------------------


def test_the_picture_tells_signals_parameters_and_the_result() -> None:
    drawn = svg(neuron())
    assert ">w = 0.5</text>" in drawn
    assert ">∇ " in drawn
    assert "‖δ‖" in drawn  # the legend
    assert len(re.findall(r'class="element result"', drawn)) == 1
    widths = [float(w) for w in re.findall(r'class="edge signal" stroke-width="([\d.]+)"', drawn)]
    assert min(widths) == 1.0
    assert max(widths) == 6.0


def test_what_leaves_repeated_blocks_has_the_signal_of_the_last_one() -> None:
    y = tg.Scalar(1.0, requires_grad=True)
    with tg.explain.record():
        for _ in range(6):
            y = (y * 0.5).tanh()
        loss = y.sigmoid()
        loss.backward()
    graph = tg.explain.dump(loss)
    norms = [
        signal.statistics.norm
        for step in (graph.steps[1], graph.steps[11])
        for signal in step.outgoing or ()
        if signal is not None
    ]
    borders = [edge.norm for edge in picture(graph).edges if edge.reader is None]
    assert norms[1] in borders
    assert norms[0] not in borders


def test_a_picture_without_signals_has_no_legend_of_them() -> None:
    assert "error signal that came back" not in svg(structure("lenet5"))


def test_titles_are_text_in_every_format() -> None:
    graph = small_network()
    assert "LeNet-5 &amp; its twin &lt;small&gt;" in svg(graph)
    assert "<h1>LeNet-5 &amp; its twin &lt;small&gt;</h1>" in page(graph)
    assert r"\section*{LeNet-5 \& its twin <small>}" in latex(graph)
    assert 'digraph "LeNet-5 & its twin <small>" {' in dot(graph)
    assert "# LeNet-5 & its twin \\<small>" in markdown(graph)


def test_a_page_carries_the_document_whatever_its_texts_are() -> None:
    graph = small_network()
    graph.title = "</script><script>alert(1)</script>"
    read = Page(page(graph))
    assert json.loads(read.texts["script graph"])["title"] == graph.title


def test_pages_of_blocks_list_how_often_they_come() -> None:
    text = page(structure("resnet1202", twin=False))
    assert text.count('<td class="number">×200</td>') == 7
    assert len(Page(text).rows) < 60


def test_notebooks_show_the_picture() -> None:
    graph = neuron()
    assert graph._repr_svg_() == svg(graph)
    assert svg(graph) in graph._repr_html_()


def test_what_was_saved_renders_the_same(tmp_path: Any) -> None:
    graph = small_network()
    graph.save(tmp_path / "run.json")
    again = GraphDump.load(tmp_path / "run.json")
    for render in RENDERERS.values():
        assert render(again) == render(graph)


def test_values_render_without_a_dump() -> None:
    with tg.explain.record():
        loss = (tg.Scalar(2.0, requires_grad=True, name="x") * 3.0).tanh()
    for render in RENDERERS.values():
        assert render(loss) == render(tg.explain.dump(loss))


@pytest.mark.parametrize("name", RENDERERS)
def test_what_no_element_computed_is_refused(name: str) -> None:
    with pytest.raises(GraphError, match=f"{name}: no recorded element computed this value"):
        RENDERERS[name](tg.Tensor([1.0]))
    with pytest.raises(DTypeError, match=f"{name}: it is told of a value.*got int"):
        RENDERERS[name](1)  # type: ignore[arg-type]
