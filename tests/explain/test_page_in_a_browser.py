"""The page in a real browser, without a network: clicks, keys, blocks, moment by moment."""

import json
import re
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tinygrad_cnn.explain import GraphDump, Stepper, dump, page, record, step

from .runs import RUNS, small_network, structure
from .stepped_graphs import diamond, residual_chain

pytestmark = pytest.mark.browser

# What a reader does, and what the panel is headed by after it.
DEEDS = {
    'places[5].dispatchEvent(new MouseEvent("click", {bubbles: true}))': "6 layer1.0.relu1.relu",
    'details.querySelectorAll("button")[1].click()': "13 layer1.1.relu1.relu",
    'press(document, "ArrowRight")': "14 layer1.1.conv2.conv2d",
    'press(document, "ArrowLeft")': "13 layer1.1.relu1.relu",
    'details.querySelectorAll("button")[0].click()': "6 layer1.0.relu1.relu",
    'press(document, "ArrowRight")  ': "7 layer1.0.conv2.conv2d",
    'press(document, "ArrowLeft"); press(document, "ArrowLeft")': "5 layer1.0.bn1.batch_norm",
    'document.querySelector("tr[data-element]").click()': "1 conv1.conv2d",
    'press(document, "ArrowLeft") ': "1 conv1.conv2d",
    'press(places[2], "Enter")': "3 relu1.relu",
    "places.forEach((_, k) => choose(k, true)); choose(0, true)": "1 conv1.conv2d",
}
HEADING = 'details.querySelector("h2").textContent.split(/\\s+/).join(" ")'

# No request may leave the page, whatever it is for.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'\">"
    '<script>const refused = []; document.addEventListener("securitypolicyviolation", (event) =>'
    " refused.push(event.blockedURI));</script>"
)
WATCH = """<script>
function press(where, key, facts) {
  const event = new KeyboardEvent("keydown", {key: key, bubbles: true, cancelable: true, ...facts});
  where.dispatchEvent(event);
  return event.defaultPrevented;
}
const told = [];
function deed(what) {
  try { what(); told.push(%s); }
  catch (error) { told.push(String(error)); }
}
function report() {
  document.body.replaceChildren(Object.assign(document.createElement("pre"),
    {textContent: JSON.stringify(told)}));
}
%s
</script></body></html>"""


def read_in_browser(browser: str, path: Path) -> str:
    """Return the document after its scripts ran; what they wait for passes at once."""
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--virtual-time-budget=60000", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={path.parent}", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def after(
    browser: str, shown: GraphDump | str, deeds: list[str], folder: Path, told: str = HEADING
) -> list[Any]:
    """Return what the page tells after each deed; ``wait(t)`` lets t milliseconds pass."""
    text = " ".join(f"deed(() => {{ {deed} }});" for deed in deeds)
    # What follows a wait runs after it.
    script, waits = "", re.split(r"deed\(\(\) => \{ wait\((\d+)\) \}\);", text)
    for pause, rest in zip(reversed(waits[1::2]), reversed(waits[2::2]), strict=True):
        script = f"setTimeout(() => {{ {rest} {script or 'report();'} }}, {pause});"
    script = f"{waits[0]} {script or 'report();'}"
    path = folder / "page.html"
    text = shown if isinstance(shown, str) else page(shown)
    watched = text.replace("</body></html>", WATCH % (told, script))
    path.write_text(watched.replace("<head>", f"<head>{POLICY}"), encoding="utf-8")
    dom = read_in_browser(browser, path)
    found: list[Any] = json.loads(unescape(dom.split("<pre>")[1].split("</pre>")[0]))
    return found


def walked(build: Callable[[], Any]) -> tuple[GraphDump, Stepper]:
    """Return a recorded run, and a walk through the same."""
    with record():
        _, result = build()
        result.backward(retain_graph=True)
    return dump(result), step(result)


def test_a_reader_goes_through_a_network(browser: str, tmp_path: Path) -> None:
    told = after(browser, structure("resnet110", twin=False), list(DEEDS), tmp_path)
    assert told == list(DEEDS.values())


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_every_element_of_a_run_can_be_chosen(
    run: Callable[[], GraphDump], browser: str, tmp_path: Path
) -> None:
    graph = run()
    walked_back = [step for step in reversed(graph.steps) if any(step.outgoing or ())]
    deeds = [f"choose({k}, true)" for k in range(len(graph.steps))]
    deeds += ["goTo(moment + 1)"] * len(walked_back)
    numbers = {step.order: number for number, step in enumerate(graph.steps, 1)}
    labels = [f"{numbers[step.order]} {step.label}" for step in (*graph.steps, *walked_back)]
    assert after(browser, graph, deeds, tmp_path) == labels


STATE = """{
  moment: parts.moment.textContent,
  arrivals: [...parts.arrivals.children].map((line) => line.textContent),
  there: places.filter((place) => !place.classList.contains("yet")).map((p) => +p.dataset.element),
  sent: places.filter((place) => place.classList.contains("sent")).map((p) => +p.dataset.element),
  now: places.filter((place) => place.getAttribute("aria-current") === "step")
    .map((p) => +p.dataset.element),
  edges: edges.filter((edge) => !edge.classList.contains("unsent")).length,
}"""


