// What is opened and saved: pictures, masks, recipes.

import * as api from "./api.js";
import { attempt, complain, say } from "./say.js";
import { LAM_S, begin, chosen, controlsOf, isEmpty, newRegion, now, recorded, plain, store, unpainted } from "./store.js";
import { alter } from "./tools.js";
import { fit, view } from "./view.js";

const MOST_BYTES = 64 * 2 ** 20, MOST_REGIONS = 16;
let waiting = null; // a recipe whose picture is not here yet

const picker = document.createElement("input");
picker.type = "file";

/** Asks for a file. */
function pick(accept, then) {
  picker.accept = accept;
  picker.value = "";
  picker.onchange = () => picker.files[0] && then(picker.files[0]);
  picker.click();
}

export const pickPicture = () => pick("image/*,.json", openFile);
export const pickMask = () => pick("image/*", openMask);

export function openFile(file) {
  if (file.size > MOST_BYTES) return complain(new Error(`${file.name} has more than ${MOST_BYTES >> 20} MiB.`));
  return attempt(() => (file.name.endsWith(".json") ? openRecipe(file) : openPicture(file)));
}

async function openPicture(file) {
  say(`Opening ${file.name} …`);
  const about = await api.putPicture(file);
  const recipe = waiting;
  waiting = null;
  await showPicture({ ...about, name: file.name }, recipe ? regionsFor(recipe, about) : []);
}

/** The cat that comes with the page. */
export const openExample = () =>
  attempt(async () => {
    const answer = await fetch("cat.jpg");
    await openPicture(new File([await answer.blob()], "cat.jpg", { type: "image/jpeg" }));
  });

async function showPicture(about, regions) {
  view.base = await createImageBitmap(await api.showPicture(about.sha256));
  view.result = view.rough = null;
  document.body.classList.add("open");
  document.title = `${about.name} · roigan edit`;
  document.getElementById("file-name").textContent = about.name;
  document.getElementById("file-about").textContent =
    `${about.width} × ${about.height}, ${about.mode}, ${about.depth} bit`;
  document.getElementById("format").replaceChildren(
    ...about.formats.map((format) => new Option(format === "png" ? "PNG" : "TIFF", format)),
  );
  store.picture = about;
  fit();
  begin(about, regions);
  say([`${about.name}, ${about.width} × ${about.height}.`, ...about.notes.map((note) => `Note: ${note}.`)].join(" "));
}

async function openMask(file) {
  await attempt(async () => {
    const { width, height, runs } = await api.readMask(file);
    const { picture } = store;
    if (width !== picture.width || height !== picture.height) {
      throw new Error(`${file.name} is ${width} × ${height}, the picture ${picture.width} × ${picture.height}.`);
    }
    alter("Mask file", (mask) => {
      let at = 0;
      runs.forEach((length, i) => mask.bytes.fill(i % 2, at, (at += length)));
    });
    say(`${file.name} is the mask of ${chosen().name}.`);
  });
}

// --- recipes ---

/** Regions of a recipe, if they fit a picture and the models that are here; whatever else it holds is left. */
function regionsFor(recipe, { width, height }) {
  if (recipe.picture.width !== width || recipe.picture.height !== height) {
    throw new Error(`The recipe is for ${recipe.picture.width} × ${recipe.picture.height} pixels.`);
  }
  store.picture = { width, height };
  return recipe.regions.slice(0, MOST_REGIONS).map((given, index) => {
    const model = store.models.find(({ sha256 }) => sha256 === given.model);
    if (!model) throw new Error(`The recipe needs the model ${given.model.slice(0, 16)}, which is not here.`);
    const { c, k, keep } = controlsOf(model);
    if (given.runs.reduce((sum, length) => sum + length, 0) !== width * height) throw new Error("A region does not fit.");
    return newRegion({
      name: given.name || `Region ${index + 1}`,
      shown: given.shown ?? true,
      hue: index % 8,
      model: given.model,
      runs: given.runs,
      context: given.context ?? 2,
      seed: given.seed ?? 0,
      c: c.map((rest, i) => given.c?.[i] ?? rest),
      k: k.map((rest, i) => given.k?.[i] ?? rest),
      z0: given.z0 ?? null,
      keep,
      paint: { ...unpainted({ lam_s: LAM_S }), ...checkedPaint(given.paint) },
    });
  });
}

/** What a recipe says of strokes, if it is sound: the server never looks at it. */
function checkedPaint(paint) {
  const { strokes = [], lam_s = LAM_S, path = null } = paint ?? {};
  const numbers = (list) => Array.isArray(list) && list.every(Number.isFinite);
  const isStroke = ({ brush, points, size, colour }) =>
    ["colour", "sketch", "warp"].includes(brush) && points.length && points.every((point) => numbers(point) && point.length === 2) && size > 0 && numbers(colour);
  const isPath = ({ start, end, t }) => [start, end].every(({ z0, c }) => numbers(z0) && numbers(c)) && t >= 0 && t <= 1;
  if (!strokes.every(isStroke) || !(lam_s >= 0) || (path && !isPath(path))) throw new Error("The recipe's strokes are none.");
  return { strokes, lam_s, path };
}

async function openRecipe(file) {
  let recipe;
  try {
    recipe = JSON.parse(await file.text());
    if (recipe.roigan !== 1 || !recipe.picture.sha256 || !Array.isArray(recipe.regions)) throw new Error();
  } catch {
    throw new Error(`${file.name} is no recipe.`);
  }
  if (store.picture) {
    const here = store.picture, regions = regionsFor(recipe, here);
    store.picture = here;
    begin(here, regions);
    return say(here.sha256 === recipe.picture.sha256 ? "The recipe is open." : "The recipe, on another picture.");
  }
  try {
    const about = await api.aboutPicture(recipe.picture.sha256);
    return await showPicture({ ...about, name: recipe.picture.name }, regionsFor(recipe, about));
  } catch (error) {
    if (error.status !== 404) throw error;
    waiting = recipe;
    return say(`Now open ${recipe.picture.name}.`);
  }
}

const stem = () => store.picture.name.replace(/\.[^.]*$/, "");

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say(`${name} is saved.`);
}

const work = (told = plain) => {
  const regions = told(now().regions);
  if (!regions.some(({ shown }) => shown)) throw new Error("No region is drawn, so there is nothing to save.");
  return regions;
};

export const download = () =>
  store.picture &&
  attempt(async () => {
    const format = document.getElementById("format").value;
    save(await api.renderWhole(store.picture.sha256, work(), format), `${stem()}-edited.${format}`);
  });

export const saveMask = () =>
  attempt(async () => save(await api.renderMask(store.picture.sha256, work()), `${stem()}-mask.png`));

export const saveRecipe = () =>
  attempt(async () => {
    const { name, sha256, width, height } = store.picture;
    const recipe = { roigan: 1, picture: { name, sha256, width, height }, regions: work(recorded) };
    save(new Blob([`${JSON.stringify(recipe)}\n`], { type: "application/json" }), `${stem()}.recipe.json`);
  });

/** What does the same to a folder of pictures of this size. */
export const copyCommand = () =>
  attempt(async () => {
    const names = now().regions.filter((region) => !isEmpty(region)).map(({ model }) => model);
    const models = store.models.filter(({ sha256 }) => names.includes(sha256)).map(({ name }) => name);
    const command = `roigan complete --recipe ${stem()}.recipe.json --model ${models.join(" ")} --image FOLDER --out FOLDER`;
    await navigator.clipboard.writeText(command);
    say(`Copied: ${command}`);
  });
