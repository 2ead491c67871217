/** Crop, margin, position and search area, drawn on one of the photos. */

import { areaOf, frameOf } from "./frame.js";

const ROOM = 12;

export class FramePreview {
  /**
   * @param {HTMLElement} figure
   * @param {(text: string) => void} chosen A search area that was drawn.
   */
  constructor(figure, chosen) {
    this.figure = figure;
    this.canvas = figure.querySelector("canvas");
    this.photo = new Image();
    this.cutout = new Image();
    for (const image of [this.photo, this.cutout]) image.addEventListener("load", () => this.draw());
    this.listen(chosen);
  }

  /**
   * @param {?{photo: object, cutout: ?object, subject: ?object}} picture Thumbnails, and the subject's box in
   *   the photo; null: there is no picture.
   * @param {FormData} fields
   */
  show(picture, fields) {
    this.picture = picture;
    this.fields = fields;
    this.figure.hidden = picture === null;
    if (picture === null) return;
    for (const [image, thumbnail] of [[this.photo, picture.photo], [this.cutout, picture.cutout]]) {
      if (!thumbnail) image.removeAttribute("src");
      else if (image.src !== thumbnail.address) image.src = thumbnail.address;
    }
    this.draw();
  }

  draw() {
    const { photo: size, subject } = this.picture ?? {};
    if (!size || !this.photo.complete) return;
    const whole = { left: 0, top: 0, width: size.width, height: size.height };
    const { canvas: frame, target } = subject ? frameOf(size, subject, this.fields) : { canvas: whole, target: null };
    this.setScale(whole, frame);
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.globalAlpha = 0.35;
    context.drawImage(this.photo, ...this.at(whole));
    context.globalAlpha = 1;
    context.save();
    context.beginPath();
    context.rect(...this.at(frame));
    context.clip();
    this.fill(context, subject, target, whole);
    context.restore();
    this.outline(context, frame, [], "#0f766e");
    const area = areaOf(size, this.fields.get("roi"));
    if (area) this.outline(context, area, [10, 6], "#b42318");
    const words = `Frame of the result: ${Math.round(frame.width)} × ${Math.round(frame.height)} pixels`;
    this.canvas.setAttribute("aria-label", words);
    this.figure.querySelector("figcaption").textContent =
      subject ? words : "The frame appears when a photo is cut out.";
  }

  fill(context, subject, target, whole) {
    if (!this.cutout.complete || !this.cutout.src || !target) {
      context.drawImage(this.photo, ...this.at(whole));
      return;
    }
    const colour = this.fields.get("bg_color")?.replace(/^#?/, "#") ?? "#fff";
    for (context.fillStyle of ["#fff", colour]) context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const scale = this.cutout.naturalWidth / whole.width;
    const source = [subject.left, subject.top, subject.width, subject.height].map((side) => side * scale);
    context.drawImage(this.cutout, ...source, ...this.at(target));
  }

  setScale(whole, frame) {
    const left = Math.min(0, frame.left);
    const top = Math.min(0, frame.top);
    const width = Math.max(whole.width, frame.left + frame.width) - left;
    const height = Math.max(whole.height, frame.top + frame.height) - top;
    this.scale = Math.min((this.canvas.width - 2 * ROOM) / width, (this.canvas.height - 2 * ROOM) / height);
    this.left = (this.canvas.width - width * this.scale) / 2 - left * this.scale;
    this.top = (this.canvas.height - height * this.scale) / 2 - top * this.scale;
  }

  at({ left, top, width, height }) {
    return [this.left + left * this.scale, this.top + top * this.scale, width * this.scale, height * this.scale];
  }

  outline(context, box, dashes, colour) {
    for (const [style, width] of [["#fff", 7], [colour, 4]]) {
      context.setLineDash(dashes);
      context.strokeStyle = style;
      context.lineWidth = width;
      context.strokeRect(...this.at(box));
    }
  }

  listen(chosen) {
    let start = null;
    const pointOf = (event) => {
      const around = this.canvas.getBoundingClientRect();
      const share = (place, offset, side) =>
        Math.max(0, Math.min(100, Math.round((100 * (place - offset)) / (side * this.scale))));
      const scale = this.canvas.width / around.width;
      const { width, height } = this.picture.photo;
      return [
        share((event.clientX - around.left) * scale, this.left, width),
        share((event.clientY - around.top) * scale, this.top, height),
      ];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      start = pointOf(event);
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointerup", () => (start = null));
    this.canvas.addEventListener("pointermove", (event) => {
      if (!start) return;
      const end = pointOf(event);
      const [left, right] = [start[0], end[0]].sort((a, b) => a - b);
      const [top, bottom] = [start[1], end[1]].sort((a, b) => a - b);
      // A click draws nothing.
      if (right - left > 2 && bottom - top > 2) chosen(`${left}% ${top}% ${right}% ${bottom}%`);
    });
  }
}
