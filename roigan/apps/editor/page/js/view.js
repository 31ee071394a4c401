// The picture on the screen: base, result, preview, regions, and where the pointer draws. It only shows: no
// pixel is ever read back from a canvas.

import { decode } from "./raster.js";
import { isEmpty, store } from "./store.js";

const canvas = document.getElementById("canvas");
const context = canvas.getContext("2d");
const HUE = (hue) => getComputedStyle(document.documentElement).getPropertyValue(`--region-${hue}`);

export const view = {
  base: null, // bitmap of the picture as it was opened
  result: null, // {left, top, width, height, bitmap}
  rough: null, // {window, strip, n, region}: a filling at the model's size, the n-th of a strip
  state: { regions: [], chosen: -1 },
  stroke: null, // {mask, region} while something is drawn
  shape: null, // {kind, points} while a shape is pulled
  line: null, // {brush, points, size, colour} while a stroke is painted
  pointer: null, // {x, y, size} of the brush
  outlines: true,
  hatched: false,
  before: false,
  wipe: 0, // share of the picture, from the left, that shows the original
  zoom: 1,
  x: 0, // of the picture's corner, in CSS pixels of the canvas
  y: 0,
};

// --- where things are ---

export const toPicture = (x, y) => [Math.floor((x - view.x) / view.zoom), Math.floor((y - view.y) / view.zoom)];

export function fit() {
  const { width, height } = store.picture, box = canvas.getBoundingClientRect(), air = 24;
  view.zoom = Math.min((box.width - air) / width, (box.height - air) / height, 8);
  view.x = (box.width - width * view.zoom) / 2;
  view.y = (box.height - height * view.zoom) / 2;
  draw();
}

/** Zooms by a factor around a point of the canvas, its middle by default. */
export function zoomBy(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const zoom = Math.min(64, Math.max(0.02, view.zoom * factor)), scale = zoom / view.zoom;
  view.x = x - (x - view.x) * scale;
  view.y = y - (y - view.y) * scale;
  view.zoom = zoom;
  draw();
}

export function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  draw();
}

// --- masks as pictures ---

const masks = new Map(); // by runs: canvases at the scale of the base
const MOST_MASKS = 24;

/** A canvas that is opaque where a mask is 1, at the scale at which the picture is shown. */
function maskCanvas(mask) {
  const { width, height } = view.base, { bytes } = mask;
  const sheet = new OffscreenCanvas(width, height), pen = sheet.getContext("2d");
  const image = pen.createImageData(width, height), alpha = image.data;
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++) {
      if (bytes[row + Math.floor(((x + 0.5) * mask.width) / width)]) alpha[4 * (y * width + x) + 3] = 255;
    }
  }
  pen.putImageData(image, 0, 0);
  return sheet;
}

function maskOf(region) {
  if (!masks.has(region.runs)) {
    masks.set(region.runs, maskCanvas(decode(region.runs, store.picture.width, store.picture.height)));
    if (masks.size > MOST_MASKS) masks.delete(masks.keys().next().value);
  }
  return masks.get(region.runs);
}

/** Marks a box of a mask that is being drawn; whole pixels of the base. */
export function markDrawn({ mask, sheet }, left, top, right, bottom, value) {
  const pen = sheet.getContext("2d"), sx = sheet.width / mask.width, sy = sheet.height / mask.height;
  const x0 = Math.max(0, Math.floor(left * sx)), x1 = Math.min(sheet.width, Math.ceil((right + 1) * sx));
  const y0 = Math.max(0, Math.floor(top * sy)), y1 = Math.min(sheet.height, Math.ceil((bottom + 1) * sy));
  if (x0 >= x1 || y0 >= y1) return;
  const image = pen.createImageData(x1 - x0, y1 - y0), alpha = image.data;
  for (let y = y0, at = 3; y < y1; y++) {
    const row = Math.min(mask.height - 1, Math.floor((y + 0.5) / sy)) * mask.width;
    for (let x = x0; x < x1; x++, at += 4) {
      if (mask.bytes[row + Math.min(mask.width - 1, Math.floor((x + 0.5) / sx))]) alpha[at] = 255;
    }
  }
  pen.putImageData(image, x0, y0);
}

export const sheetOf = (mask) => maskCanvas(mask);

