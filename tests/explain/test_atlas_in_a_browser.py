"""The page of an atlas in a real browser: choices, keys, one map enlarged, no network."""

from html import unescape
from pathlib import Path

import pytest

from tinygrad_cnn.explain.atlas import compare_networks

from .test_page_in_a_browser import read_in_browser

pytestmark = pytest.mark.browser

# What a reader does, and what is then to be read; sigmoid's C1 is the first card.
DEEDS = {
    "by('when').value": "at initialisation",
    "contrast(0)": "1",
    "set('scale', 1), contrast(0) < 0.2 && contrast(0) > 0": "true",
    "set('scale', 2), by('told').textContent": "in all networks",
    "set('gain', 10), by('times').value": "×10",
    "set('scale', 0), set('gain', 0), set('moment', 1), by('when').value": "after 1 step",
    "cards[0].map.style.backgroundPosition": "0% 50%",
    "set('channel', 2), cards[0].map.style.backgroundPosition": "66.6667% 50%",
    "set('kind', 1), shown()": "C1,C3,C5,F6,output,C1,C3,C5,F6,output",
    "set('kind', 2), shown()": "sigmoid,sigmoid,sigmoid,sigmoid,relu,relu,relu,relu",
    "set('kind', 0), rows()": "1",
    "cards[0].node.click(), by('enlarged').open": "true",
    "by('enlarged').querySelectorAll('.map').length": "12",
    "words()": "mean of the channels, at initialisation",
    "by('enlarged').click(), by('enlarged').open": "false",
    "press(cards[5].node), by('enlarged').open": "true",
    "getComputedStyle(cards[0].map).filter.includes('url(')": "true",
    "fetched()": "0",
}
WATCH = """<script>
const set = (id, value) => {
  by(id).value = value;
  by(id).dispatchEvent(new Event("input"));
};
const press = (node) => node.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
const contrast = (k) => Number(cards[k].map.style.getPropertyValue("--contrast"));
const shown = () => cards.filter((card) => !card.node.hidden)
  .map((card) => card.node.querySelector("span").textContent).join();
const words = () => by("enlarged").querySelector("p").textContent.split(":")[0];
const fetched = () => performance.getEntriesByType("resource")
  .filter((entry) => !entry.name.startsWith("data:")).length;
const rows = () => new Set([...document.querySelectorAll("tr[data-moment]")]
  .filter((row) => !row.hidden).map((row) => row.dataset.moment)).size;
const told = [];
for (const deed of %s) {
  try { told.push(String(eval(deed))); } catch (error) { told.push(String(error)); }
}
document.body.replaceChildren(Object.assign(document.createElement("pre"),
  {textContent: told.join("\\n")}));
</script></body></html>"""


def test_a_reader_chooses_moments_channels_and_scales(browser: str, tmp_path: Path) -> None:
    found = compare_networks("lenet5-sigmoid-relu", steps=2, batch_size=4)
    watched = WATCH % list(DEEDS)
    path = tmp_path / "page.html"
    path.write_text(found.html().replace("</body></html>", watched), encoding="utf-8")
    text = unescape(read_in_browser(browser, path).split("<pre>")[1].split("</pre>")[0])
    assert dict(zip(DEEDS, text.split("\n"), strict=True)) == DEEDS
