// Brushes: strokes on a region, the search for a filling that follows them, and what it offers.

import * as api from "./api.js";
import { copyOf, put } from "./controls.js";
import { Newest } from "./newest.js";
import { decoded, fillings, live, seenBy, showRough, update } from "./results.js";
import { attempt, complain, say } from "./say.js";
import { LAM_S, amend, change, chosen, isEmpty, modelOf, now, retract, store, unpainted } from "./store.js";
import { standing } from "./way.js";

const STEPS = 40, AT_ONCE = 5, MOST_STROKES = 64;
const PALETTE = ["#15110f", "#4a2a1a", "#7c1f2b", "#c4574e", "#e5b28f", "#f7efe4", "#5b7fae", "#5d8a4a"];
const element = (id) => document.getElementById(id);

export const brush = { colour: rgb(PALETTE[2]), candidates: 4 };
const searches = new Newest();
let offered = { strokes: null, candidates: [], filled: null }; // what the search for these strokes has found

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

const moves = (region) => modelOf(region).can.includes("paint");

/** Whether there is something to paint on; says what is missing. */
export function paintable() {
  const region = chosen();
  if (!region || isEmpty(region)) complain(new Error("Draw the region first; a brush paints inside it."));
  else if (region.locked) complain(new Error(`${region.name} is locked.`));
  else if (!region.shown) complain(new Error(`${region.name} is hidden.`));
  else if (!moves(region)) complain(new Error("This model has neither noise nor sliders, so no brush moves it."));
  else if (region.paint.strokes.length >= MOST_STROKES) complain(new Error(`${MOST_STROKES} strokes at most; fix them.`));
  else return true;
  return false;
}

const NAMES = { colour: "Colour", sketch: "Sketch", warp: "Warp" };

/** A stroke on the chosen region, {brush, points, size, colour} in pixels of the picture; follow it. */
export function addStroke(stroke) {
  const { paint } = chosen();
  change(NAMES[stroke.brush], { paint: { ...paint, strokes: [...paint.strokes, stroke], pending: true } });
}

// --- the search ---

/** Starts what is still to be searched in the present state, unless it waits for *Generate*; says whether there is
 * such a thing. */
export function follow(force = false) {
  const state = now(), index = state.regions.findIndex(({ paint }) => paint.pending);
  if (index < 0) return false;
  if (live.on || force) searches.run(() => search(state, index, force));
  return true;
}

const stale = (state) => state.regions !== now().regions;

async function search(state, index, force) {
  if (stale(state)) return;
  say("Painting …");
  const { paint } = state.regions[index];
  const found = await attempt(() => look(state, index));
  if (stale(state)) return;
  if (!found) return retract(state); // what was refused has not been done
  offered = { strokes: paint.strokes, ...found };
  amend(state, index, standing({ ...paint, pending: false, path: { start: found.start, end: found.candidates[0], t: 1 } }));
  if (force) follow(true) || update(true);
}

/** Steps towards the strokes, shown as they come: where they began, and the best of every candidate by cost. */
async function look(state, index) {
  const { model, seed, k, c, z0, paint } = state.regions[index], window = await seenBy(state, index);
  const here = { z0, c }, task = {
    strokes: paint.strokes,
    lam_s: paint.lam_s,
    candidates: brush.candidates,
    start: { seed, k, ...(paint.path?.start ?? here) },
    begin: paint.path && here,
    steps: AT_ONCE,
  };
  let at = null, best = [], start = null;
  for (let step = 0; step < STEPS && !stale(state); step += AT_ONCE) {
    const answer = await api.paint(model, window, { ...task, at });
    ({ at, start } = answer);
    best = answer.found.map((own, i) => (best[i]?.cost <= own.cost ? best[i] : own));
    const costs = answer.found.map(({ cost }) => cost), n = costs.indexOf(Math.min(...costs));
    showRough(state, { window, strip: await createImageBitmap(decoded(answer.y)), index, n });
  }
  const candidates = best.toSorted((a, b) => a.cost - b.cost).map(({ z0: noise, c: sliders }) => ({ z0: noise, c: sliders }));
  const filled = await fillings(state, index, candidates.map((own) => ({ seed, k, ...own })));
  return { start, candidates, filled };
}

// --- the panel ---

export function showBrushes(state) {
  const region = state.regions[state.chosen];
  const { strokes, lam_s, path } = region?.paint ?? unpainted({ lam_s: LAM_S });
  element("brush-part").hidden = !region || !moves(region);
  element("smoothness").value = lam_s;
  element("smoothness-shown").value = lam_s.toFixed(1);
  element("strokes").textContent = strokes.length ? `${strokes.length} stroke${strokes.length > 1 ? "s" : ""}` : "";
  element("strokes-part").hidden = !strokes.length && !path;
  const row = element("candidate-row");
  if (offered.strokes !== strokes) return row.replaceChildren();
  row.replaceChildren(...offered.candidates.map((candidate, n) => candidateButton(region, candidate, n)));
}

function candidateButton(region, candidate, n) {
  const button = copyOf("die"), { path } = region.paint;
  button.setAttribute("aria-label", `Candidate ${n + 1} of ${offered.candidates.length}, by cost`);
  if (path?.end === candidate) button.setAttribute("aria-current", "true");
  put(button.querySelector("canvas"), offered.filled, n, region);
  button.addEventListener("click", () => {
    change("Candidate", standing({ ...region.paint, path: { ...path, end: candidate, t: 1 } }));
    element("candidate-row").children[n]?.focus();
  });
  return button;
}

/** What is painted becomes the region's own filling: later strokes begin there. */
function fix() {
  change("Fix", { paint: unpainted(chosen().paint) });
  say("Fixed: the next stroke begins here.");
}

/** Back to the filling before the first stroke. */
function unpaint() {
  const { paint } = chosen();
  change("Unpaint", { ...paint.path?.start, paint: unpainted(paint) });
}

element("fix").addEventListener("click", fix);
element("unpaint").addEventListener("click", unpaint);
element("smoothness").addEventListener("input", ({ target }) => {
  element("smoothness-shown").value = target.valueAsNumber.toFixed(1);
});
element("smoothness").addEventListener("change", ({ target }) => {
  const { paint } = chosen(), lam_s = target.valueAsNumber;
  change("Smoothness", { paint: { ...paint, lam_s, pending: paint.strokes.length > 0 } });
});
element("candidates").addEventListener("change", ({ target }) => {
  brush.candidates = target.value = Math.min(16, Math.max(1, Math.round(target.valueAsNumber) || 4));
});
element("palette").prepend(...PALETTE.map((hex, i) => swatch(hex, brush.colour.join() === rgb(hex).join(), i)));
element("colour").addEventListener("input", ({ target }) => {
  brush.colour = rgb(target.value);
  element("palette").querySelectorAll("[type=radio]").forEach((radio) => (radio.checked = false));
});

function swatch(hex, checked, i) {
  const cell = copyOf("palette-colour"), radio = cell.querySelector("input");
  cell.style.setProperty("--hue", hex);
  radio.checked = checked;
  radio.setAttribute("aria-label", `Colour ${i + 1}, ${hex}`);
  radio.addEventListener("change", () => {
    brush.colour = rgb(hex);
    element("colour").value = hex;
  });
  return cell;
}

element("stroke").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!paintable()) return;
  const { brush: name, size, x, y, to_x, to_y } = event.target.elements;
  const points = [[x, y], [to_x, to_y]].map((ends) => ends.map((end) => end.valueAsNumber));
  addStroke({ brush: name.value, points, size: name.value === "sketch" ? 1 : size.valueAsNumber, colour: brush.colour });
});
