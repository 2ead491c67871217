/** One photo on the page: how far it is, its result, or why there is none. */

import { canCopy } from "./clipboard.js";
import { Comparison } from "./comparison.js";
import { Refusal, cutOut } from "./cutout_request.js";
import { keepsThePlace } from "./frame.js";
import { thumbnailOf } from "./thumbnail.js";

const EXTENSIONS = {
  "image/png": "png", "image/webp": "webp", "image/jpeg": "jpg",
  "application/zip": "zip", "application/octet-stream": "rgba",
};
const WITHOUT_PREVIEW = {
  zip: "ZIP files have no preview. This one holds color.jpg and alpha.png.",
  rgba: "Raw RGBA has no preview.",
};
const UNKNOWN_ERROR = "The page failed. The browser's console shows the error.";

export class Card {
  /**
   * @param {number} id Cards are in the order of their ids.
   * @param {File} file
   * @param {DocumentFragment} template
   * @param {{enlarge: Function, copy: Function, retry: Function, remove: Function}} owner Each takes the card.
   */
  constructor(id, file, template, owner) {
    this.id = id;
    this.file = file;
    this.state = "waiting";
    this.result = null;
    this.refusal = null;
    this.photo = undefined; // null: the browser can't show it
    this.preview = null;
    // The subject's box in the photo, and the thumbnail of a cutout that lies on the photo.
    this.subject = null;
    this.whole = null;
    this.outdated = false;
    this.element = template.cloneNode(true).firstElementChild;
    this.comparison = new Comparison(this.part(".stage"), this.part(".wipe"));
    this.part(".name").textContent = file.name;
    this.part(".name").title = file.name;
    for (const action of ["enlarge", "copy", "retry", "remove"]) {
      this.part(`.${action}`).addEventListener("click", () => owner[action](this));
    }
    this.part(".enlarge").setAttribute("aria-label", `Enlarge ${file.name}`);
    this.part(".wipe").setAttribute("aria-label", `Compare photo and result of ${file.name}`);
    this.part(".remove").setAttribute("aria-label", `Remove ${file.name}`);
    this.part(".copy").setAttribute("aria-label", `Copy the result of ${file.name}`);
    this.part(".retry").setAttribute("aria-label", `Retry ${file.name}`);
    this.render();
    this.photoMade = this.makePhoto();
  }

  /**
   * Ask the server once.
   *
   * @param {{fields: FormData, model: string, signature: string, key: string}} request
   * @returns {Promise<?Refusal>} One that concerns all photos: this one waits again.
   */
  async run(request) {
    const { fields, signature } = request;
    const control = new AbortController();
    this.control = control;
    this.set("working");
    try {
      const tell = (said, share) => this.say(said, share);
      const cutout = await cutOut(this.file, request, control.signal, tell);
      await this.take(cutout, signature, keepsThePlace(fields), control.signal);
    } catch (error) {
      if (control.signal.aborted) return null;
      if (error instanceof Refusal && error.concernsAll) {
        this.set("waiting");
        return error;
      }
      if (!(error instanceof Refusal)) console.error(error);
      this.refusal = error;
      // A result that was there before is not lost.
      this.set(this.result ? "done" : "failed");
    }
    return null;
  }

  wait() {
    this.refusal = null;
    this.set("waiting");
  }

  /** Stop what is under way. */
  stop() {
    this.control?.abort();
    if (this.state === "working") this.set("waiting");
  }

  /** Give back what the browser keeps for this card. */
  dispose() {
    this.disposed = true;
    for (const address of [this.photo?.address, this.whole?.address, this.preview?.address, this.part(".save").href]) {
      if (address) URL.revokeObjectURL(address);
    }
  }

  /** What is needed to show it again after a reload. */
  record() {
    const { id, file, result, subject } = this;
    return { id, file, result, subject };
  }

  async restore({ result, subject }) {
    this.subject = subject;
    this.result = result;
    this.set("done");
    await this.showResult(result);
  }

  setOutdated(outdated) {
    if (this.outdated === outdated) return;
    this.outdated = outdated;
    this.render();
  }

