// Shows what the document says of an element when it is chosen: by a click, Enter, or the moment
// that scrubber.js, which stands behind, has come to.
"use strict";

const graph = JSON.parse(document.getElementById("graph").textContent);
const unedited = document.getElementById("unedited"); // the walk before something was changed in it
const before = unedited && JSON.parse(unedited.textContent);
const details = document.getElementById("details");
const places = [...document.querySelectorAll("svg .element")]
  .sort((a, b) => a.dataset.element - b.dataset.element);
let chosen = -1; // which of those drawn
let time = 0; // of a repeated block, which one

function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function number(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : value;
}

function fill(formula, rule) {
  return formula.replace(/\{(δ?)([^{}]*)\}/g, (whole, delta, symbol) =>
    delta ? `δ(${symbol})` : symbol);
}

function symbolOf(rule, k) {
  const last = rule.inputs.length - 1;
  if (rule.inputs[last] !== "..." || k < last - 1) return rule.inputs[k];
  return `${rule.inputs[last - 1]}${k - last + 2}`;
}

function declared(rule, k) {
  const last = rule.inputs.length - 1;
  return rule.inputs[last] === "..." ? rule.inputs[Math.min(k, last - 1)] : rule.inputs[k];
}

function table(titles, rows) {
  const wide = make("div", undefined, "wide");
  const node = wide.appendChild(make("table"));
  const head = node.appendChild(make("thead")).appendChild(make("tr"));
  titles.forEach((title, k) => head.appendChild(make("th", title, k > 1 ? "number" : "")));
  const body = node.appendChild(make("tbody"));
  for (const row of rows) {
    const line = body.appendChild(make("tr"));
    row.forEach((cell, k) => line.appendChild(make("td", cell, k > 1 ? "number" : "")));
  }
  return wide;
}

function figures(of) {
  return of ? [of.norm, of.least, of.largest, of.zeros].map(number) : ["", "", "", ""];
}

// The name that a value has beside its symbol; layers name theirs by their path, which the title says.
function called(symbol, value) {
  if (!value.name || value.name === symbol || value.name.endsWith(`.${symbol}`)) return symbol;
  return `${symbol} (${value.name})`;
}

function signed(symbol, value) {
  return value.role === "parameter" ? `∇${symbol}` : `δ(${symbol})`;
}

function spent(way, work, effort) {
  const parts = [];
  if (work && work.multiply_adds)
    parts.push(`${work.multiply_adds.toLocaleString("en")} multiply-adds`);
  if (work && work.bytes) parts.push(`${work.bytes.toLocaleString("en")} bytes`);
  if (effort && effort.seconds) parts.push(`${number(effort.seconds * 1e6)} µs`);
  if (effort && effort.kernels.length)
    parts.push([...new Set(effort.kernels.map((used) => used.join(":")))].join(" "));
  return [way, parts.join(" · ")];
}

function show() {
  const members = places[chosen].dataset.members.split(" ");
  const element = graph.elements[members[time] - 1];
  const rule = graph.rules[element.rule];
  details.replaceChildren();
  details.append(make("h2", `${element.number}  ${element.scope ? element.scope + "." : ""}${element.name}`));
  const options = Object.entries(element.options)
    .map(([name, value]) => `${name} ${JSON.stringify(value).replaceAll('"', "")}`);
  if (options.length) details.append(make("p", options.join(", "), "quiet"));
  if (members.length > 1) {
    const bar = make("p");
    const back = make("button", "◀"), on = make("button", "▶");
    back.title = "the block before";
    on.title = "the next block";
    back.disabled = time === 0;
    on.disabled = time === members.length - 1;
    back.onclick = () => { time -= 1; show(); };
    on.onclick = () => { time += 1; show(); };
    bar.append(back, ` block ${time + 1} of ${members.length} `, on);
    details.append(bar);
  }
  details.append(make("h3", "forward"));
  details.append(make("code", `${rule.outputs[0]} = ${fill(rule.forward, rule)}`, "formula"));
  const given = element.inputs.map((value, k) => [symbolOf(rule, k), graph.values[value]]);
  const made = element.outputs.map((value, k) => [rule.outputs[k], graph.values[value]]);
  const shape = (value) => value.shape.length ? value.shape.join("x") : "scalar";
  details.append(table(["", "shape", "norm", "min", "max", "zeros"],
    [...given, ...made].map(([symbol, value]) =>
      [called(symbol, value), shape(value), ...figures(value.forward)])));
  details.append(make("h3", "backward"));
  const wanted = new Map();
  element.inputs.forEach((value, k) => {
    if (graph.values[value].requires_grad)
      wanted.set(declared(rule, k), signed(declared(rule, k), graph.values[value]));
  });
  for (const [symbol, sign] of wanted)
    if (rule.backward[symbol])
      details.append(make("code", `${sign} = ${fill(rule.backward[symbol], rule)}`, "formula"));
  const signals = [];
  const former = before && before.elements[element.number - 1];
  const told = (signal, earlier) => {
    const all = figures(signal.figures);
    if (before) all.splice(1, 0, number(earlier && earlier.figures && earlier.figures.norm));
    return all;
  };
  (element.outgoing || []).forEach((signal, k) => {
    if (signal) signals.push([`δ(${rule.outputs[k]})`, "arrives",
      ...told(signal, former && former.outgoing && former.outgoing[k])]);
  });
  (element.incoming || []).forEach((signal, k) => {
    const sign = signed(symbolOf(rule, k), graph.values[element.inputs[k]]);
    if (signal) signals.push([sign, "leaves",
      ...told(signal, former && former.incoming && former.incoming[k])]);
  });
  const titles = ["", "", "norm", ...(before ? ["unedited"] : []), "min", "max", "zeros"];
  if (signals.length) details.append(table(titles, signals));
  else details.append(make("p", "No error signal came by.", "quiet"));
  if (element.convention) details.append(make("p", element.convention, "quiet"));
  details.append(make("h3", "cost"));
  const costs = [spent("forward", element.cost.forward, element.forward)];
  for (const [symbol, work] of Object.entries(element.cost.gradients))
    costs.push(spent(`δ(${symbol})`, work, null));
  if (element.backward) costs.push(spent("backward", null, element.backward));
  details.append(table(["", ""], costs));
  if (element.source) {
    details.append(make("h3", "source"));
    const { file, line, text } = element.source;
    details.append(make("p", `${file}:${line} in ${element.source.function}`, "quiet"));
    details.append(make("code", text, "formula"));
  }
  follow(element.number);
}

function choose(k, scroll, member = 0) {
  if (k < 0 || k >= places.length) return;
  chosen = k;
  time = member;
  document.querySelectorAll(".chosen").forEach((node) => node.classList.remove("chosen"));
  places[k].classList.add("chosen");
  const row = document.querySelector(`tr[data-element="${places[k].dataset.element}"]`);
  if (row) row.classList.add("chosen");
  if (scroll) places[k].scrollIntoView({ block: "nearest" });
  show();
}

places.forEach((place, k) => {
  place.addEventListener("click", () => choose(k, false));
  place.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(k, false);
    }
  });
});
document.querySelectorAll("tr[data-element]").forEach((row) => {
  row.addEventListener("click", () =>
    choose(places.findIndex((place) => place.dataset.element === row.dataset.element), true));
});
