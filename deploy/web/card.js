/** One picture on the page: what was sent, how far it is, and its cutout. */

import { Refusal, cutOut } from "./cutout_request.js";
import { EXTENSIONS, keepsThePlace } from "./options.js";

export class Card {
  /**
   * @param {File} file
   * @param {DocumentFragment} template
   * @param {{changed: (card: Card) => void, retry: (card: Card) => void, removed: (card: Card) => void}} owner
   */
  constructor(file, template, owner) {
    this.file = file;
    this.owner = owner;
    this.state = "waiting";
    this.cutout = null;
    this.control = null;
    this.element = template.cloneNode(true).firstElementChild;
    this.part(".name").textContent = file.name;
    this.before = this.part(".before");
    this.before.src = URL.createObjectURL(file);
    this.before.alt = `${file.name}, as it was sent`;
    // Chromium shows no HEIC and no TIFF; the cutout can be looked at all the same.
    this.before.addEventListener("error", () => {
      this.before.remove();
      this.part(".stage").classList.remove("comparing");
      this.wipe.hidden = true;
    });
    this.part(".retry").addEventListener("click", () => owner.retry(this));
    this.part(".remove").addEventListener("click", () => this.remove());
    this.wipe = this.part(".wipe");
    this.wipe.addEventListener("input", () => this.wipeTo(this.wipe.value));
    this.say("Waiting");
  }

  /** Ask the server; never throws. */
  async run(fields, key) {
    this.control?.abort();
    const control = new AbortController();
    this.control = control;
    this.reset("working");
    this.say("Sending…", 0);
    try {
      const cutout = await cutOut(this.file, fields, key, control.signal, (said, share) => this.say(said, share));
      this.show(cutout, fields);
    } catch (error) {
      if (control.signal.aborted) return;
      this.refuse(error);
    }
    this.owner.changed(this);
  }

  /** Wait for another run. */
  wait() {
    this.control?.abort();
    this.reset("waiting");
    this.say("Waiting");
  }

  remove() {
    this.control?.abort();
    this.state = "removed";
    for (const address of [this.before.src, this.part(".save").href]) URL.revokeObjectURL(address);
    const focused = this.element.contains(document.activeElement);
    const neighbour = this.element.nextElementSibling ?? this.element.previousElementSibling;
    this.element.remove();
    this.owner.removed(this);
    // Or whoever goes by the keyboard would start at the top of the page again.
    if (focused) (neighbour?.querySelector(".remove") ?? document.getElementById("pick")).focus();
  }

  /** The cutout's file name. */
  get name() {
    const stem = this.file.name.replace(/\.[^.]*$/, "") || "picture";
    return `${stem}-cutout.${EXTENSIONS[this.cutout.blob.type.split(";")[0]] ?? "bin"}`;
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  reset(state) {
    this.state = state;
    this.cutout = null;
    this.part(".stage").classList.remove("comparing");
    this.wipe.hidden = true;
    this.before.hidden = false;
    this.part(".note").textContent = "";
    const after = this.part(".after");
    URL.revokeObjectURL(this.part(".save").href);
    after.removeAttribute("src");
    after.hidden = true;
    this.part(".save").hidden = true;
    this.part(".retry").hidden = true;
    this.element.dataset.state = state;
  }

  show(cutout, fields) {
    this.reset("done");
    this.cutout = cutout;
    const address = URL.createObjectURL(cutout.blob);
    const size = `${cutout.width} × ${cutout.height}`;
    this.say(`${size}, ${kilobytes(cutout.blob.size)}`);
    const save = this.part(".save");
    save.href = address;
    save.download = this.name;
    save.hidden = false;
    save.setAttribute("aria-label", `Download ${this.name}`);
    if (!cutout.blob.type.startsWith("image/")) {
      this.part(".note").textContent = "This format has no preview.";
      return;
    }
    const after = this.part(".after");
    after.src = address;
    after.hidden = false;
    after.alt = `Cutout of ${this.file.name}, ${size}`;
    if (this.before.isConnected && keepsThePlace(fields)) {
      this.part(".stage").classList.add("comparing");
      this.wipe.hidden = false;
      this.wipeTo(this.wipe.value);
    } else {
      this.before.hidden = true;
    }
  }

  refuse(error) {
    this.reset("failed");
    const known = error instanceof Refusal;
    this.say(known ? error.message : "Something went wrong on this page.", undefined, true);
    this.part(".retry").hidden = false;
    if (!known) console.error(error);
  }

  wipeTo(percent) {
    this.part(".stage").style.setProperty("--wipe", `${percent}%`);
    this.wipe.setAttribute("aria-valuetext", `${percent} % picture, ${100 - percent} % cutout`);
  }

  /** Say something; with a share, or null where nobody knows it, show progress. */
  say(words, share, bad = false) {
    const said = this.part(".said");
    // Written anew, the same words would be read out again.
    if (said.textContent !== words) said.textContent = words;
    said.classList.toggle("bad", bad);
    const progress = this.part(".progress");
    progress.hidden = share === undefined;
    if (share === null) progress.removeAttribute("value");
    else if (share !== undefined) progress.value = share;
  }
}

function kilobytes(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