@pytest.mark.parametrize("build", [diamond, residual_chain])
def test_the_page_shows_at_each_moment_what_the_stepper_finds(
    build: Callable[[], Any], browser: str, tmp_path: Path
) -> None:
    graph, stepper = walked(build)
    count = len(graph.steps)
    told = after(browser, graph, ["goTo(moment + 1)"] * 2 * count, tmp_path, STATE)
    for number, state in enumerate(told[:count], 1):
        assert state["moment"].startswith(f"forward {number} of {count}: #{number} ")
        assert (state["there"], state["sent"]) == (list(range(1, number + 1)), [])
        assert state["now"] == [number]
        assert state["edges"] == 0
    for k, state in enumerate(told[count:], 1):
        element = stepper.element
        stepper.next()
        assert state["moment"].startswith(f"backward {k} of {count}: {element} takes δ ‖")
        assert state["sent"] == list(range(count - k + 1, count + 1))
        census, *lines = state["arrivals"]
        assert f"δ taken by {k} of {count}" in census
        assert f"values of {count} of {count} elements" in census
        waiting = {
            (each.arrived, *(sent.sender for sent in each.contributions))
            for each in stepper.waiting()
        }
        partly = [line for line in lines if "still to come" in line]
        assert waiting == {
            (int(line.split(" has ")[1].split()[0]), *re.findall(r"#\d+ \w+", line))
            for line in partly
        }
    assert told[-1]["edges"] > 0


def test_keys_buttons_and_slider_go_through_the_run(browser: str, tmp_path: Path) -> None:
    deeds = {
        "0": 0,
        'press(document, "End")': 26,
        'press(document, "ArrowRight")': 26,
        'press(document, "Home")': 0,
        'press(document, "ArrowLeft")': 0,
        'slider.focus(); press(slider, "ArrowRight")': 1,
        'press(slider, "PageDown")': 11,
        'press(slider, "PageUp")': 1,
        'press(document, "PageDown")': 1,  # it scrolls the page
        'press(document, "ArrowRight", {ctrlKey: true})': 1,
        "parts.last.click()": 26,
        "parts.before.click()": 25,
        "parts.next.click(); parts.first.click()": 0,
        'slider.value = 20; slider.dispatchEvent(new Event("input"))': 20,
        "choose(1, false)": 25,  # of the direction that is shown
        'press(document, "Home"); choose(1, false)': 2,
        'press(places[3], " ")': 4,  # chooses, and does not play
        'press(parts.next, " ")': 4,  # the button's own
        'press(document, " ")': 4,
        "wait(2300)": None,
        "1": 7,
        'press(document, " ")  ': 7,
        "wait(3000)": None,
        "2": 7,
        "parts.play.click()": 7,
        "wait(40000)": None,
        "3": 26,
    }
    told = after(
        browser,
        small_network(),
        list(deeds),
        tmp_path,
        "[moment, slider.value, slider.getAttribute('aria-valuetext') === parts.moment.textContent,"
        " parts.play.textContent, getComputedStyle(slider).outlineStyle,"
        " [...scrubber.querySelectorAll('button, input')]"
        ".map((each) => each.getAttribute('aria-label') || each.textContent)]",
    )
    expected = [moment for moment in deeds.values() if moment is not None]
    assert [state[0] for state in told] == expected
    assert all(state[1] == str(state[0]) and state[2] for state in told)
    assert [state[3] for state in told].count("pause") == 3
    assert told[5][4] == "solid"  # where the focus is can be seen
    assert told[0][4] == "none"
    names = ["to the beginning", "back", "play", "on", "to the end", "moment of the run"]
    assert told[0][5] == names


def test_the_page_asks_nothing_of_the_network(browser: str, tmp_path: Path) -> None:
    graph = small_network()
    addresses = set(re.findall(r"https?://[^\"'\s)<\\]+", page(graph)))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, which nothing is fetched from
    told = after(
        browser,
        graph,
        ["goTo(3)", 'fetch("https://example.org/").catch(() => 0)', "wait(1000)", "0"],
        tmp_path,
        '[[...refused], performance.getEntriesByType("resource").length]',
    )
    assert told[0] == [[], 0]
    assert told[-1][0] == ["https://example.org/"]  # the policy does refuse


def test_an_edited_walk_shows_both_norms(browser: str, tmp_path: Path) -> None:
    _, stepper = walked(residual_chain)
    text = stepper.to("relu").scale(0.5).run().page()
    cells = '[...details.querySelectorAll("table")[1].rows].map((row) => row.cells[%d].textContent)'
    (columns,) = after(browser, text, ["choose(7, true)"], tmp_path, f"[{cells % 2}, {cells % 3}]")
    assert [column[0] for column in columns] == ["norm", "unedited"]
    norm, unedited = (float(column[1]) for column in columns)
    assert norm == pytest.approx(0.5 * unedited, rel=1e-3)
