// The list of regions, and where the chosen one lies, as numbers.

import { ellipse, bounds, rectangle, blank } from "./raster.js";
import { say } from "./say.js";
import { choose, chosen, commit, isEmpty, newRegion, now, store } from "./store.js";
import { alter } from "./tools.js";

const list = document.getElementById("regions");
const template = document.getElementById("region-row");
const place = document.getElementById("place");
const SIDES = ["left", "top", "width", "height"];

export function showRegions(state) {
  list.replaceChildren(...state.regions.map((region, index) => row(region, index, index === state.chosen)));
  document.getElementById("no-regions").hidden = state.regions.length > 0;
  const region = state.regions[state.chosen], box = region && bounds(region.runs, store.picture.width);
  place.hidden = !region;
  SIDES.forEach((side) => (place.elements[side].value = box ? box[side] : ""));
}

function row(region, index, isChosen) {
  const item = template.content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(`[data-part=${name}]`);
  item.style.setProperty("--hue", `var(--region-${region.hue})`);
  item.classList.toggle("chosen", isChosen);
  item.classList.toggle("hidden", !region.shown);
  const pick = part("pick");
  pick.checked = isChosen;
  pick.setAttribute("aria-label", `Choose ${region.name}${isEmpty(region) ? ", empty" : ""}`);
  pick.addEventListener("change", () => {
    choose(index);
    list.querySelector("[data-part=pick]:checked")?.focus();
  });
  const name = part("name");
  name.value = region.name;
  name.setAttribute("aria-label", `Name of region ${index + 1}`);
  name.addEventListener("focus", () => {
    if (isChosen) return;
    choose(index);
    list.children[index].querySelector("[data-part=name]").focus();
  });
  name.addEventListener("change", () => set(index, "Rename", { name: name.value.trim() || region.name }));
  const act = (which, label, pressed, deed) => {
    const button = part(which);
    button.title = label;
    button.setAttribute("aria-label", `${label}: ${region.name}`);
    if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
    button.addEventListener("click", () => {
      deed();
      list.children[Math.min(index, list.children.length - 1)]?.querySelector(`[data-part=${which}]`)?.focus();
    });
  };
  act("show", region.shown ? "Hide" : "Show", !region.shown, () => set(index, "Show", { shown: !region.shown }));
  act("lock", region.locked ? "Unlock" : "Lock", region.locked, () => set(index, "Lock", { locked: !region.locked }));
  act("up", "Fill earlier", null, () => swap(index, index - 1));
  act("remove", "Delete", null, () => remove(index));
  part("up").disabled = index === 0;
  part("remove").disabled = region.locked;
  return item;
}

function set(index, label, properties) {
  const state = now();
  commit(label, { ...state, regions: state.regions.with(index, { ...state.regions[index], ...properties }) });
}

/** The order decides who sees whose filling where windows overlap. */
function swap(a, b) {
  const { regions } = now();
  commit("Order", { regions: regions.with(a, regions[b]).with(b, regions[a]), chosen: b });
}

function remove(index) {
  const { regions, chosen: at } = now();
  commit("Delete", { regions: regions.toSpliced(index, 1), chosen: Math.min(at > index ? at - 1 : at, regions.length - 2) });
}

export const removeChosen = () => chosen() && !chosen().locked && remove(now().chosen);

export function addRegion() {
  if (!store.picture) return;
  if (now().regions.length >= 16) return say("A picture has 16 regions at most.");
  commit("New region", { regions: [...now().regions, newRegion()], chosen: now().regions.length });
  say(`${chosen().name}: draw it, or set its place by numbers.`);
}

/** Chooses the region after this one, or before it. */
export function step(by) {
  const count = now().regions.length;
  if (!count) return;
  choose((now().chosen + by + count) % count);
  say(`${chosen().name} of ${count}.`);
}

document.getElementById("add-region").addEventListener("click", addRegion);

place.addEventListener("submit", (event) => {
  event.preventDefault();
  const [left, top, width, height] = SIDES.map((side) => place.elements[side].valueAsNumber);
  const shape = place.elements.shape.value === "ellipse" ? ellipse : rectangle;
  alter("Place", () => {
    const mask = blank(store.picture.width, store.picture.height);
    shape(mask, [left, top], [left + width - 1, top + height - 1], 1);
    return mask;
  });
});
