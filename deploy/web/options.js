/** The form of options: what the user asks for, as fields of a request. */

export const EXTENSIONS = {
  "image/png": "png", "image/webp": "webp", "image/jpeg": "jpg",
  "application/zip": "zip", "application/octet-stream": "rgba",
};

export class Options {
  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.form = form;
  }

  /** Fields that say something: the server's defaults are left to the server. */
  fields() {
    const fields = new FormData();
    for (const [name, value] of new FormData(this.form)) {
      const empty = value instanceof File ? value.size === 0 : value.trim() === "";
      if (!empty) fields.set(name, value instanceof File ? value : value.trim());
    }
    return fields;
  }

  isValid() {
    return this.form.reportValidity();
  }
}

/** Whether picture and cutout lie pixel on pixel, so that they can be compared. */
export function keepsThePlace(fields) {
  const moved = (name) => fields.has(name) && fields.get(name) !== "original";
  return !fields.has("crop") && !moved("scale") && !moved("position") && fields.get("channels") !== "alpha";
}