// --- drawing ---

let due = 0;
export function draw() {
  due ||= requestAnimationFrame(() => {
    due = 0;
    paint();
  });
}

function paint() {
  const ratio = devicePixelRatio;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!view.base) return;
  onto(context, ratio);
  context.imageSmoothingEnabled = view.zoom < 3;
  context.imageSmoothingQuality = "high";
  context.drawImage(view.base, 0, 0, store.picture.width, store.picture.height);
  if (!view.before) {
    context.save();
    context.beginPath();
    context.rect(store.picture.width * view.wipe, 0, store.picture.width, store.picture.height);
    context.clip();
    if (view.result) {
      const { bitmap, left, top, width: w, height: h } = view.result;
      context.drawImage(bitmap, left, top, w, h);
    }
    if (view.rough) paintRough();
    context.restore();
    if (view.wipe > 0 && view.wipe < 1) paintWipe(ratio);
  }
  if (view.outlines && !view.before) view.state.regions.forEach((region, i) => paintRegion(region, i, ratio));
  if (view.outlines && !view.before) {
    const shown = view.state.regions.filter((region) => region.shown);
    [...shown.flatMap(({ paint }) => paint.strokes), ...(view.line ? [view.line] : [])].forEach(paintStroke);
  }
  paintTool();
}

/** A stroke as dots in its colour, cased in white or black; while it is drawn, in its width. */
function paintStroke(stroke) {
  const { brush, points, size, colour } = stroke, [x, y] = points[0];
  const ink = brush === "colour" ? `rgb(${colour.join()})` : "#000";
  context.lineCap = context.lineJoin = "round";
  if (stroke === view.line && brush === "colour") line(points, size, ink);
  if (brush === "warp") {
    for (const [dash, paint] of [[[], "#fff"], [[4, 4], "#000"]]) {
      context.setLineDash(dash.map((length) => length / view.zoom));
      context.lineWidth = 1.5 / view.zoom;
      context.strokeStyle = paint;
      context.strokeRect(x - Math.floor(size / 2), y - Math.floor(size / 2), size, size);
    }
  }
  const bright = brush === "colour" && colour[0] + 2 * colour[1] + colour[2] > 512;
  for (const [width, paint] of [[6, bright ? "#000" : "#fff"], [4, ink]]) {
    context.setLineDash([0, 7 / view.zoom]);
    line(points, width / view.zoom, paint);
  }
  context.setLineDash([]);
  context.lineCap = "butt";
}

function line(points, width, paint) {
  context.lineWidth = width;
  context.strokeStyle = paint;
  context.beginPath();
  [points[0], ...points].forEach(([x, y]) => context.lineTo(x + 0.5, y + 0.5));
  context.stroke();
}

function onto(pen, ratio) {
  pen.setTransform(view.zoom * ratio, 0, 0, view.zoom * ratio, view.x * ratio, view.y * ratio);
}

/** A filling at the model's size, enlarged over its window where its region is. */
function paintRough() {
  const { window: { top, left, side }, strip, n, region } = view.rough;
  const scale = view.base.width / store.picture.width, s = Math.max(1, Math.round(side * scale));
  const sheet = new OffscreenCanvas(s, s), pen = sheet.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(strip, n * strip.height, 0, strip.height, strip.height, 0, 0, s, s);
  pen.globalCompositeOperation = "destination-in";
  pen.drawImage(maskOf(region), -left * scale, -top * scale);
  context.drawImage(sheet, left, top, side, side);
}

function paintWipe(ratio) {
  const x = store.picture.width * view.wipe;
  context.lineWidth = 2 / view.zoom;
  context.strokeStyle = "#fff";
  context.shadowColor = "#000";
  context.shadowBlur = 3 * ratio;
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x, store.picture.height);
  context.stroke();
  context.shadowBlur = 0;
}

/** A region's outline in its colour, cased in white; hatched while nothing is generated in it. */
function paintRegion(region, index, ratio) {
  const drawn = view.stroke?.region === region ? view.stroke : null;
  if (!region.shown || (!drawn && isEmpty(region))) return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(drawn ? hatching(drawn.sheet, region, ratio) : trim(region, index, ratio), 0, 0);
  onto(context, ratio);
}

const trims = new Map(); // by runs: what was painted last, and for which view

