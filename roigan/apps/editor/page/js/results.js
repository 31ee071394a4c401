// From states to pixels: the preview while a slider moves, the exact result once it rests, thumbnails last.

import * as api from "./api.js";
import { Newest } from "./newest.js";
import { attempt, say } from "./say.js";
import { isEmpty, now, plain, store } from "./store.js";

const exactly = new Newest(), roughly = new Newest(), later = new Newest();
const results = new WeakMap(); // by a state's regions, so that undo and redo need no server
const windows = new Map(); // by what decides them
const MOST_WINDOWS = 24;

export const live = { on: true };
const stale = (state) => state.regions !== now().regions;
let show = () => {};
let moves = 0; // counts slider events: an answer to an older one is dropped

export const onResult = (listener) => (show = listener);

/** The exact result of a state: {left, top, width, height, bitmap}. */
async function exact(state) {
  if (results.has(state.regions)) return results.get(state.regions);
  const box = await api.renderBox(store.picture.sha256, plain(state.regions));
  const result = { ...box, bitmap: await createImageBitmap(decoded(box.png)) };
  results.set(state.regions, result);
  return result;
}

export const decoded = (png) => new Blob([Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0))]);

/** Shows the exact result of the present state as soon as it is there; unless `force`, only in live mode. */
export function update(force = false) {
  const state = now();
  if (!plain(state.regions).some((region) => region.shown)) results.set(state.regions, null);
  if (results.has(state.regions)) return show({ state, result: results.get(state.regions) });
  if (!live.on && !force) return show({ state, waiting: true });
  return exactly.run(async () => {
    if (stale(state)) return;
    say("Generating …");
    const result = await attempt(() => exact(state));
    if (result === undefined || stale(state)) return; // refused, or late
    say("Done.");
    show({ state, result });
  });
}

/** Whether the exact result of the present state is there. */
export const isSettled = () => results.has(now().regions);

/** What the model of a region sees, once the regions before it are filled. */
export async function seenBy(state, index) {
  const upTo = state.regions.slice(0, index + 1);
  const { model, runs, context } = upTo[index];
  const sent = [...plain(upTo.slice(0, index).filter((region) => region.shown)), ...plain([upTo[index]])];
  const key = JSON.stringify([store.picture.sha256, sent.slice(0, -1), model, runs, context]);
  if (!windows.has(key)) {
    windows.set(key, await api.seenBy(store.picture.sha256, sent));
    if (windows.size > MOST_WINDOWS) windows.delete(windows.keys().next().value);
  }
  return windows.get(key);
}

/** Fillings of a region by other controls, as bitmaps of the model's size, side by side. */
export async function fillings(state, index, controls) {
  const window = await seenBy(state, index);
  const strip = await createImageBitmap(await api.fill(state.regions[index].model, window, controls));
  return { window, strip };
}

/** Shows how a region would look with these controls, while a slider moves. */
export function preview(controls) {
  const state = now(), index = state.chosen, mine = ++moves;
  if (isEmpty(state.regions[index]) || !live.on) return undefined;
  return roughly.run(async () => {
    const got = await attempt(() => fillings(state, index, [controls]));
    if (got && mine === moves && state === now()) showRough(state, { ...got, index, n: 0 });
  });
}

/** Shows the n-th filling of a strip, {window, strip, index, n}, over a region of a state until the exact one comes. */
export const showRough = (state, rough) => show({ state, rough });

/** An answer to a slider event must not appear any more. */
export const settle = () => moves++;

/** Runs what may wait, such as thumbnails; `work` gets a function that says whether it is still wanted. */
export function whenIdle(state, work) {
  return later.run(async () => {
    await new Promise((done) => setTimeout(done, 150));
    const wanted = () => state === now();
    if (wanted()) await attempt(() => work(wanted));
  });
}
