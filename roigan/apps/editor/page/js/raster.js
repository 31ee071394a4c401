// Masks: one byte per pixel of the picture, drawn with integers only, so that a region is exact.

export const blank = (width, height) => ({ width, height, bytes: new Uint8Array(width * height) });
export const copy = (mask) => ({ ...mask, bytes: mask.bytes.slice() });

/** Sets the pixels x0 to x1 of a row, as far as they lie in the picture. */
function span(mask, y, x0, x1, value) {
  if (y < 0 || y >= mask.height) return;
  const from = Math.max(0, x0), to = Math.min(mask.width - 1, x1);
  if (from <= to) mask.bytes.fill(value, y * mask.width + from, y * mask.width + to + 1);
}

/** A disc of `size` pixels across; in doubled coordinates, its centre is a pixel or a corner of four. */
export function disc(mask, cx, cy, size, value) {
  const even = 1 - (size % 2), low = -(size >> 1), high = low + size - 1;
  for (let dy = low; dy <= high; dy++) {
    const rest = size * size - 1 - (2 * dy + even) ** 2;
    let reach = high;
    while (reach >= 0 && (2 * reach + even) ** 2 > rest) reach--;
    if (reach >= 0) span(mask, cy + dy, cx - reach - even, cx + reach, value);
  }
}

/** Calls visit(x, y) for every pixel of Bresenham's line. */
export function line(x0, y0, x1, y1, visit) {
  const dx = Math.abs(x1 - x0), dy = -Math.abs(y1 - y0), sx = x0 < x1 ? 1 : -1, sy = y0 < y1 ? 1 : -1;
  for (let error = dx + dy; ; ) {
    visit(x0, y0);
    if (x0 === x1 && y0 === y1) return;
    const twice = 2 * error;
    if (twice >= dy) { error += dy; x0 += sx; }
    if (twice <= dx) { error += dx; y0 += sy; }
  }
}

export function stroke(mask, [x0, y0], [x1, y1], size, value) {
  line(x0, y0, x1, y1, (x, y) => disc(mask, x, y, size, value));
}

const sorted = ([x0, y0], [x1, y1]) => [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];

/** All pixels between two corners, both included. */
export function rectangle(mask, a, b, value) {
  const [x0, y0, x1, y1] = sorted(a, b);
  for (let y = Math.max(0, y0); y <= Math.min(mask.height - 1, y1); y++) span(mask, y, x0, x1, value);
}

/** The pixels of that rectangle whose centres lie in its ellipse. */
export function ellipse(mask, a, b, value) {
  const [x0, y0, x1, y1] = sorted(a, b), w = x1 - x0 + 1, h = y1 - y0 + 1;
  for (let y = y0; y <= y1; y++) {
    const rest = w * w * (h * h - (2 * (y - y0) + 1 - h) ** 2);
    let inset = 0;
    while (2 * inset < w && (2 * inset + 1 - w) ** 2 * h * h > rest) inset++;
    if (2 * inset < w) span(mask, y, x0 + inset, x1 - inset, value);
  }
}

/** The pixels inside a closed line by the even-odd rule, and those on it. */
export function polygon(mask, points, value) {
  const ys = points.map(([, y]) => y);
  for (let y = Math.max(0, Math.min(...ys)); y <= Math.min(mask.height - 1, Math.max(...ys)); y++) {
    const crossings = [];
    points.forEach(([x0, y0], i) => {
      const [x1, y1] = points[(i + 1) % points.length];
      if (y0 <= y !== y1 <= y) crossings.push(x0 + ((y - y0) * (x1 - x0)) / (y1 - y0));
    });
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      span(mask, y, Math.ceil(crossings[i]), Math.floor(crossings[i + 1]), value);
    }
  }
  points.forEach((point, i) => stroke(mask, point, points[(i + 1) % points.length], 1, value));
}

/** Fills what is connected with a pixel (by its sides) and equal to it: an outline's inside, say. */
export function flood(mask, [x, y], value) {
  const { width, height, bytes } = mask;
  if (x < 0 || y < 0 || x >= width || y >= height || bytes[y * width + x] === value) return;
  const open = [y * width + x];
  while (open.length) {
    const at = open.pop(), row = at - (at % width);
    if (bytes[at] === value) continue;
    let from = at, to = at;
    while (from > row && bytes[from - 1] !== value) from--;
    while (to < row + width - 1 && bytes[to + 1] !== value) to++;
    bytes.fill(value, from, to + 1);
    for (const next of [-width, width]) {
      if (from + next < 0 || to + next >= bytes.length) continue;
      for (let i = from + next; i <= to + next; i++) {
        if (bytes[i] !== value && (i === to + next || bytes[i + 1] === value)) open.push(i);
      }
    }
  }
}

/** A mask moved by whole pixels; what leaves the picture is lost. */
export function shifted(mask, dx, dy) {
  const moved = blank(mask.width, mask.height), { width, height } = mask;
  const from = Math.max(0, -dx), to = Math.min(width, width - dx);
  for (let y = Math.max(0, -dy); y < Math.min(height, height - dy) && from < to; y++) {
    moved.bytes.set(mask.bytes.subarray(y * width + from, y * width + to), (y + dy) * width + from + dx);
  }
  return moved;
}

/** Lengths in row-major order, by turns of 0 (first) and 1. */
export function encode({ bytes }) {
  const runs = [];
  let value = 0, start = 0;
  while (start < bytes.length) {
    let end = bytes.indexOf(1 - value, start);
    if (end < 0) end = bytes.length;
    runs.push(end - start);
    start = end;
    value = 1 - value;
  }
  return runs;
}

export function decode(runs, width, height) {
  const mask = blank(width, height);
  let at = 0;
  runs.forEach((length, i) => {
    if (i % 2) mask.bytes.fill(1, at, at + length);
    at += length;
  });
  return mask;
}

/** The smallest box that holds a mask of runs, as {left, top, width, height}; null where it is empty. */
export function bounds(runs, width) {
  let at = 0, left = Infinity, right = -1, top = -1, bottom = -1;
  runs.forEach((length, i) => {
    if (i % 2 && length) {
      const last = at + length - 1, x0 = at % width, x1 = last % width;
      if (top < 0) top = Math.floor(at / width);
      bottom = Math.floor(last / width);
      const wraps = Math.floor(at / width) !== bottom;
      left = Math.min(left, wraps ? 0 : x0);
      right = Math.max(right, wraps ? width - 1 : x1);
    }
    at += length;
  });
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}
