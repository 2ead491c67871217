/** Small copies of pictures: a hundred photos of 50 megapixels do not fit into memory. */

/** Pixels of the longer side; enough for one large card. */
const LONGEST = 800;
let turn = Promise.resolve();

/**
 * Make a small copy; one picture is decoded at a time.
 *
 * @param {Blob} picture
 * @returns {Promise<?{address: string, width: number, height: number}>} With the picture's own size;
 *   null: this browser can't decode it. Whoever gets the address revokes it.
 */
export function thumbnailOf(picture) {
  turn = turn.then(() => copyOf(picture).catch(() => null));
  return turn;
}

async function copyOf(picture) {
  const bitmap = await createImageBitmap(picture);
  const { width, height } = bitmap;
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const copy = await canvas.convertToBlob({ type: "image/webp", quality: 0.8 });
  return { address: URL.createObjectURL(copy), width, height };
}
