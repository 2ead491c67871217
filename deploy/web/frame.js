/** Where a subject lies in its result: u2net_cutout/pipeline/placement.py, before it rounds. */

/**
 * @typedef {{left: number, top: number, width: number, height: number}} Box In pixels of the photo.
 *
 * @param {{width: number, height: number}} photo
 * @param {Box} subject
 * @param {FormData} fields Of the request.
 * @returns {{canvas: Box, target: Box}} The result's frame, and the subject in it.
 */
export function frameOf(photo, subject, fields) {
  let canvas = { left: 0, top: 0, width: photo.width, height: photo.height };
  if (fields.has("crop")) canvas = withMargin(subject, fields.get("crop_margin"));
  if (!fields.has("scale") && !fields.has("position")) return { canvas, target: subject };
  const factor = fields.has("scale")
    ? (parseFloat(fields.get("scale")) / 100) * Math.min(canvas.width / subject.width, canvas.height / subject.height)
    : 1;
  const width = subject.width * factor;
  const height = subject.height * factor;
  const [across, down] = (fields.get("position") ?? "50% 50%").split(" ").map((share) => parseFloat(share) / 100);
  const left = canvas.left + (canvas.width - width) * across;
  const top = canvas.top + (canvas.height - height) * down;
  return { canvas, target: { left, top, width, height } };
}

/** Whether photo and result lie pixel on pixel, so that they can be compared. */
export function keepsThePlace(fields) {
  return !["crop", "scale", "position"].some((name) => fields.has(name)) && fields.get("channels") !== "alpha";
}

/** A search area of lengths such as "10% 0 90% 300px", as a box; null where there is none. */
export function areaOf(photo, text) {
  if (!text) return null;
  const [left, top, right, bottom] = text.trim().split(/\s+/).map((length, index) => {
    const whole = index % 2 ? photo.height : photo.width;
    return Math.min(whole, length.endsWith("%") ? (parseFloat(length) / 100) * whole : parseFloat(length));
  });
  return { left, top, width: right - left, height: bottom - top };
}

function withMargin(subject, margin) {
  const value = parseFloat(margin);
  const [across, down] = margin.endsWith("%")
    ? [Math.round((value / 100) * subject.width), Math.round((value / 100) * subject.height)]
    : [Math.round(value), Math.round(value)];
  return {
    left: subject.left - across, top: subject.top - down,
    width: subject.width + 2 * across, height: subject.height + 2 * down,
  };
}
