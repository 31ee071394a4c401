// From pointers to pixels: which tool is on, and what a stroke, a shape, a pinch or a drag does.

import { addStroke, brush, paintable } from "./brushes.js";
import { bounds, copy, decode, ellipse, encode, flood, polygon, rectangle, shifted, stroke } from "./raster.js";
import { complain, say } from "./say.js";
import { changed, chosen, commit, newRegion, now, store } from "./store.js";
import { draw, markDrawn, pan, sheetOf, toPicture, view, zoomBy } from "./view.js";

const canvas = document.getElementById("canvas");
const NAMES = {
  brush: "Brush", eraser: "Eraser", rectangle: "Rectangle", ellipse: "Ellipse", lasso: "Lasso", fill: "Fill",
  colour: "Colour", sketch: "Sketch", warp: "Warp", pan: "Pan",
};
const PAINTS = ["colour", "sketch", "warp"], SIZED = ["brush", "eraser", "colour", "warp"];
const SHAPES = {
  rectangle: (mask, points, value) => rectangle(mask, points[0], points.at(-1), value),
  ellipse: (mask, points, value) => ellipse(mask, points[0], points.at(-1), value),
  lasso: polygon,
};
const LARGEST = 512;

export const tools = { name: "brush", size: 24, held: false, onScreen: false };
const pointers = new Map(); // those that are down: id -> [x, y] on the canvas
let deed = null; // what a pointer is doing: {kind, ...}

export function takeTool(name) {
  tools.name = name;
  canvas.dataset.tool = name;
  document.querySelectorAll("#tools [data-tool]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.tool === name));
  });
  say(`${NAMES[name]}.`);
  draw();
}

/** The brush across, in pixels of the picture; with a switch, `size` means pixels of the screen. */
export const brushSize = () =>
  Math.max(1, Math.round(tools.onScreen ? tools.size / view.zoom : tools.size));

/** A size from 0 to 1 along the slider, whose steps grow with the brush. */
export const sizeAt = (share) => LARGEST ** share;

export function setSize(size) {
  tools.size = Math.min(LARGEST, Math.max(1, Math.round(size)));
  const range = document.getElementById("size");
  range.value = Math.log(tools.size) / Math.log(LARGEST);
  range.setAttribute("aria-valuetext", `${tools.size} pixels`);
  document.getElementById("size-shown").value = tools.size;
  if (view.pointer) view.pointer.size = brushSize();
  draw();
}

// --- deeds on a mask ---

/** The state with a region that can be drawn on: the chosen one, or a new one; null where it is locked. */
function target() {
  const state = now();
  if (!chosen()) return { state: { regions: [...state.regions, newRegion()], chosen: state.regions.length } };
  if (chosen().locked) {
    complain(new Error(`${chosen().name} is locked.`));
    return null;
  }
  return { state };
}

const maskOf = (region) => decode(region.runs, store.picture.width, store.picture.height);

/** Alters the mask of the chosen region by a function, and notes it. */
export function alter(label, work) {
  const aim = target();
  if (!aim) return;
  const { state } = aim, mask = maskOf(state.regions[state.chosen]);
  finish(label, state, work(mask) ?? mask);
}

const MOST = 16;

function finish(label, state, mask) {
  if (state.regions.length > MOST) return complain(new Error(`A picture has ${MOST} regions at most.`));
  const runs = encode(mask), before = state.regions[state.chosen].runs;
  if (runs.length === before.length && runs.every((length, i) => length === before[i])) return draw();
  return commit(label, changed(state, state.chosen, { runs }));
}

export function move(dx, dy) {
  alter("Move", (mask) => shifted(mask, dx, dy));
  const box = chosen() && bounds(chosen().runs, store.picture.width);
  if (box) say(`${chosen().name}: ${box.left}, ${box.top}.`);
}

// --- pointers ---

const at = (event) => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

canvas.addEventListener("pointerdown", (event) => {
  if (!store.picture) return;
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, at(event));
  if (event.pointerType === "touch" && pointers.size === 2) return startPinch();
  if (deed) return;
  if (tools.name === "pan" || tools.held || event.button === 1) deed = { kind: "pan", last: at(event) };
  else if (event.button === 0) startDrawing(event);
});

canvas.addEventListener("pointermove", (event) => {
  if (!store.picture) return;
  if (pointers.has(event.pointerId)) pointers.set(event.pointerId, at(event));
  const [x, y] = toPicture(...at(event));
  document.getElementById("position").textContent = `${x}, ${y}`;
  const sized = SIZED.includes(tools.name) && event.pointerType !== "touch" && !tools.held;
  view.pointer = sized ? { x, y, size: brushSize(), square: tools.name === "warp" } : null;
  ({ pan: dragPan, pinch: dragPinch, stroke: dragStroke, shape: dragShape, line: dragLine })[deed?.kind]?.(event);
  draw();
});

canvas.addEventListener("pointerup", (event) => end(event, true));
canvas.addEventListener("pointercancel", (event) => end(event, false));
canvas.addEventListener("pointerleave", () => {
  view.pointer = null;
  draw();
});

