// What has been done: a list of states that are never altered, and where in it we are.
//
// A state is {regions, chosen}; a region is {id, name, shown, locked, hue, model, runs, context, seed, c, k, z0,
// keep: {c, k}, paint}, where `keep` says which controls dice leave alone, z0 is null or the noise to which a brush
// has moved the seed's, and paint is {strokes, lam_s, path: null or {start, end, t}, pending}: how it came there.

export const HUES = 8;
const LONGEST = 500;
export const LAM_S = 1; // smoothness, lower than the paper's 5: docs/editor.md has what it does

export const store = {
  picture: null, // {sha256, width, height, mode, depth, formats, notes, name}
  models: [],
  past: [],
  at: -1,
};
const listeners = [];
let nextId = 1;

export const onChange = (listener) => listeners.push(listener);
const tell = () => listeners.forEach((listener) => listener(now()));

export const now = () => store.past[store.at]?.state ?? { regions: [], chosen: -1 };
export const chosen = () => now().regions[now().chosen] ?? null;
export const modelOf = (region) => store.models.find((model) => model.sha256 === region.model);

/** A new picture, with an empty past. */
export function begin(picture, regions = []) {
  store.picture = picture;
  store.past = [{ label: regions.length ? "Recipe" : "Opened", state: { regions, chosen: regions.length - 1 } }];
  store.at = 0;
  tell();
}

/** A new state after this one; what had been undone is forgotten. */
export function commit(label, state) {
  store.past = [...store.past.slice(0, store.at + 1), { label, state }].slice(-LONGEST);
  store.at = store.past.length - 1;
  tell();
}

const placeOf = (state) => store.past.findIndex((entry) => entry.state.regions === state.regions);

/** What a state has become, in its place: a search that it began has ended. */
export function amend(state, index, properties) {
  const at = placeOf(state);
  if (at < 0) return;
  const { label, state: old } = store.past[at];
  store.past = store.past.with(at, { label, state: changed(old, index, properties) });
  if (at === store.at) tell();
}

/** As if a state had never been. */
export function retract(state) {
  const at = placeOf(state);
  if (at < 1) return;
  store.past = store.past.toSpliced(at, 1);
  store.at = at - 1;
  tell();
}

export function go(at) {
  if (at < 0 || at >= store.past.length || at === store.at) return;
  store.at = at;
  tell();
}
export const undo = () => go(store.at - 1);
export const redo = () => go(store.at + 1);

/** Which region is chosen is no deed of its own: it alters the state in place of a new one. */
export function choose(index) {
  if (index === now().chosen || !now().regions[index]) return;
  store.past = store.past.with(store.at, { ...store.past[store.at], state: { ...now(), chosen: index } });
  tell();
}

/** A region that is empty as yet. */
export function newRegion(given = {}) {
  const id = nextId++, taken = now().regions.length;
  const model = store.models.find(({ sha256 }) => sha256 === (given.model ?? chosen()?.model)) ?? store.models[0];
  return {
    id,
    name: `Region ${taken + 1}`,
    shown: true,
    locked: false,
    hue: taken % HUES,
    runs: [store.picture.width * store.picture.height],
    context: 2,
    ...controlsOf(model),
    ...given,
  };
}

/** Paint without strokes: what z0 and c are now is where the next stroke begins. */
export const unpainted = ({ lam_s }) => ({ strokes: [], lam_s, path: null, pending: false });

/** What a model has of controls, all at rest. */
export const controlsOf = (model) => ({
  model: model.sha256,
  seed: 0,
  c: Array(model.sliders).fill(0),
  k: Array(model.codes).fill(0),
  z0: null,
  paint: unpainted({ lam_s: LAM_S }),
  keep: { c: Array(model.sliders).fill(false), k: Array(model.codes).fill(false) },
});

/** The state with some of a region's properties replaced. */
export const changed = (state, index, properties) => ({
  ...state,
  regions: state.regions.with(index, { ...state.regions[index], ...properties }),
});

export const change = (label, properties) => commit(label, changed(now(), now().chosen, properties));

export const isEmpty = (region) => region.runs.length < 2;

/** What the server is told of regions: those that have pixels, without what only the page needs. */
export const plain = (regions) =>
  regions
    .filter((region) => !isEmpty(region))
    .map(({ name, shown, model, runs, context, seed, c, k, z0 }) => ({ name, shown, model, runs, context, seed, c, k, z0 }));

/** The same for a recipe, with what painting goes on from. */
export const recorded = (regions) => {
  const paints = regions.filter((region) => !isEmpty(region)).map(({ paint: { strokes, lam_s, path } }) => ({ strokes, lam_s, path }));
  return plain(regions).map((region, i) => ({ ...region, paint: paints[i] }));
};
