/** Small copies of pictures: a hundred photos of 50 megapixels do not fit into memory. */

// In a worker: the page stays fluid, and no copy waits until the page is idle.
const worker = new Worker("thumbnail_worker.js", { type: "module" });
const waiting = new Map();
let last = 0;

worker.addEventListener("message", ({ data: { number, thumbnail } }) => {
  waiting.get(number)(thumbnail);
  waiting.delete(number);
});

/**
 * Make a small copy; one picture is decoded at a time.
 *
 * @param {Blob} picture
 * @returns {Promise<?{address: string, width: number, height: number}>} With the picture's own size;
 *   null: this browser can't decode it. The caller revokes the address.
 */
export async function thumbnailOf(picture) {
  last += 1;
  const number = last;
  const thumbnail = await new Promise((resolve) => {
    waiting.set(number, resolve);
    worker.postMessage({ number, picture });
  });
  if (thumbnail === null) return null;
  const { copy, width, height } = thumbnail;
  return { address: URL.createObjectURL(copy), width, height };
}
