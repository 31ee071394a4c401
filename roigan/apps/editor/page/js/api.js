// Asking the server. Errors are `Refused` with the server's one line; a restart of the server is not noticed.

const token = new URLSearchParams(location.hash.slice(1)).get("token");
const PATIENCE = 8;

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

let file = null; // as it was opened: sent again where the server has forgotten it

async function ask(method, path, body, type) {
  const headers = {};
  if (type) headers["Content-Type"] = type;
  if (token) headers.Authorization = `Bearer ${token}`;
  for (let trial = 0; ; trial++) {
    let answer;
    try {
      answer = await fetch(path, { method, body, headers });
    } catch {
      throw new Refused(0, "The server cannot be reached; is `roigan edit` still running?");
    }
    if (answer.ok) return answer;
    if (answer.status === 503 && trial < PATIENCE) {
      await new Promise((done) => setTimeout(done, 1000 * Number(answer.headers.get("Retry-After") ?? 1)));
      continue;
    }
    const told = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, told.error ?? `The server answered ${answer.status}.`);
  }
}

async function post(path, body) {
  const send = () => ask("POST", path, JSON.stringify(body), "application/json");
  try {
    return await send();
  } catch (error) {
    if (error.status !== 404 || !body.picture || !file) throw error;
    await putPicture(file);
    return send();
  }
}

const json = async (answer) => (await answer).json();
const blob = async (answer) => (await answer).blob();
const octets = (given) => (given.type.startsWith("image/") ? given.type : "application/octet-stream");

export const models = () => json(ask("GET", "api/models"));
export async function putPicture(given) {
  const about = await json(ask("PUT", "api/pictures", given, octets(given)));
  file = given;
  return about;
}
export const aboutPicture = (sha) => json(ask("GET", `api/pictures/${sha}/about`));
export const showPicture = (sha) => blob(ask("GET", `api/pictures/${sha}`));
export const readMask = (given) => json(ask("POST", "api/mask", given, octets(given)));
export const draw = (model, seeds) => json(post("api/draw", { model, seeds }));
export const seenBy = (picture, regions) => json(post("api/window", { picture, regions }));
export const fill = (model, { x, M }, fillings) => blob(post("api/fill", { model, x, M, fillings }));
export const paint = (model, window, task) => json(post("api/paint", { model, ...window, ...task }));
export const path = (model, { x, M }, way) => blob(post("api/path", { model, x, M, ...way }));
export const renderBox = (picture, regions) => json(post("api/render", { picture, regions, part: "box" }));
export const renderMask = (picture, regions) => blob(post("api/render", { picture, regions, part: "mask" }));
export const renderWhole = (picture, regions, format) => blob(post("api/render", { picture, regions, format }));