  get mayRetry() {
    return this.state === "failed" && this.refusal instanceof Refusal && this.refusal.mayPass;
  }

  /** The file name of the result. */
  get name() {
    const stem = this.file.name.replace(/\.[^.]*$/, "") || "photo";
    return `${stem}-cutout.${this.extension}`;
  }

  get extension() {
    return EXTENSIONS[this.result.blob.type.split(";")[0]] ?? "bin";
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  async makePhoto() {
    this.photo = await thumbnailOf(this.file);
    if (this.disposed) this.dispose();
    else this.render();
  }

  async take({ blob, width, height, subject }, signature, inPlace, signal) {
    await this.photoMade;
    if (inPlace && this.photo) {
      const scale = this.photo.width / width;
      this.subject = Object.fromEntries(Object.entries(subject).map(([side, pixels]) => [side, pixels * scale]));
    }
    await this.showResult({ blob, width, height, signature, inPlace }, signal);
  }

  async showResult(result, signal) {
    const preview = result.blob.type.startsWith("image/") ? await thumbnailOf(result.blob) : null;
    if (this.disposed || signal?.aborted) {
      if (preview) URL.revokeObjectURL(preview.address);
      return;
    }
    const before = [this.preview, this.whole];
    this.preview = preview;
    // The last cutout that lies on the photo stays: the preview of a frame shows it.
    if (result.inPlace) this.whole = preview;
    for (const old of before) {
      if (old && old !== this.preview && old !== this.whole) URL.revokeObjectURL(old.address);
    }
    this.result = result;
    this.refusal = null;
    const save = this.part(".save");
    URL.revokeObjectURL(save.href);
    save.href = URL.createObjectURL(result.blob);
    save.download = this.name;
    save.setAttribute("aria-label", `Download ${this.name}`);
    this.set("done");
  }

  set(state) {
    this.state = state;
    this.render();
  }

  render() {
    const { state, result, refusal } = this;
    this.element.dataset.state = state;
    this.element.classList.toggle("outdated", this.outdated && result !== null);
    this.part(".badge").hidden = !(this.outdated && result);
    this.part(".save").hidden = !result;
    this.part(".copy").hidden = !(result && canCopy(result.blob.type));
    this.part(".retry").hidden = !this.mayRetry;
    this.renderView();
    const words = refusal instanceof Refusal ? refusal.message : UNKNOWN_ERROR;
    if (state === "waiting") this.say("Waiting");
    else if (state === "working") this.say("Sending", 0);
    else if (state === "failed") this.say(words, undefined, true);
    else if (refusal) this.say(`Not updated: ${words}`, undefined, true);
    else this.say(`${this.extension.toUpperCase()}, ${result.width} × ${result.height}, ${sizeOf(result.blob)}`);
  }

  renderView() {
    const { photo, preview, result } = this;
    const note = this.part(".note");
    // A photo beside the text "no preview" would look like a result with its background.
    const before = photo && (!result || (preview && result.inPlace)) ? photo : null;
    this.comparison.show({
      before: before?.address ?? null,
      after: preview?.address ?? null,
      width: (preview ?? photo)?.width ?? 1,
      height: (preview ?? photo)?.height ?? 1,
    });
    this.part(".before").alt = `Photo ${this.file.name}`;
    this.part(".after").alt = `Result of ${this.file.name}`;
    this.part(".enlarge").hidden = !preview;
    note.hidden = Boolean(before || preview);
    const missing = result ? WITHOUT_PREVIEW[this.extension] : this.photo === null && "This browser can't show the photo.";
    note.textContent = note.hidden ? "" : missing || "";
  }

  /** Say something; with a share, or null where it is unknown, show progress. */
  say(words, share, bad = false) {
    const said = this.part(".said");
    said.textContent = words;
    said.title = words;
    said.classList.toggle("bad", bad);
    const progress = this.part(".progress");
    progress.hidden = share === undefined;
    if (share === null) progress.removeAttribute("value");
    else if (share !== undefined) progress.value = share;
  }
}

function sizeOf({ size }) {
  return size < 1e6 ? `${Math.ceil(size / 1000)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}
