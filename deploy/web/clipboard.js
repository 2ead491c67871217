/** A result on the clipboard. Browsers take PNG there, and only from https or this machine. */

export function canCopy(type) {
  return type.startsWith("image/") && Boolean(navigator.clipboard?.write);
}

export async function copy(picture) {
  await navigator.clipboard.write([new ClipboardItem({ "image/png": pngOf(picture) })]);
}

async function pngOf(picture) {
  if (picture.type === "image/png") return picture;
  const bitmap = await createImageBitmap(picture);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
