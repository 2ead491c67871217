/** The API key: entered, checked with the server, kept. */

import { isKnown } from "./cutout_request.js";
import { keep, recall } from "./key_store.js";

const SENTENCES = {
  missing: "",
  checking: "Checking the key…",
  known: "The key is accepted.",
  unknown: "The server does not know this key.",
  unchecked: "The page checks the key as soon as it can reach the server.",
};

export class Access {
  /**
   * @param {HTMLElement} panel
   * @param {HTMLButtonElement} button Opens and closes the panel.
   * @param {{known: () => void, refused: (error: Error) => void}} owner
   */
  constructor(panel, button, owner) {
    this.panel = panel;
    this.button = button;
    this.owner = owner;
    this.input = panel.querySelector("#key");
    this.remember = panel.querySelector("#remember");
    const kept = recall();
    this.input.value = kept.key;
    this.remember.checked = kept.remembered;
    button.addEventListener("click", () => this.open(this.panel.hidden));
    panel.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.check();
    });
    this.remember.addEventListener("change", () => keep(this.key, this.remember.checked));
    this.input.addEventListener("change", () => this.check());
    this.set(kept.key ? "checking" : "missing");
  }

  get key() {
    return this.input.value.trim();
  }

  get isKnown() {
    return this.state === "known" && this.key === this.checked;
  }

  async check() {
    keep(this.key, this.remember.checked);
    // Enter is a change of the field and a submission of the form.
    if (this.key && this.key === this.checked && ["checking", "known"].includes(this.state)) return;
    this.checked = this.key;
    if (!this.key) {
      this.set("missing");
      return;
    }
    this.set("checking");
    try {
      this.set((await isKnown(this.checked)) ? "known" : "unknown");
    } catch (error) {
      this.set("unchecked");
      this.owner.refused(error);
    }
    if (this.state === "known") this.owner.known();
  }

  /** Check a key that could not be checked before. */
  checkLate() {
    if (this.state === "unchecked") this.check();
  }

  /** The server has refused the key with a photo. */
  refuse() {
    this.set("unknown");
  }

  set(state) {
    this.state = state;
    this.button.dataset.state = state;
    this.button.setAttribute("aria-label", state === "known" ? "API key: accepted" : "API key: missing");
    const said = this.panel.querySelector("#access-state");
    said.textContent = SENTENCES[state];
    said.className = `state ${{ known: "good", unknown: "bad" }[state] ?? ""}`;
    this.input.setAttribute("aria-invalid", state === "unknown");
    this.open(state !== "known" && state !== "checking");
  }

  open(open) {
    if (!open && this.panel.contains(document.activeElement)) this.button.focus();
    this.panel.hidden = !open;
    this.button.setAttribute("aria-expanded", open);
  }
}