function trim(region, index, ratio) {
  const strong = index === view.state.chosen, { width, height } = canvas;
  const key = [view.zoom, view.x, view.y, width, height, strong, view.hatched, region.hue].join();
  if (trims.get(region.runs)?.key !== key) {
    const sheet = view.hatched ? hatching(maskOf(region), region, ratio) : layer();
    const flat = stencil(maskOf(region), ratio), pen = sheet.getContext("2d");
    pen.drawImage(ring(flat, (strong ? 3 : 2) * ratio, "#fffd"), 0, 0);
    pen.drawImage(ring(flat, (strong ? 2 : 1) * ratio, HUE(region.hue)), 0, 0);
    trims.set(region.runs, { key, sheet });
    if (trims.size > MOST_MASKS) trims.delete(trims.keys().next().value);
  }
  return trims.get(region.runs).sheet;
}

const layer = () => new OffscreenCanvas(canvas.width, canvas.height);

/** A mask at its place on the screen. */
function stencil(mask, ratio) {
  const sheet = layer(), pen = sheet.getContext("2d");
  onto(pen, ratio);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(mask, 0, 0, store.picture.width, store.picture.height);
  return sheet;
}

/** Paints what is opaque of a layer. */
function dyed(sheet, paint) {
  const pen = sheet.getContext("2d");
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = paint;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.globalCompositeOperation = "source-over";
  return sheet;
}

const hatching = (mask, { hue }, ratio) => dyed(stencil(mask, ratio), hatch(HUE(hue), hue, ratio));

function ring(flat, radius, paint) {
  const sheet = layer(), pen = sheet.getContext("2d");
  for (let i = 0; i < 8; i++) {
    pen.drawImage(flat, radius * Math.cos((i * Math.PI) / 4), radius * Math.sin((i * Math.PI) / 4));
  }
  pen.globalCompositeOperation = "destination-out";
  pen.drawImage(flat, 0, 0);
  return dyed(sheet, paint);
}

const HATCHES = [[1, 1], [1, -1], [1, 0], [0, 1]];

/** Stripes, so that regions differ by more than their colour. */
function hatch(colour, hue, ratio) {
  const side = 8 * Math.round(ratio), tile = new OffscreenCanvas(side, side), pen = tile.getContext("2d");
  const [dx, dy] = HATCHES[hue % HATCHES.length];
  pen.fillStyle = "#fff5";
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = colour;
  pen.lineWidth = 2 * ratio;
  pen.beginPath();
  for (const shift of [-side, 0, side]) {
    const x = dx ? (dy ? shift : 0) : shift + side / 2, y = dy < 0 ? side : dy ? 0 : shift + side / 2;
    pen.moveTo(x - dx * side, y - dy * side);
    pen.lineTo(x + 2 * dx * side, y + 2 * dy * side);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}

function paintTool() {
  const dark = [0, "#000c"], light = [1, "#fff"];
  for (const [phase, colour] of [dark, light]) {
    context.strokeStyle = colour;
    context.lineWidth = 1.25 / view.zoom;
    context.setLineDash(phase ? [4 / view.zoom, 4 / view.zoom] : []);
    context.beginPath();
    if (view.shape) shapePath(view.shape);
    else if (view.pointer) {
      const { x, y, size, square } = view.pointer, centre = size % 2 ? 0.5 : 0;
      if (square) context.rect(x - Math.floor(size / 2), y - Math.floor(size / 2), size, size);
      else context.ellipse(x + centre, y + centre, size / 2, size / 2, 0, 0, 2 * Math.PI);
    }
    context.stroke();
  }
  context.setLineDash([]);
}

function shapePath({ kind, points }) {
  const [[x0, y0]] = points, [x1, y1] = points.at(-1);
  const left = Math.min(x0, x1), top = Math.min(y0, y1), w = Math.abs(x1 - x0) + 1, h = Math.abs(y1 - y0) + 1;
  if (kind === "rectangle") context.rect(left, top, w, h);
  else if (kind === "ellipse") context.ellipse(left + w / 2, top + h / 2, w / 2, h / 2, 0, 0, 2 * Math.PI);
  else points.forEach(([x, y]) => context.lineTo(x + 0.5, y + 0.5));
}

new ResizeObserver(draw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
