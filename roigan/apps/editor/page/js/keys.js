// The keyboard. No key acts in a text field, and a switch turns all of them off.

import { throwDice } from "./controls.js";
import { download } from "./files.js";
import { addRegion, removeChosen, step } from "./regions.js";
import { redo, store, undo } from "./store.js";
import { brushSize, cancel, move, setSize, takeTool, tools } from "./tools.js";
import { draw, fit, view, zoomBy } from "./view.js";
import { play } from "./way.js";

const canvas = document.getElementById("canvas");
const help = document.getElementById("help");
const SIZE_STEP = 1.2, ZOOM_STEP = 1.25;

export function showBefore(on) {
  view.before = on;
  document.getElementById("before").setAttribute("aria-pressed", String(on));
  draw();
}

const actual = () => zoomBy(1 / view.zoom / devicePixelRatio);
const larger = () => setSize(Math.max(tools.size + 1, tools.size * SIZE_STEP));
const smaller = () => setSize(Math.min(tools.size - 1, tools.size / SIZE_STEP));

const KEYS = {
  b: () => takeTool("brush"),
  e: () => takeTool("eraser"),
  r: () => takeTool("rectangle"),
  o: () => takeTool("ellipse"),
  l: () => takeTool("lasso"),
  f: () => takeTool("fill"),
  c: () => takeTool("colour"),
  k: () => takeTool("sketch"),
  w: () => takeTool("warp"),
  p: play,
  h: () => document.getElementById("outlines").click(),
  n: addRegion,
  d: throwDice,
  s: download,
  "[": smaller,
  "]": larger,
  "+": () => zoomBy(ZOOM_STEP),
  "=": () => zoomBy(ZOOM_STEP),
  "-": () => zoomBy(1 / ZOOM_STEP),
  0: fit,
  1: actual,
  ",": () => step(-1),
  ".": () => step(1),
  "\\": () => showBefore(true),
  "?": () => help.showModal(),
  Escape: cancel,
  Delete: removeChosen,
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const typing = (target) => target.matches("input:not([type=range], [type=checkbox], [type=radio]), textarea, select");

document.addEventListener("keydown", (event) => {
  if (!document.getElementById("use-keys").checked || typing(event.target) || help.open) return;
  if (event.key !== "?" && !store.picture) return;
  if (event.ctrlKey || event.metaKey) {
    const deed = { z: event.shiftKey ? redo : undo, y: redo }[event.key.toLowerCase()];
    if (deed) {
      event.preventDefault();
      deed();
    }
    return;
  }
  if (event.altKey) return;
  if (event.target === canvas && ARROWS[event.key]) {
    const far = event.shiftKey ? 10 : 1, [dx, dy] = ARROWS[event.key];
    event.preventDefault();
    return move(dx * far, dy * far);
  }
  if (event.key === " " && (event.target === canvas || event.target === document.body)) {
    event.preventDefault();
    return hold(true);
  }
  const deed = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!deed) return;
  event.preventDefault();
  deed();
});

document.addEventListener("keyup", (event) => {
  if (event.key === "\\") showBefore(false);
  if (event.key === " ") hold(false);
});
addEventListener("blur", () => {
  showBefore(false);
  hold(false);
});

/** Space turns any tool into the hand, as long as it is down. */
function hold(on) {
  tools.held = on;
  canvas.classList.toggle("held", on);
  if (on) view.pointer = null;
  else if (view.pointer) view.pointer.size = brushSize();
  draw();
}
