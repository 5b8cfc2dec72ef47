// Goes through the run moment by moment: forward, then backward, in execution order. It stands
// behind page.js and uses its names.

const way = { forward: "forward", backward: "backward" };
const ran = graph.elements.map((element) => element.number);
const walked = graph.elements.filter((element) => (element.outgoing || []).some(Boolean))
  .map((element) => element.number).reverse();
// Moment 0 shows the whole run; at each other one an element has just run.
const moments = [null, ...ran.map((number) => ({ way: way.forward, number })),
  ...walked.map((number) => ({ way: way.backward, number }))];
const backwardAt = new Map(walked.map((number, k) => [number, 1 + ran.length + k]));
const readersOf = new Map(); // of a value: elements that an error signal comes back from
for (const element of graph.elements)
  (element.incoming || []).forEach((signal, k) => {
    const value = element.inputs[k];
    if (signal) readersOf.set(value, [...(readersOf.get(value) || []), element.number]);
  });
const madeBy = new Map(graph.elements.flatMap((element) =>
  element.outputs.map((value) => [value, element])));
const scrubber = document.getElementById("scrubber");
const slider = document.getElementById("slider");
const drawing = document.querySelector(".picture");
const edges = [...document.querySelectorAll("svg g[data-made], svg g[data-reader]")];
const parts = Object.fromEntries(["first", "before", "play", "next", "last", "moment", "arrivals"]
  .map((name) => [name, document.getElementById(name)]));
let moment = 0;
let scrubbing = false; // whether the picture shows the moment, or all of the run
let timer = null;

function labelOf(number) {
  const element = graph.elements[number - 1];
  return `#${number} ${element.scope ? element.scope + "." : ""}${element.name}`;
}

