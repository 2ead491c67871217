/** One result, large: compared, enlarged to its own pixels, moved. */

import { Comparison } from "./comparison.js";

const STEP = 1.25;
const LARGEST = 8;

export class Viewer {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = dialog;
    this.pan = dialog.querySelector(".pan");
    this.stage = dialog.querySelector(".stage");
    this.comparison = new Comparison(this.stage, dialog.querySelector(".wipe"));
    this.addresses = [];
    const on = (selector, event, action) => dialog.querySelector(selector).addEventListener(event, action);
    on(".close", "click", () => dialog.close());
    on(".in", "click", () => this.zoom(this.scale * STEP));
    on(".out", "click", () => this.zoom(this.scale / STEP));
    on(".full", "click", () => this.zoom(this.whole));
    on(".fit", "click", () => this.zoom(this.fit));
    on(".wipe", "input", () => this.wipe());
    this.pan.addEventListener("scroll", () => this.wipe());
    this.pan.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    this.pan.addEventListener("dblclick", (event) => this.zoom(this.scale > this.fit ? this.fit : this.whole, event));
    dialog.addEventListener("keydown", (event) => this.press(event));
    dialog.addEventListener("close", () => this.clear());
    addEventListener("resize", () => dialog.open && this.zoom(this.isFitted ? this.fit : this.scale));
    this.drag();
  }

  /** @param {import("./card.js").Card} card With a result that has a preview. */
  open(card) {
    const { result } = card;
    this.size = result;
    this.dialog.querySelector("#viewer-name").textContent = card.name;
    const compared = result.inPlace && card.photo;
    // The files themselves, not their thumbnails; given back when the viewer closes.
    const [after, before] = [result.blob, compared && card.file].map((file) => (file ? URL.createObjectURL(file) : null));
    this.addresses = [after, before];
    this.comparison.show({ before, after, width: result.width, height: result.height });
    this.stage.querySelector(".before").alt = `Photo ${card.file.name}`;
    this.stage.querySelector(".after").alt = `Result of ${card.file.name}`;
    this.dialog.showModal();
    this.zoom(this.fit);
    this.pan.focus();
  }

  clear() {
    this.comparison.show({ before: null, after: null, width: 1, height: 1 });
    for (const address of this.addresses) if (address) URL.revokeObjectURL(address);
    this.addresses = [];
  }

  /** The scale at which a pixel of the result is one of the screen. */
  get whole() {
    return 1 / devicePixelRatio;
  }

  get fit() {
    return Math.min(this.pan.clientWidth / this.size.width, this.pan.clientHeight / this.size.height, LARGEST);
  }

  /** Enlarge to a scale; what is at a point of the window, or in the middle, stays there. */
  zoom(scale, point) {
    const around = this.pan.getBoundingClientRect();
    const [across, down] = point
      ? [point.clientX - around.left, point.clientY - around.top]
      : [this.pan.clientWidth / 2, this.pan.clientHeight / 2];
    const before = this.stage.getBoundingClientRect();
    const share = [(across + around.left - before.left) / before.width, (down + around.top - before.top) / before.height];
    const smallest = Math.min(this.fit, this.whole);
    this.scale = Math.min(LARGEST, Math.max(smallest, scale));
    this.isFitted = this.scale === this.fit;
    this.stage.style.setProperty("--width", `${this.size.width * this.scale}px`);
    this.stage.style.setProperty("--height", `${this.size.height * this.scale}px`);
    const after = this.stage.getBoundingClientRect();
    this.pan.scrollLeft += after.left + share[0] * after.width - around.left - across;
    this.pan.scrollTop += after.top + share[1] * after.height - around.top - down;
    this.dialog.querySelector("output").textContent = `${Math.round(100 * this.scale * devicePixelRatio)} %`;
    this.wipe();
  }

  // The handle lies over the window, the pictures below it move.
  wipe() {
    const window = this.pan.getBoundingClientRect();
    const stage = this.stage.getBoundingClientRect();
    const place = window.left + (this.comparison.wipe.value / 100) * this.pan.clientWidth;
    this.comparison.move(Math.max(0, Math.min(100, (100 * (place - stage.left)) / stage.width)));
  }

  turn(event) {
    event.preventDefault();
    this.zoom(this.scale * STEP ** (-event.deltaY / 100), event);
  }

  press(event) {
    const action = { "+": this.scale * STEP, "=": this.scale * STEP, "-": this.scale / STEP, 0: this.fit, 1: this.whole }[event.key];
    if (action === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.zoom(action);
  }

  drag() {
    let last = null;
    this.pan.addEventListener("pointerdown", (event) => {
      // A finger scrolls by itself.
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      last = event;
      this.pan.setPointerCapture(event.pointerId);
    });
    this.pan.addEventListener("pointermove", (event) => {
      if (!last) return;
      this.pan.scrollLeft -= event.clientX - last.clientX;
      this.pan.scrollTop -= event.clientY - last.clientY;
      last = event;
    });
    for (const end of ["pointerup", "pointercancel"]) this.pan.addEventListener(end, () => (last = null));
  }
}