function startDrawing(event) {
  if (PAINTS.includes(tools.name)) return startLine(toPicture(...at(event)));
  const aim = target();
  if (!aim) return;
  const { state } = aim, region = state.regions[state.chosen], point = toPicture(...at(event));
  if (tools.name === "fill") return alter("Fill", (mask) => flood(mask, point, 1));
  const value = tools.name === "eraser" || event.altKey ? 0 : 1;
  if (SHAPES[tools.name]) {
    deed = { kind: "shape", value, state };
    view.shape = { kind: tools.name, points: [point] };
    return;
  }
  const mask = copy(maskOf(region));
  deed = { kind: "stroke", value, state, last: point, size: brushSize() };
  view.state = state;
  view.stroke = { region, mask, sheet: sheetOf(mask) };
  stamp(point);
}

function stamp(point) {
  const { last, size, value } = deed, { mask } = view.stroke, reach = (size >> 1) + 1;
  stroke(mask, last, point, size, value);
  const [xs, ys] = [0, 1].map((axis) => [last[axis], point[axis]]);
  const corners = [Math.min(...xs) - reach, Math.min(...ys) - reach, Math.max(...xs) + reach, Math.max(...ys) + reach];
  markDrawn(view.stroke, ...corners);
  deed.last = point;
  draw();
}

function dragStroke(event) {
  const all = event.getCoalescedEvents?.() ?? [];
  for (const each of all.length ? all : [event]) stamp(toPicture(...at(each)));
}

// --- strokes of the brushes that paint ---

function startLine(point) {
  if (!paintable()) return;
  deed = { kind: "line" };
  view.line = { brush: tools.name, points: [point], size: tools.name === "sketch" ? 1 : brushSize(), colour: brush.colour };
}

function dragLine(event) {
  const { points, brush: name } = view.line, all = event.getCoalescedEvents?.() ?? [];
  if (name === "warp") return (points[1] = toPicture(...at(event)));
  for (const each of all.length ? all : [event]) {
    const point = toPicture(...at(each)), last = points.at(-1);
    if (point[0] !== last[0] || point[1] !== last[1]) points.push(point);
  }
}

const MOST_POINTS = 2000;

function finishLine({ points, ...stroke }) {
  if (stroke.brush === "warp" && points.length < 2) return say("Pull a part of the region to where it is to be.");
  const every = Math.ceil(points.length / MOST_POINTS);
  return addStroke({ ...stroke, points: points.filter((_, i) => i % every === 0) });
}

function dragShape(event) {
  let point = toPicture(...at(event));
  const { points, kind } = view.shape;
  if (event.shiftKey && kind !== "lasso") {
    const [x0, y0] = points[0], side = Math.max(Math.abs(point[0] - x0), Math.abs(point[1] - y0));
    point = [x0 + side * (point[0] < x0 ? -1 : 1), y0 + side * (point[1] < y0 ? -1 : 1)];
  }
  if (kind === "lasso") points.push(point);
  else points[1] = point;
}

function dragPan(event) {
  const [x, y] = at(event), [x0, y0] = deed.last;
  pan(x - x0, y - y0);
  deed.last = [x, y];
}

function spread() {
  const [[x0, y0], [x1, y1]] = [...pointers.values()];
  return { distance: Math.hypot(x1 - x0, y1 - y0), x: (x0 + x1) / 2, y: (y0 + y1) / 2 };
}

/** A second finger: what the first has drawn was not meant. */
function startPinch() {
  forget();
  deed = { kind: "pinch", last: spread() };
}

function dragPinch() {
  if (pointers.size !== 2) return;
  const next = spread(), { last } = deed;
  zoomBy(next.distance / Math.max(1, last.distance), last.x, last.y);
  pan(next.x - last.x, next.y - last.y);
  deed.last = next;
}

function forget() {
  deed = view.stroke = view.shape = view.line = null;
  view.state = now();
  draw();
}

function end(event, meant) {
  pointers.delete(event.pointerId);
  if (deed?.kind === "pinch" && pointers.size) return; // the other finger draws nothing either
  const done = deed, { stroke: drawn, shape, line } = view;
  forget();
  if (!meant || !done) return;
  if (done.kind === "stroke") finish(done.value ? "Brush" : "Erase", done.state, drawn.mask);
  if (done.kind === "line") finishLine(line);
  if (done.kind === "shape") {
    const mask = maskOf(done.state.regions[done.state.chosen]);
    SHAPES[shape.kind](mask, shape.points, done.value);
    finish(NAMES[shape.kind], done.state, mask);
  }
}

export const cancel = () => deed && forget();

canvas.addEventListener("wheel", (event) => {
  if (!store.picture) return;
  event.preventDefault();
  const step = event.deltaMode ? event.deltaY * 16 : event.deltaY;
  if (event.altKey) setSize(tools.size * Math.exp(-step / 400));
  else if (event.shiftKey) pan(-step - event.deltaX, 0);
  else zoomBy(Math.exp(-step / (event.ctrlKey ? 100 : 400)), ...at(event));
}, { passive: false });
