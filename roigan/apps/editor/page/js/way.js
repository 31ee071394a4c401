// The way from a region's filling before its strokes to the one that follows them: a slider, and playing it.

import * as api from "./api.js";
import { Newest } from "./newest.js";
import { seenBy, showRough, update } from "./results.js";
import { attempt, say } from "./say.js";
import { change, chosen, now } from "./store.js";

const FRAMES = 17, PLAYED = 1600; // milliseconds
const element = (id) => document.getElementById(id);
const frames = new Newest();
let film = {}; // {window, start, end, strip}: the way of the chosen region in frames
let wanted = null; // the place on the way that is to be shown; null: where the region stands
let playing = 0; // what requestAnimationFrame gave; -1 until the frames are there

const mix = (a, b, t) => a.map((value, i) => Math.fround((1 - t) * value + t * b[i])); // as the model takes them

/** The properties of a region that stands on its way where its paint says. */
export function standing(paint) {
  const { start, end, t } = paint.path;
  return { z0: mix(start.z0, end.z0, t), c: mix(start.c, end.c, t), paint };
}

export function showWay(state) {
  const { paint, locked } = state.regions[state.chosen] ?? {}, path = paint?.path;
  element("way").hidden = !path;
  element("path").disabled = locked;
  if (path) showPlace(path.t);
}

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
  playing = -1;
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
