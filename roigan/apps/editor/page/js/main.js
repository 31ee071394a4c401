// Puts the page together: what every button does, and what is shown when something has changed.

import { models } from "./api.js";
import { follow, showBrushes } from "./brushes.js";
import { listModels, showControls } from "./controls.js";
import * as files from "./files.js";
import { showBefore } from "./keys.js";
import { showRegions } from "./regions.js";
import { live, onResult, update } from "./results.js";
import { attempt } from "./say.js";
import { go, now, onChange, redo, store, undo } from "./store.js";
import { setSize, sizeAt, takeTool, tools } from "./tools.js";
import { draw, fit, view, zoomBy } from "./view.js";
import { showWay } from "./way.js";

const element = (id) => document.getElementById(id);
const onClick = (deeds) =>
  Object.entries(deeds).forEach(([id, deed]) => element(id).addEventListener("click", () => deed()));

onClick({
  open: files.pickPicture,
  "open-first": files.pickPicture,
  example: files.openExample,
  "mask-file": files.pickMask,
  download: files.download,
  "save-mask": files.saveMask,
  "save-recipe": files.saveRecipe,
  "copy-command": files.copyCommand,
  undo,
  redo,
  fit,
  "zoom-in": () => zoomBy(1.25),
  "zoom-out": () => zoomBy(0.8),
  "show-help": () => element("help").showModal(),
  theme: turnTheme,
  generate: () => follow(true) || update(true),
});

document.querySelectorAll("#tools [data-tool]").forEach((button) => {
  button.addEventListener("click", () => takeTool(button.dataset.tool));
});
document.querySelectorAll("#more button").forEach((button) => {
  button.addEventListener("click", () => element("more").hidePopover());
});
element("size").addEventListener("input", ({ target }) => setSize(sizeAt(target.valueAsNumber)));
element("on-screen").addEventListener("change", ({ target }) => (tools.onScreen = target.checked));
element("wipe").addEventListener("input", ({ target }) => {
  view.wipe = target.valueAsNumber / 100;
  draw();
});
element("outlines").addEventListener("click", ({ target }) => {
  view.outlines = !view.outlines;
  target.closest("button").setAttribute("aria-pressed", String(view.outlines));
  draw();
});
element("before").addEventListener("click", () => showBefore(!view.before));
element("live").addEventListener("change", ({ target }) => {
  live.on = target.checked;
  changed(now());
});

function turnTheme() {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = (root.dataset.theme ?? (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
  draw();
}

// --- files that are dropped ---

addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) files.openFile(event.dataTransfer.files[0]);
});

// --- what is shown ---

function changed(state) {
  view.state = state;
  if (!state.regions.some(({ runs }) => runs === view.rough?.region.runs)) view.rough = null; // else until the exact one
  if (!store.picture) return;
  showRegions(state);
  follow() || update();
  showControls(state);
  showBrushes(state);
  showWay(state);
  showHistory();
  element("undo").disabled = store.at < 1;
  element("redo").disabled = store.at === store.past.length - 1;
  element("generate").hidden = live.on;
  draw();
}

function showHistory() {
  const list = element("history");
  list.replaceChildren(
    ...store.past.map(({ label }, at) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.textContent = label;
      button.classList.toggle("undone", at > store.at);
      if (at === store.at) button.setAttribute("aria-current", "step");
      button.addEventListener("click", () => {
        go(at);
        list.children[at]?.firstElementChild.focus();
      });
      item.append(button);
      return item;
    }),
  );
  list.scrollLeft = list.children[store.at].offsetLeft - list.clientWidth / 2;
}

onChange(changed);
onResult(({ state, result, rough, waiting }) => {
  if (state.regions !== now().regions) return;
  if (rough) view.rough = { ...rough, region: state.regions[rough.index] };
  else Object.assign(view, { rough: null, result: waiting ? view.result : result, hatched: Boolean(waiting) });
  draw();
});

await attempt(async () => {
  store.models = (await models()).filter(({ can }) => can.includes("fill"));
  listModels();
});
takeTool("brush");
setSize(tools.size);
element("status").textContent = "";
