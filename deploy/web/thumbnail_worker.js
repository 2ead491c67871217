/** Makes small copies of pictures, one after the other: see thumbnail.js. */

/** Pixels of the longer side; enough for one large card. */
const LONGEST = 800;
let turn = Promise.resolve();

addEventListener("message", ({ data: { number, picture } }) => {
  turn = turn.then(async () => {
    const thumbnail = await copyOf(picture).catch(() => null);
    postMessage({ number, thumbnail });
  });
});

async function copyOf(picture) {
  const bitmap = await createImageBitmap(picture);
  const { width, height } = bitmap;
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return { copy: await canvas.convertToBlob({ type: "image/webp", quality: 0.8 }), width, height };
}
