// What a region is filled with: its model and context, dice, sliders and codes, with thumbnails of what they
// would make.

import * as api from "./api.js";
import { bounds } from "./raster.js";
import { fillings, live, preview, settle, whenIdle } from "./results.js";
import { attempt, say } from "./say.js";
import { change, chosen, controlsOf, isEmpty, modelOf, now, store, unpainted } from "./store.js";

const AT_ONCE = 16, DICE = 8, ENDS = [-1, 1];
const panel = document.getElementById("controls");
const element = (id) => document.getElementById(id);
export const copyOf = (id) => element(id).content.cloneNode(true).firstElementChild;
const shown = (value) => value.toFixed(2).replace("-", "−");

let built = null; // what the panel was built for: a region's id and model
let dice = []; // the eight fillings that are offered

export function showControls(state) {
  const region = state.regions[state.chosen];
  panel.hidden = !region;
  if (!region) return (built = null);
  const model = modelOf(region), key = `${region.id} ${region.model}`;
  if (key !== built) build(region, model);
  built = key;
  element("model").value = region.model;
  element("context").value = region.context;
  element("context-shown").value = `${region.context} ×`;
  panel.querySelectorAll("fieldset").forEach((set) => (set.disabled = region.locked));
  region.c.forEach((value, i) => showSlider(i, value, region.keep.c[i]));
  region.k.forEach((value, i) => {
    const set = element("codes").children[i];
    set.querySelectorAll("input[type=radio]")[value].checked = true;
    set.querySelector("[data-part=keep]").checked = region.keep.k[i];
  });
  if (isEmpty(region)) return clearThumbnails();
  if (live.on) return whenIdle(state, (wanted) => thumbnails(state, wanted));
}

function showSlider(i, value, keep) {
  const row = element("sliders").children[i];
  row.querySelector("input[type=range]").value = value;
  row.querySelector("output").value = shown(value);
  row.querySelector("[data-part=keep]").checked = keep;
}

// --- building ---

function build(region, model) {
  dice = [];
  element("dice-row").replaceChildren();
  element("controls-of").textContent = region.name;
  element("sliders").replaceChildren(...region.c.map((_, i) => slider(i)));
  element("codes").replaceChildren(...region.k.map((_, i) => code(i, model.values)));
  element("slider-part").hidden = !model.sliders;
  element("code-part").hidden = !model.codes;
  element("dice-part").hidden = !model.sliders && !model.codes;
}

/** The controls of the chosen region, one slider replaced. */
const withSlider = (i, value) => {
  const { seed, c, k, z0 } = chosen();
  return { seed, c: c.with(i, value), k, z0 };
};

function slider(i) {
  const row = copyOf("slider-row"), range = row.querySelector("input[type=range]");
  const name = `Slider ${i}`, output = row.querySelector("output");
  row.querySelector("[data-part=label]").textContent = name;
  range.id = `slider-${i}`;
  range.setAttribute("aria-label", name);
  range.addEventListener("input", () => {
    output.value = shown(range.valueAsNumber);
    preview(withSlider(i, range.valueAsNumber));
  });
  range.addEventListener("change", () => set(i, range.valueAsNumber));
  range.addEventListener("dblclick", () => set(i, 0));
  row.querySelectorAll("button").forEach((button, end) => {
    button.setAttribute("aria-label", `${name} to ${ENDS[end] < 0 ? "−1" : "1"}`);
    button.addEventListener("click", () => set(i, ENDS[end]));
  });
  keeper(row, name, "c", i);
  return row;
}

/** Other controls for the chosen region: strokes are fixed, since what follows them is no longer on their way. */
const refill = (label, controls) => change(label, { ...controls, paint: unpainted(chosen().paint) });

function set(i, value) {
  settle();
  if (chosen().c[i] === value) return showSlider(i, value, chosen().keep.c[i]);
  refill(`Slider ${i}`, { c: chosen().c.with(i, value) });
  return undefined;
}

function code(i, values) {
  const part = copyOf("code-row"), row = part.querySelector("[data-part=values]");
  part.querySelector("legend").textContent = `Code ${i}`;
  for (let value = 0; value < values; value++) {
    const cell = copyOf("code-value"), input = cell.querySelector("input");
    input.name = `code-${i}`;
    input.setAttribute("aria-label", `Code ${i}: ${value}`);
    cell.title = String(value);
    input.addEventListener("change", () => refill(`Code ${i}`, { k: chosen().k.with(i, value) }));
    row.append(cell);
  }
  keeper(part, `Code ${i}`, "k", i);
  return part;
}

