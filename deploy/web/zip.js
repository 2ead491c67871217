/**
 * Write a zip that stores its files as they are: pictures don't get smaller a second time.
 *
 * Up to 65,535 files and 4 GiB; format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc >>> 0;
});
const NAMES_ARE_UTF8 = 0x0800;
const MOST_FILES = 0xffff;
const MOST_BYTES = 0xffffffff;
const HEADERS_OF_A_FILE = 30 + 46;
const END_OF_ALL = 22;

/** Why there is no zip, in words for the user. */
export class ZipError extends Error {}

/**
 * @param {{name: string, blob: Blob}[]} files With names that differ.
 * @returns {Promise<Blob>}
 * @throws {ZipError} They are more than a zip of this format holds.
 */
export async function zipOf(files) {
  checkSize(files);
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const encoded = new TextEncoder().encode(name);
    const common = commonHeader(encoded.length, bytes);
    parts.push(record(0x04034b50, common), encoded, blob);
    directory.push(record(0x02014b50, [[20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]]), encoded);
    offset += 30 + encoded.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = files.length;
  const end = record(0x06054b50, [[0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [offset, 4], [0, 2]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function checkSize(files) {
  if (files.length > MOST_FILES) throw new ZipError("More than 65,535 files don't fit into one zip.");
  const bytesOf = ({ name, blob }) => HEADERS_OF_A_FILE + 2 * new TextEncoder().encode(name).length + blob.size;
  if (files.reduce((sum, file) => sum + bytesOf(file), END_OF_ALL) > MOST_BYTES) {
    throw new ZipError("More than 4 GiB don't fit into one zip: download the results one by one.");
  }
}

/** Return names that differ, for files of the same name: a.png, a (2).png. */
export function distinctNames(names) {
  const taken = new Set();
  return names.map((name) => {
    const dot = name.lastIndexOf(".");
    let candidate = name;
    for (let number = 2; taken.has(candidate.toLowerCase()); number += 1) {
      candidate = `${name.slice(0, dot)} (${number})${name.slice(dot)}`;
    }
    taken.add(candidate.toLowerCase());
    return candidate;
  });
}

function commonHeader(nameLength, bytes) {
  const now = new Date();
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  const stored = 0;
  return [
    [20, 2], [NAMES_ARE_UTF8, 2], [stored, 2], [time, 2], [date, 2],
    [crc32(bytes), 4], [bytes.length, 4], [bytes.length, 4], [nameLength, 2], [0, 2],
  ];
}

/** Lay out little-endian fields, [value, bytes] each, behind a signature of four bytes. */
function record(signature, fields) {
  const all = [[signature, 4], ...fields];
  const view = new DataView(new ArrayBuffer(all.reduce((sum, [, width]) => sum + width, 0)));
  let at = 0;
  for (const [value, width] of all) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return new Uint8Array(view.buffer);
}

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
