// Brushes: strokes on a region, the search for a filling that follows them, what it offers, and the way there.

import * as api from "./api.js";
import { copyOf, put } from "./controls.js";
import { Newest } from "./newest.js";
import { decoded, fillings, live, seenBy, showRough, update } from "./results.js";
import { attempt, complain, say } from "./say.js";
import { LAM_S, amend, change, chosen, isEmpty, modelOf, now, retract, store, unpainted } from "./store.js";

const STEPS = 40, AT_ONCE = 5, MOST_STROKES = 64, FRAMES = 17, PLAYED = 1600; // milliseconds
const PALETTE = ["#15110f", "#4a2a1a", "#7c1f2b", "#c4574e", "#e5b28f", "#f7efe4", "#5b7fae", "#5d8a4a"];
const element = (id) => document.getElementById(id);

export const brush = { colour: rgb(PALETTE[2]), candidates: 4 };
const searches = new Newest(), frames = new Newest();
let offered = { strokes: null, candidates: [], filled: null }; // what the search for these strokes has found
let film = {}; // {window, start, end, strip}: the way of the chosen region in frames

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

const moves = (region) => modelOf(region).noise + modelOf(region).sliders > 0;

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
  if (live.on || force) searches.run(() => search(state, index));
  return true;
}

const stale = (state) => state.regions !== now().regions;

async function search(state, index) {
  if (stale(state)) return;
  say("Painting …");
  const { paint } = state.regions[index];
  const found = await attempt(() => look(state, index));
  if (stale(state)) return;
  if (!found) return retract(state); // what was refused has not been done
  offered = { strokes: paint.strokes, ...found };
  amend(state, index, standing({ ...paint, pending: false, path: { start: found.start, end: found.candidates[0], t: 1 } }));
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

const mix = (a, b, t) => a.map((value, i) => Math.fround((1 - t) * value + t * b[i])); // as the model takes them

/** The properties of a region that stands on its way where its paint says. */
function standing(paint) {
  const { start, end, t } = paint.path;
  return { z0: mix(start.z0, end.z0, t), c: mix(start.c, end.c, t), paint };
}

// --- the panel ---

export function showBrushes(state) {
  const region = state.regions[state.chosen];
  const { strokes, lam_s, path } = region?.paint ?? unpainted({ lam_s: LAM_S });
  element("brush-part").hidden = !region || !moves(region);
  element("way").hidden = !path;
  element("smoothness").value = lam_s;
  element("smoothness-shown").value = lam_s.toFixed(1);
  element("strokes").textContent = strokes.length ? `${strokes.length} stroke${strokes.length > 1 ? "s" : ""}` : "";
  element("strokes-part").hidden = !strokes.length && !path;
  if (path) showPlace(path.t);
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

// --- the way from before the strokes to what follows them ---

function showPlace(t) {
  const percent = Math.round(100 * t);
  element("path").value = percent;
  element("path-shown").value = `${percent} %`;
}

/** Shows the frame nearest to a place on the chosen region's way. */
function showFrame(t) {
  const state = now(), index = state.chosen, { model, k, paint: { path: { start, end } } } = state.regions[index];
  return frames.run(async () => {
    const window = await attempt(() => seenBy(state, index));
    if (window && (film.window !== window || film.start !== start || film.end !== end)) {
      const strip = await attempt(async () => createImageBitmap(await api.path(model, window, { k, start, end, frames: FRAMES })));
      film = { window, start, end, strip };
    }
    if (window && film.strip && wanted === t) showRough(state, { ...film, index, n: Math.round(t * (FRAMES - 1)) });
  });
}

let wanted = null; // the place on the way that is to be shown; null: where the region stands
let playing = 0;

function scrub(t) {
  wanted = t;
  element("path-shown").value = `${Math.round(100 * t)} %`;
  return showFrame(t);
}

function stop() {
  cancelAnimationFrame(playing);
  playing = 0;
  wanted = null;
  element("play").setAttribute("aria-pressed", "false");
}

element("path").addEventListener("input", ({ target }) => {
  stop();
  scrub(target.valueAsNumber / 100);
});
element("path").addEventListener("change", ({ target }) => {
  stop();
  const { paint } = chosen(), t = target.valueAsNumber / 100;
  if (t !== paint.path.t) change("Path", standing({ ...paint, path: { ...paint.path, t } }));
});

/** Plays the way from its start to its end, and comes back to where the region stands. */
export async function play() {
  const path = chosen()?.paint.path;
  if (!path) return say("Paint first: then there is a way to play.");
  const again = !playing;
  stop();
  if (!again) return rest(path);
  element("play").setAttribute("aria-pressed", "true");
  playing = -1; // until the frames are there
  await scrub(0);
  if (!playing) return undefined;
  const began = performance.now();
  const tick = (time) => {
    if (chosen()?.paint.path !== path) return stop();
    const t = (time - began) / PLAYED;
    if (t >= 1) return rest(path);
    scrub(Math.max(0, t));
    element("path").value = 100 * t;
    playing = requestAnimationFrame(tick);
    return undefined;
  };
  playing = requestAnimationFrame(tick);
  return undefined;
}

function rest({ t }) {
  stop();
  showPlace(t);
  return update();
}

element("play").addEventListener("click", play);
