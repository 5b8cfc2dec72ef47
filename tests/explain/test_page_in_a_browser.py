"""The page in a real browser, without a network: clicks, keys, blocks, dark or printed."""

import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from tinygrad_cnn.explain import GraphDump, page

from .runs import RUNS, structure

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(BROWSER is None, reason="browser: not run; Debian's is named chromium"),
]

# What a reader does, and what the panel is headed by after it.
DEEDS = {
    'places[5].dispatchEvent(new MouseEvent("click", {bubbles: true}))': "6 layer1.0.relu1.relu",
    'details.querySelectorAll("button")[1].click()': "13 layer1.1.relu1.relu",
    'details.querySelectorAll("button")[0].click()': "6 layer1.0.relu1.relu",
    'press(document, "ArrowRight")': "7 layer1.0.conv2.conv2d",
    'press(document, "ArrowLeft"); press(document, "ArrowLeft")': "5 layer1.0.bn1.batch_norm",
    'document.querySelector("tr[data-element]").click()': "1 conv1.conv2d",
    'press(document, "ArrowLeft")': "1 conv1.conv2d",
    'press(places[2], "Enter")': "3 relu1.relu",
    "places.forEach((_, k) => choose(k, true)); choose(0, true)": "1 conv1.conv2d",
}
WATCH = """<script>
function press(where, key) {
  where.dispatchEvent(new KeyboardEvent("keydown", {key: key, bubbles: true}));
}
const told = [];
function deed(what) {
  try { what(); told.push(details.querySelector("h2").textContent.split(/\\s+/).join(" ")); }
  catch (error) { told.push(String(error)); }
}
%s
document.body.replaceChildren(Object.assign(document.createElement("pre"),
  {textContent: told.join("\\n")}));
</script></body></html>"""


def read_in_browser(path: Path) -> str:
    """Return the document after its scripts ran."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent}"]
    command = [BROWSER, *options, "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def after(graph: GraphDump, deeds: list[str], folder: Path) -> list[str]:
    watched = WATCH % "\n".join(f"deed(() => {{ {deed} }});" for deed in deeds)
    path = folder / "page.html"
    path.write_text(page(graph).replace("</body></html>", watched), encoding="utf-8")
    text = read_in_browser(path)
    return unescape(text.split("<pre>")[1].split("</pre>")[0]).split("\n")


def test_a_reader_goes_through_a_network(tmp_path: Path) -> None:
    told = after(structure("resnet110", twin=False), list(DEEDS), tmp_path)
    assert told == list(DEEDS.values())


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_every_element_of_a_run_can_be_chosen(run: Callable[[], GraphDump], tmp_path: Path) -> None:
    graph = run()
    deeds = [f"choose({k}, true)" for k in range(len(graph.steps))]
    labels = [f"{k} {step.label}" for k, step in enumerate(graph.steps, 1)]
    assert after(graph, deeds, tmp_path) == labels
