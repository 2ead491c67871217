/** One request to the gateway: a picture and its options up, the cutout down. */

const ADDRESS = "v1.0/removebg";
/** Busy servers and rate limits are waited for: so often, and at least so long (seconds). */
const RETRIES = 6;
const PAUSE_S = 1;
const MAY_PASS = new Set([0, 429, 502, 503, 504, 507]);

/** What the server said instead of a cutout, in its words. */
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * Cut one picture out; try again while the server is only busy.
 *
 * @param {File} file
 * @param {FormData} options
 * @param {string} key
 * @param {AbortSignal} signal
 * @param {(said: string, share: number | null) => void} tell Words and share of what is under way;
 *   null: nobody knows.
 * @returns {Promise<{blob: Blob, width: number, height: number}>}
 */
export async function cutOut(file, options, key, signal, tell) {
  for (let attempt = 0; ; attempt += 1) {
    // An abort between two waits is heard by none of them.
    signal.throwIfAborted();
    await checkReadable(file);
    signal.throwIfAborted();
    const answer = await post(file, options, key, signal, tell);
    signal.throwIfAborted();
    if (answer.status === 200) return cutoutOf(answer);
    const refusal = await refusalOf(answer);
    signal.throwIfAborted();
    if (!MAY_PASS.has(answer.status) || attempt === RETRIES) throw refusal;
    const pause = Number(answer.header("Retry-After")) || PAUSE_S * 2 ** attempt * (0.75 + Math.random() / 2);
    tell(`${refusal.message} Trying again in ${Math.ceil(pause)} s.`, null);
    await sleep(pause * 1000, signal);
    signal.throwIfAborted();
  }
}

/** Ask whether a key opens the gateway. */
export async function isKnown(key) {
  const answer = await fetch("v1.0/account", { headers: { "X-Api-Key": key }, cache: "no-store" });
  if (answer.ok) return true;
  if (answer.status === 401 || answer.status === 403) return false;
  throw new Refusal(answer.status, "", `The server answers ${answer.status}.`);
}

// A folder, or a file that has changed since: the upload would only fail as if there were no server.
async function checkReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Refusal(0, "unreadable", "This file can't be read.");
  }
}

// fetch() can't tell how much of an upload has gone.
function post(file, options, key, signal, tell) {
  const body = new FormData();
  // Bytes, whatever the file is called: the server tells what they are, and would decode text.
  body.set("image_file", new Blob([file], { type: "application/octet-stream" }), "picture");
  for (const [name, value] of options) body.set(name, value);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const finish = () => {
      signal.removeEventListener("abort", abort);
      resolve({ status: request.status, body: request.response, header: (name) => request.getResponseHeader(name) });
    };
    const abort = () => {
      request.abort();
      reject(new DOMException("Removed", "AbortError"));
    };
    request.open("POST", ADDRESS);
    request.responseType = "blob";
    request.setRequestHeader("X-Api-Key", key);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable && event.loaded < event.total) tell("Sending…", event.loaded / event.total);
    });
    request.upload.addEventListener("load", () => tell("Cutting out…", null));
    request.addEventListener("load", finish);
    request.addEventListener("error", finish);
    signal.addEventListener("abort", abort);
    request.send(body);
  });
}

function cutoutOf(answer) {
  return {
    blob: answer.body,
    width: Number(answer.header("X-Width")),
    height: Number(answer.header("X-Height")),
  };
}

async function refusalOf(answer) {
  if (answer.status === 0) return new Refusal(0, "unreachable", "The server can't be reached.");
  try {
    const [{ code, title, detail }] = JSON.parse(await answer.body.text()).errors;
    return new Refusal(answer.status, code, detail ? `${title}: ${detail}.` : `${title}.`);
  } catch {
    return new Refusal(answer.status, "", `The server answers ${answer.status}.`);
  }
}

function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(new DOMException("Removed", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", abort);
  });
}