function keeper(row, name, kind, i) {
  const box = row.querySelector("[data-part=keep]");
  box.setAttribute("aria-label", `Dice leave ${name} alone`);
  box.addEventListener("change", () => {
    const { keep } = chosen();
    change("Keep", { keep: { ...keep, [kind]: keep[kind].with(i, box.checked) } });
  });
}

// --- thumbnails ---

const THUMBNAIL = 96; // pixels

/** Draws the n-th filling of a strip on a small canvas: the region with a little around it. */
export function put(thumbnail, { strip, window }, n, { runs }) {
  const size = strip.height, scale = size / window.side, box = bounds(runs, store.picture.width);
  const side = Math.min(size, Math.max(size / 4, 1.15 * scale * Math.max(box.width, box.height)));
  const corner = (middle) => Math.min(size - side, Math.max(0, middle * scale - side / 2));
  const x = corner(box.left + box.width / 2 - window.left), y = corner(box.top + box.height / 2 - window.top);
  Object.assign(thumbnail, { width: THUMBNAIL, height: THUMBNAIL });
  const pen = thumbnail.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(strip, n * size + x, y, side, side, 0, 0, THUMBNAIL, THUMBNAIL);
}

function clearThumbnails() {
  panel.querySelectorAll(".thumbnail").forEach((thumbnail) => (thumbnail.width = thumbnail.width));
}

/** What every slider would make at its ends, and every code with its values. */
async function thumbnails(state, wanted) {
  const { seed, c, k, z0, model } = state.regions[state.chosen];
  const wishes = [];
  c.forEach((_, i) =>
    ENDS.forEach((value, end) => {
      const target = element("sliders").children[i].querySelectorAll(".thumbnail")[end];
      wishes.push({ target, controls: { seed, c: c.with(i, value), k, z0 } });
    }),
  );
  const { values } = store.models.find(({ sha256 }) => sha256 === model);
  k.forEach((_, i) => {
    for (let value = 0; value < values; value++) {
      const target = element("codes").children[i].querySelectorAll(".thumbnail")[value];
      wishes.push({ target, controls: { seed, c, k: k.with(i, value), z0 } });
    }
  });
  while (wishes.length && wanted()) {
    const some = wishes.splice(0, AT_ONCE);
    const filled = await fillings(state, state.chosen, some.map(({ controls }) => controls));
    if (wanted()) some.forEach(({ target }, n) => put(target, filled, n, state.regions[state.chosen]));
  }
}

// --- dice ---

/** Eight fillings from eight seeds: their own sliders and codes, but for those that are to be kept. */
export async function throwDice() {
  const region = chosen(), state = now();
  if (!region || region.locked) return;
  if (isEmpty(region)) return say("Draw the region first.");
  await attempt(async () => {
    const seeds = [...crypto.getRandomValues(new Uint32Array(DICE))];
    const drawn = await api.draw(region.model, seeds);
    const kept = (kind, own) => own.map((value, i) => (region.keep[kind][i] ? region[kind][i] : value));
    const thrown = drawn.map(({ seed, c, k }) => ({ seed, c: kept("c", c), k: kept("k", k) }));
    const filled = await fillings(state, state.chosen, thrown);
    if (chosen()?.id !== region.id) return;
    dice = thrown;
    element("dice-row").replaceChildren(...dice.map((controls, n) => die(controls, n, filled)));
    say("Eight fillings; pick one.");
  });
}

function die(controls, n, filled) {
  const button = copyOf("die");
  button.setAttribute("aria-label", `Filling ${n + 1} of ${DICE}`);
  put(button.querySelector("canvas"), filled, n, chosen());
  button.addEventListener("click", () => {
    element("dice-row").querySelectorAll("button").forEach((other) => other.removeAttribute("aria-current"));
    button.setAttribute("aria-current", "true");
    refill("Dice", { ...controls, z0: null });
  });
  return button;
}

// --- model and context ---

export function listModels() {
  element("model").replaceChildren(
    ...store.models.map(({ name, sha256, size }) => new Option(`${name} · ${size} px`, sha256)),
  );
}

element("model").addEventListener("change", ({ target }) => {
  const model = store.models.find(({ sha256 }) => sha256 === target.value);
  change("Model", controlsOf(model));
});
element("context").addEventListener("input", ({ target }) => (element("context-shown").value = `${target.value} ×`));
element("context").addEventListener("change", ({ target }) => {
  const context = target.valueAsNumber;
  if (context !== chosen().context) change("Context", { context });
});
element("dice").addEventListener("click", throwDice);
