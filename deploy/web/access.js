/** The API key: entered, checked with the server, kept. */

import { isKnown } from "./cutout_request.js";
import { keep, recall } from "./key_store.js";

const STATES = {
  missing: { label: "missing", sentence: "" },
  checking: { label: "being checked", sentence: "Checking the key…" },
  known: { label: "accepted", sentence: "The key is accepted." },
  unknown: { label: "not accepted", sentence: "The server does not know this key." },
  unchecked: { label: "not checked yet", sentence: "The page checks the key as soon as it can reach the server." },
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
    const { key } = this;
    this.checked = key;
    this.set(key ? "checking" : "missing");
    if (!key) return;
    let state;
    let refusal;
    try {
      state = (await isKnown(key)) ? "known" : "unknown";
    } catch (error) {
      [state, refusal] = ["unchecked", error];
    }
    if (key !== this.checked) return; // another one was entered since
    this.set(state);
    if (refusal) this.owner.refused(refusal);
    if (state === "known") this.owner.known();
  }

  /** Check a key that could not be checked before. */
  checkLate() {
    if (this.state === "unchecked") this.check();
  }

  /** The server has refused a key with a photo. */
  refuse(key) {
    if (key === this.checked) this.set("unknown");
  }

  set(state) {
    this.state = state;
    this.button.dataset.state = state;
    const { label, sentence } = STATES[state];
    this.button.setAttribute("aria-label", `API key: ${label}`);
    const said = this.panel.querySelector("#access-state");
    said.textContent = sentence;
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