function nameOf(value) {
  const known = graph.values[value];
  if (known.name) return known.name;
  if (madeBy.has(value)) return labelOf(madeBy.get(value).number).replace(/^#\d+ /, "");
  const reader = graph.elements.find((element) => element.inputs.includes(value));
  return symbolOf(graph.rules[reader.rule], reader.inputs.indexOf(value));
}

// Whether an element has run by now, in a direction.
const hasRun = (number) => moment >= number;
const hasSent = (number) => backwardAt.has(number) && moment >= backwardAt.get(number);

// Of a repeated block the picture shows one: while one of them is passed, that one.
const membersOf = new Map(places.map((place) =>
  [Number(place.dataset.element), place.dataset.members.split(" ").map(Number)]));

function standing(now) {
  const present = [...membersOf.values()].find((members) => members.includes(now)) || [now];
  const turn = present.indexOf(now);
  return (number) => {
    const members = membersOf.get(number) || [number];
    return members.length === present.length ? members[turn] : members[0];
  };
}

function paint() {
  drawing.classList.toggle("scrubbing", scrubbing);
  const now = scrubbing ? moments[moment].number : -1;
  const shown = standing(now);
  for (const place of places) {
    const number = shown(Number(place.dataset.element));
    place.classList.toggle("yet", scrubbing && !hasRun(number));
    place.classList.toggle("sent", scrubbing && hasSent(number));
    place.classList.toggle("now", number === now);
    if (number === now) place.setAttribute("aria-current", "step");
    else place.removeAttribute("aria-current");
  }
  for (const edge of edges) {
    const { made, reader } = edge.dataset;
    const maker = made && shown(Number(made));
    edge.classList.toggle("yet", scrubbing && made !== undefined && !hasRun(maker));
    const came = reader !== undefined ? hasSent(shown(Number(reader)))
      : graph.elements[maker - 1].outputs.some((value) =>
        (readersOf.get(value) || []).some(hasSent));
    edge.classList.toggle("unsent", scrubbing && !came);
  }
}

// What came to values with several readers: all of it where the walk has passed, or a part.
function arrivals() {
  const lines = [];
  for (const fan of graph.fan_ins) {
    const there = fan.contributions.filter((sent) => hasSent(sent.element));
    const due = fan.contributions.filter((sent) => !hasSent(sent.element));
    const justNow = there.some((sent) => moments[moment].number === sent.element);
    if (!there.length || (!due.length && !justNow)) continue;
    const from = there.map((sent) => `‖c‖ ${number(sent.norm)} from ${labelOf(sent.element)}`);
    const still = due.length
      ? `; still to come from ${due.map((sent) => labelOf(sent.element)).join(", ")}`
      : ": complete";
    lines.push(`δ(${nameOf(fan.value)}) has ${there.length} of ${fan.contributions.length}: `
      + from.join(", ") + still);
  }
  return lines;
}

function happening() {
  if (!scrubbing || !moment) return "The whole run. Go through it with the slider, the keys ← and →, or play.";
  const { way: direction, number: at } = moments[moment];
  const element = graph.elements[at - 1];
  const step = direction === way.forward ? moment : moment - ran.length;
  const all = direction === way.forward ? ran.length : walked.length;
  return `${direction} ${step} of ${all}: ${labelOf(at)} `
    + (direction === way.forward ? computed(element) : sent(element));
}

function computed(element) {
  const shapes = element.outputs.map((value) => graph.values[value].shape.join("x") || "scalar");
  return `computes ${shapes.join(", ")}`;
}

function sent(element) {
  const received = (element.outgoing || []).find(Boolean);
  const norm = (signal) => (signal.figures ? ` ‖${number(signal.figures.norm)}‖` : "");
  const told = [];
  (element.incoming || []).forEach((signal, k) => {
    const value = element.inputs[k];
    const known = graph.values[value];
    if (signal) told.push((known.role === "parameter" ? `∇${nameOf(value)}`
      : `δ(${nameOf(value)})`) + norm(signal));
  });
  return `takes δ${norm(received)} and sends ${told.join(", ") || "nothing"}`;
}

// How much there is by now.
const gradients = graph.values.map((value, k) => (value.role === "parameter" && readersOf.get(k)) || [])
  .filter((readers) => readers.length);

function census() {
  const made = ran.filter(hasRun).length;
  const taken = walked.filter(hasSent).length;
  const complete = gradients.filter((readers) => readers.every(hasSent)).length;
  return `values of ${made} of ${ran.length} elements · δ taken by ${taken} of `
    + `${walked.length} · gradients complete ${complete} of ${gradients.length}`;
}

function tell() {
  const text = happening();
  slider.value = moment;
  slider.setAttribute("aria-valuetext", text);
  parts.moment.textContent = text;
  parts.arrivals.replaceChildren();
  if (scrubbing && moment) {
    parts.arrivals.append(make("li", census(), "quiet"));
    for (const line of arrivals()) parts.arrivals.append(make("li", line));
  }
  parts.first.disabled = parts.before.disabled = moment === 0;
  parts.last.disabled = parts.next.disabled = moment === moments.length - 1;
}

// Go to a moment and choose the element whose turn it is.
function goTo(wanted) {
  moment = Math.max(0, Math.min(moments.length - 1, wanted));
  scrubbing = moment > 0;
  if (scrubbing) {
    const at = String(moments[moment].number);
    const k = places.findIndex((place) => place.dataset.members.split(" ").includes(at));
    if (k >= 0) choose(k, timer === null, places[k].dataset.members.split(" ").indexOf(at));
  }
  paint();
  tell();
}

// An element was chosen otherwise: its moment is meant, in the direction that is shown.
function follow(chosenNumber) {
  const present = moments[moment];
  if (present && present.number === chosenNumber) return;
  const back = present && present.way === way.backward && backwardAt.has(chosenNumber);
  moment = back ? backwardAt.get(chosenNumber) : chosenNumber;
  paint();
  tell();
}

function play(on) {
  clearInterval(timer);
  timer = null;
  if (on) {
    if (moment === moments.length - 1) goTo(0);
    const pause = Math.max(60, Math.min(700, 40000 / moments.length));
    timer = setInterval(() => {
      goTo(moment + 1);
      if (moment === moments.length - 1) play(false);
    }, pause);
  }
  // While it plays, a screen reader is not told each step.
  parts.moment.setAttribute("aria-live", on ? "off" : "polite");
  parts.play.textContent = on ? "pause" : "play";
}

const DEEDS = {
  ArrowRight: () => goTo(moment + 1),
  ArrowLeft: () => goTo(moment - 1),
  PageDown: () => goTo(moment + 10),
  PageUp: () => goTo(moment - 10),
  Home: () => goTo(0),
  End: () => goTo(moments.length - 1),
  " ": () => play(timer === null),
};

if (moments.length > 1) {
  scrubber.hidden = false;
  slider.max = moments.length - 1;
  slider.addEventListener("input", () => { play(false); goTo(Number(slider.value)); });
  parts.first.onclick = () => { play(false); DEEDS.Home(); };
  parts.before.onclick = () => { play(false); DEEDS.ArrowLeft(); };
  parts.play.onclick = () => DEEDS[" "]();
  parts.next.onclick = () => { play(false); DEEDS.ArrowRight(); };
  parts.last.onclick = () => { play(false); DEEDS.End(); };
  document.addEventListener("keydown", (event) => {
    const deed = DEEDS[event.key];
    const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
    const paging = event.key.startsWith("Page") && event.target !== slider; // it scrolls the page
    const pressing = event.key === " " && event.target instanceof HTMLButtonElement;
    if (!deed || modified || paging || pressing || event.defaultPrevented) return;
    event.preventDefault();
    if (event.key !== " ") play(false);
    deed();
  });
  tell();
}
