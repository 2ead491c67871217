/** The form of options: what the user wants, as fields of a request. */

import { showProblem } from "./field_problem.js";

const MODELS = {
  u2net: "U²-Net: for most photos",
  u2netp: "U²-Net small: fastest",
  isnet: "IS-Net: finest details, slower",
};
const TAKES_QUALITY = ["webp", "jpg", "auto", "zip"];

export class Options {
  /**
   * @param {HTMLFormElement} form
   * @param {{changed: () => void, say: (words: string) => void}} owner
   */
  constructor(form, owner) {
    this.form = form;
    this.owner = owner;
    this.picture = null;
    this.part = (name) => form.elements[name];
    form.addEventListener("input", ({ target }) => this.take(target));
    // A value that is still being typed is not complained about.
    form.addEventListener("change", ({ target }) => this.mark(target));
    form.addEventListener("reset", () => setTimeout(() => this.clear()));
    this.show();
  }

  /** The fields of a request. */
  fields() {
    const chosen = new FormData(this.form);
    const text = (name) => (chosen.get(name) ?? "").trim();
    const fields = new FormData();
    for (const name of ["format", "edges", "size", "channels", "position", "roi", "quality"]) {
      if (text(name)) fields.set(name, text(name));
    }
    if (chosen.has("crop")) {
      fields.set("crop", "true");
      fields.set("crop_margin", `${text("crop_margin")}${text("margin_unit")}`);
    }
    if (text("scale")) fields.set("scale", `${text("scale")}%`);
    if (text("background") === "colour") fields.set("bg_color", text("bg_color"));
    if (text("background") === "picture") fields.set("bg_image_file", this.picture);
    return fields;
  }

  /** The model that was chosen; "": the server's default, or there is no choice. */
  get model() {
    return this.part("model").value;
  }

  /** Offer the models that are served, where they are several. */
  offer({ model: usual, models }) {
    const select = this.part("model");
    if (!models.includes(this.model)) this.withdraw(this.model);
    const others = models.filter((name) => name !== usual);
    const chosen = others.includes(this.model) ? this.model : "";
    select.replaceChildren(choiceOf(usual, ""), ...others.map((name) => choiceOf(name)));
    select.value = chosen;
    this.form.querySelector("#models").hidden = others.length === 0;
  }

  /** Offer a model no more; where it was chosen, the default takes its place. */
  withdraw(model) {
    const choice = [...this.part("model").options].find(({ value }) => value && value === model);
    if (!choice) return;
    const [title] = choice.text.split(":");
    const wasChosen = choice.selected;
    choice.remove();
    if (!wasChosen) return;
    this.owner.say(`The server no longer has ${title}. New results use its default model.`);
    this.owner.changed();
  }

  /** What is asked for, in one line: results of another line are outdated. */
  signature() {
    const words = ([name, value]) => `${name}=${value instanceof File ? [value.name, value.size, value.lastModified] : value}`;
    return [`model=${this.model}`, ...[...this.fields()].map(words)].join("&");
  }

  get isValid() {
    return [...this.form.elements].every((field) => !field.willValidate || this.problemOf(field) === "");
  }

  /** Show each problem at its field, and bring the first one into view; a closed section is opened. */
  check() {
    const wrong = [...this.form.elements].filter((field) => field.willValidate && this.mark(field));
    for (const field of wrong) field.closest("details").open = true;
    wrong[0]?.focus();
    return wrong.length === 0;
  }

  /** @returns {[string, string | boolean | File][]} To be given to restore(). */
  values() {
    const fields = [...this.form.elements].filter(({ name, type }) => name && type !== "file");
    const values = fields.map((field) => [field.id || `${field.name}=${field.value}`, this.isTick(field) ? field.checked : field.value]);
    return [...values, ["picture", this.picture]];
  }

  restore(values) {
    const known = new Map(values);
    // The server has not said yet which models it has.
    const model = known.get("model");
    if (model) this.part("model").append(choiceOf(model));
    for (const field of this.form.elements) {
      const value = known.get(field.id || `${field.name}=${field.value}`);
      if (value === undefined || field.type === "file") continue;
      if (this.isTick(field)) field.checked = value;
      else field.value = value;
    }
    this.picture = known.get("picture") ?? null;
    this.show();
  }

  setArea(text) {
    this.part("roi").value = text;
    this.take(this.part("roi"));
  }

  isTick({ type }) {
    return type === "radio" || type === "checkbox";
  }

  take(field) {
    if (field.id === "picker") {
      this.part("bg_color").value = field.value;
      this.mark(this.part("bg_color"));
    }
    if (field.id === "bg_image_file" && field.files.length) [this.picture] = field.files;
    this.show();
    if (field.hasAttribute("aria-invalid")) this.mark(field);
    this.owner.changed();
  }

  clear() {
    this.picture = null;
    for (const field of this.form.elements) if (field.willValidate) this.mark(field);
    this.show();
    this.owner.changed();
  }

  /** Show the fields that mean something with what is chosen; the others are neither sent nor checked. */
  show() {
    const mask = this.part("channels").value === "alpha";
    const background = this.part("background").value;
    const format = this.part("format").value;
    const shown = {
      colour: !mask && background === "colour",
      picture: !mask && background === "picture",
      mask,
      crop: this.part("crop").checked,
      quality: TAKES_QUALITY.includes(format),
      jpg: format === "jpg" && background === "transparent" && !mask,
    };
    for (const part of this.form.querySelectorAll("[data-for]")) {
      part.hidden = !shown[part.dataset.for];
      for (const field of part.querySelectorAll("input, select")) field.disabled = part.hidden;
    }
    for (const field of this.part("background")) field.disabled = mask;
    this.part("crop_margin").max = this.part("margin_unit").value === "%" ? 50 : 500;
    this.part("quality").placeholder = format === "webp" ? "Lossless" : "90";
    if (/^#[0-9a-f]{6}$/i.test(this.part("bg_color").value)) this.part("picker").value = this.part("bg_color").value;
    this.showPicture();
  }

  showPicture() {
    const image = this.form.querySelector("#bg_image");
    if (this.shown === this.picture) return;
    this.shown = this.picture;
    URL.revokeObjectURL(image.src);
    image.hidden = this.picture === null;
    if (this.picture) image.src = URL.createObjectURL(this.picture);
    else image.removeAttribute("src");
  }

  problemOf(field) {
    // A file input can't be filled in by a script, after a reload.
    if (field.id === "bg_image_file") return this.picture ? "" : field.dataset.problem;
    return field.validity.valid ? "" : (field.dataset.problem ?? field.validationMessage);
  }

  mark(field) {
    const problem = this.problemOf(field);
    showProblem(field, problem);
    return problem;
  }
}

function choiceOf(model, value = model) {
  return new Option(MODELS[model] ?? model, value);
}
