/** One request to the gateway: a photo and its options up, the cutout down. */

/** Without a limit, a connection that hangs would leave the page waiting for minutes. */
const LONGEST_CHECK_MS = 20_000;

/** What the server said instead of a cutout. */
export class Refusal extends Error {
  /**
   * @param {number} status 0: no answer.
   * @param {string} code
   * @param {string} message
   * @param {number} pause Seconds that the server asks for; 0: none.
   */
  constructor(status, code, message, pause = 0) {
    super(message);
    this.cause = causeOf(status, code);
    this.pause = pause;
  }

  /** Whether it says nothing about this photo: the photo waits, and so do all others. */
  get concernsAll() {
    return ["away", "unavailable", "full", "rate", "key", "model"].includes(this.cause);
  }

  /** Whether the same photo can succeed later. */
  get mayPass() {
    return this.concernsAll || ["timeout", "server", "options"].includes(this.cause);
  }
}

function causeOf(status, code) {
  if (code === "unreadable") return "photo";
  if (status === 400 && code.startsWith("invalid_") && code !== "invalid_form") return "options";
  if (code === "overloaded") return "full";
  const causes = { 0: "away", 401: "key", 403: "key", 429: "rate", 502: "unavailable", 503: "unavailable", 504: "timeout", 507: "full" };
  return causes[status] ?? (status >= 500 ? "server" : "photo");
}

/**
 * Cut one photo out.
 *
 * @param {File} file
 * @param {{fields: FormData, model: string, key: string}} request model "": the server's default.
 * @param {AbortSignal} signal
 * @param {(said: string, share: ?number) => void} tell What is under way, and its share; null: unknown.
 * @returns {Promise<{blob: Blob, width: number, height: number, subject: object}>}
 * @throws {Refusal}
 */
export async function cutOut(file, { fields, model, key }, signal, tell) {
  signal.throwIfAborted();
  await checkReadable(file);
  // No event tells of an abort that came before somebody listened.
  signal.throwIfAborted();
  const address = `${model ? `${model}/` : ""}v1.0/removebg`;
  const answer = await post(address, key, formOf(file, fields), signal, tell);
  signal.throwIfAborted();
  if (answer.status === 200) return cutoutOf(answer);
  const refusal = await refusalOf(answer);
  // Without a model in it, the address itself is wrong.
  if (answer.status === 404 && model) refusal.cause = "model";
  throw refusal;
}

/**
 * Ask whether a key opens the gateway.
 *
 * @throws {Refusal}
 */
export async function isKnown(key) {
  // A header can't hold anything else, such as a space that came along with a pasted key.
  if (!/^[\x21-\x7e]+$/.test(key)) return false;
  let answer;
  try {
    answer = await fetch("v1.0/account", { headers: { "X-Api-Key": key }, cache: "no-store" });
  } catch {
    throw new Refusal(0, "", "The server can't be reached.");
  }
  if (answer.ok) return true;
  if (answer.status === 401 || answer.status === 403) return false;
  throw new Refusal(answer.status, "", `The server responded with status ${answer.status}.`);
}

/**
 * Ask whether the server would cut out now.
 *
 * @returns {Promise<{cause: string, model?: string, models?: string[]}>} cause: "", or why not: "away",
 *   "unavailable"; the default model and all of them.
 */
export async function readiness() {
  try {
    const answer = await fetch("healthz", { cache: "no-store", signal: AbortSignal.timeout(LONGEST_CHECK_MS) });
    return answer.ok ? { cause: "", ...(await answer.json()) } : { cause: "unavailable" };
  } catch {
    return { cause: "away" };
  }
}

// A folder, or a file that has changed since: the upload would only fail as if there were no server.
async function checkReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Refusal(0, "unreadable", "This file can't be read. It may have changed: choose it again.");
  }
}

function formOf(file, fields) {
  const form = new FormData();
  // Bytes, whatever the file is called: the server finds out what they are, and would decode text.
  form.set("image_file", new Blob([file], { type: "application/octet-stream" }), "picture");
  for (const [name, value] of fields) form.set(name, value);
  return form;
}

// fetch() can't tell how much of an upload has gone.
function post(address, key, body, signal, tell) {
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
    request.open("POST", address);
    request.responseType = "blob";
    request.setRequestHeader("X-Api-Key", key);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable && event.loaded < event.total) tell("Sending", event.loaded / event.total);
    });
    request.upload.addEventListener("load", () => tell("Cutting out", null));
    request.addEventListener("load", finish);
    request.addEventListener("error", finish);
    signal.addEventListener("abort", abort);
    request.send(body);
  });
}

function cutoutOf({ body, header }) {
  const number = (name) => Number(header(name));
  return {
    blob: body,
    width: number("X-Width"),
    height: number("X-Height"),
    // Where the subject lies in the result.
    subject: {
      left: number("X-Foreground-Left"), top: number("X-Foreground-Top"),
      width: number("X-Foreground-Width"), height: number("X-Foreground-Height"),
    },
  };
}

async function refusalOf({ status, body, header }) {
  if (status === 0) return new Refusal(0, "", "The server can't be reached.");
  const pause = Number(header("Retry-After")) || 0;
  try {
    const [{ code, title, detail }] = JSON.parse(await body.text()).errors;
    return new Refusal(status, code, detail ? `${title}: ${detail}.` : `${title}.`, pause);
  } catch {
    return new Refusal(status, "", `The server responded with status ${status}.`, pause);
  }
}
