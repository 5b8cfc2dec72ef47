// Chooses the moment, the channel and the scale of the maps; enlarges one of them.
"use strict";

const atlas = JSON.parse(document.getElementById("atlas").textContent);
const by = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll("figure")].map((node) => {
  const run = atlas.runs[node.closest(".run").dataset.run];
  return { node, run, plate: run.plates[node.dataset.plate], map: node.querySelector(".map") };
});
const chosen = (id) => (by(id) ? Number(by(id).value) : 0);

// Which tile of an element is shown: those with fewer channels show their last.
function column(plate) {
  return Math.min(chosen("channel"), plate.largest[0].length - 1);
}

function largestOf(plate, moment) {
  return plate.largest === null ? null : plate.largest[moment][column(plate)];
}

function number(value) {
  const small = value !== 0 && Math.abs(value) < 1e-3;
  return small ? value.toExponential(2) : Number(value.toPrecision(3)).toString();
}

function share(place, count) {
  return count > 1 ? `${(100 * place) / (count - 1)}%` : "0";
}

function place(map, plate, moment, tile) {
  const rows = plate.largest.length, columns = plate.largest[0].length;
  map.style.backgroundPosition = `${share(tile, columns)} ${share(moment, rows)}`;
}

// The largest |δ| that a scale reaches to: of each map, of a network, or of all.
function scales(moment) {
  const scale = chosen("scale");
  if (scale === 0) return () => null;
  const of = new Map();
  for (const { run, plate, node } of cards) {
    const largest = largestOf(plate, moment);
    const key = scale === 1 ? run : null;
    if (largest !== null && !node.hidden) of.set(key, Math.max(of.get(key) || 0, largest));
  }
  return (run) => of.get(scale === 1 ? run : null) || 0;
}

function show() {
  const moment = chosen("moment"), gain = 10 ** (chosen("gain") / 10), kind = chosen("kind");
  if (by("when")) by("when").value = atlas.moments[moment];
  by("times").value = `×${gain < 10 ? gain.toFixed(1).replace(".0", "") : Math.round(gain)}`;
  for (const { node } of cards)
    node.hidden = (kind === 1 && !node.classList.contains("linear")) ||
      (kind === 2 && !node.classList.contains("activation"));
  for (const block of document.querySelectorAll(".block"))
    block.hidden = !block.querySelector("figure:not([hidden])");
  document.querySelector("main").classList.toggle("filtered", kind > 0);
  const common = scales(moment);
  for (const { node, run, plate, map } of cards) {
    node.title = plate.hints[moment];
    node.querySelector("b").textContent = plate.norms[moment];
    if (plate.largest === null) continue;
    place(map, plate, moment, column(plate));
    const largest = largestOf(plate, moment), scale = common(run);
    const ratio = scale === null ? 1 : scale > 0 ? (largest || 0) / scale : 0;
    map.style.setProperty("--contrast", ratio * gain);
    map.style.opacity = largest === null ? 0.3 : 1;
  }
  const ends = ["max", "max"];
  let told = "of each map";
  if (chosen("scale") === 1)
    told = atlas.runs.map((run) => `${run.title} ±${number(common(run) / gain)}`).join(", ");
  if (chosen("scale") === 2) {
    ends.fill(number(common(null) / gain));
    told = "in all networks";
  } else if (gain > 1 && chosen("scale") === 0) ends.fill(`max/${number(gain)}`);
  by("lowest").textContent = `−${ends[0]}`;
  by("highest").textContent = `+${ends[1]}`;
  by("told").textContent = told;
  for (const row of document.querySelectorAll("tr[data-moment]"))
    row.hidden = Number(row.dataset.moment) !== moment;
  for (const panel of document.querySelectorAll(".panel"))
    panel.classList.toggle("chosen",
      atlas.moments.length > 1 && Number(panel.dataset.moment) === moment);
}

function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

// All moments and channels of one element, large, each by its own scale.
function enlarge({ run, plate, map, node }) {
  const inside = by("enlarged").firstElementChild;
  inside.replaceChildren(make("h2", `${run.title}: ${plate.label}`));
  const moment = chosen("moment");
  inside.append(make("pre", plate.hints[moment], "quiet"));
  if (plate.largest !== null) {
    const columns = plate.largest[0].length;
    const grid = make("div", undefined, "enlarged");
    const wide = node.classList.contains("vector") ? 640 : Math.min(300, 1100 / columns);
    grid.style.gridTemplateColumns = `repeat(${columns}, ${wide}px)`;
    plate.largest.forEach((tiles, when) => tiles.forEach((largest, tile) => {
      const cell = make("div");
      const large = cell.appendChild(make("div", undefined, "map signed"));
      large.style.backgroundImage = map.style.backgroundImage;
      large.style.backgroundSize = map.style.backgroundSize;
      large.style.setProperty("--aspect", map.style.getPropertyValue("--aspect"));
      if (node.classList.contains("vector")) {
        large.style.aspectRatio = "auto";
        large.style.height = "36px";
      }
      place(large, plate, when, tile);
      const what = node.classList.contains("vector") ? "δ"
        : tile === 0 ? "mean of the channels" : `channel ${plate.channels[when][tile - 1]}`;
      const size = largest === null ? "not finite" : `max |δ| ${number(largest)}`;
      cell.append(make("p", `${what}, ${atlas.moments[when]}: ${size}`, "quiet"));
      grid.append(cell);
    }));
    inside.append(grid);
  }
  by("enlarged").showModal();
}

for (const card of cards) {
  card.node.addEventListener("click", () => enlarge(card));
  card.node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    enlarge(card);
  });
}
by("enlarged").addEventListener("click", () => by("enlarged").close());
for (const panel of document.querySelectorAll(".panel"))
  panel.addEventListener("click", () => {
    if (!by("moment")) return;
    by("moment").value = panel.dataset.moment;
    show();
  });
for (const id of ["moment", "channel", "scale", "gain", "kind"])
  if (by(id)) by(id).addEventListener("input", show);
show();
