// Looks up keys in a time that does not grow with their number. A table by SHA-256 is made from the key file, in
// `tables/<state of the key file>`: a file, because njs 0.7 keeps nothing between requests. It begins with the
// offsets of its buckets. A bucket holds the keys whose sums begin with the same digits, each as
// "<sum> <client> <requests a minute>".
import crypto from 'crypto';
import fs from 'fs';

const PREFIX = 3;  // hexadecimal digits
const BUCKETS = 4096;
const OFFSET_BYTES = 4;
const UNFINISHED = 'unfinished-';
const RATE_OF_ALL = '-';
const NO_NUMBER = '?';
// A file system's clock ticks every few milliseconds, so a file may change again and look the same. Its table is
// therefore written again after this time.
const SETTLED_MS = 500;

// Returns a key's client, with its own requests a minute or undefined. Returns undefined for an unknown key.
function clientOf(r, key) {
    const sum = crypto.createHash('sha256').update(key).digest('hex');
    let client;
    bucketOf(r, parseInt(sum.slice(0, PREFIX), 16)).split('\n').forEach(line => {
        if (line && sameSum(line, sum) && !client) {
            const words = line.split(' ');
            client = {name: words[1], rate: words[2] === RATE_OF_ALL ? undefined : words[2]};
        }
    });
    // Anything but a number would mean no limit.
    if (client && client.rate === NO_NUMBER) {
        r.error(`keys: ${client.name} is refused: its rate is no number of requests a minute`);
        return undefined;
    }
    return client;
}

// Takes the same time wherever the two strings differ.
function sameSum(line, sum) {
    let difference = 0;
    for (let i = 0; i < sum.length; i++) {
        difference |= line.charCodeAt(i) ^ sum.charCodeAt(i);
    }
    return difference === 0;
}

function bucketOf(r, number) {
    const folder = r.variables.gateway_folder;
    const state = fs.statSync(`${folder}/keys`);
    const settled = Date.now() - state.ctimeMs > SETTLED_MS;
    const table = [state.dev, state.ino, state.size, state.ctimeMs, settled].join('-');
    let file;
    try {
        file = fs.openSync(`${folder}/tables/${table}`);
    } catch (e) {
        const buckets = bucketsOf(fs.readFileSync(`${folder}/keys`, 'utf8'));
        try {
            writeTable(`${folder}/tables`, table, buckets);
        } catch (error) {
            r.error(`keys: no table can be written: ${error.message}`);
        }
        return buckets[number];
    }
    try {
        const bounds = Buffer.alloc(2 * OFFSET_BYTES);
        fs.readSync(file, bounds, 0, bounds.length, number * OFFSET_BYTES);
        const begin = bounds.readUInt32LE(0);
        const bucket = Buffer.alloc(bounds.readUInt32LE(OFFSET_BYTES) - begin);
        fs.readSync(file, bucket, 0, bucket.length, begin);
        return bucket.toString();
    } finally {
        fs.closeSync(file);
    }
}

// A line of the key file is a name, a key and, optionally, requests a minute. Splitting it by a regular expression
// would take 0.3 ms.
function bucketsOf(keys) {
    const buckets = new Array(BUCKETS).fill('');
    keys.split('\t').join(' ').split('\r').join('').split('\n').forEach(line => {
        const words = line.split(' ').filter(word => word);
        if (words.length > 1 && /^[\w-]+$/.test(words[0])) {
            const sum = crypto.createHash('sha256').update(words[1]).digest('hex');
            const rate = words[2] === undefined ? RATE_OF_ALL
                : /^\d+$/.test(words[2]) ? words[2] : NO_NUMBER;
            buckets[parseInt(sum.slice(0, PREFIX), 16)] += `${sum} ${words[0]} ${rate}\n`;
        }
    });
    return buckets;
}

function writeTable(folder, name, buckets) {
    const offsets = Buffer.alloc((BUCKETS + 1) * OFFSET_BYTES);
    let offset = offsets.length;
    buckets.forEach((bucket, number) => {
        offsets.writeUInt32LE(offset, number * OFFSET_BYTES);
        offset += bucket.length;
    });
    offsets.writeUInt32LE(offset, BUCKETS * OFFSET_BYTES);
    const olds = fs.readdirSync(folder).filter(old => old !== name && !old.startsWith(UNFINISHED));
    const unfinished = `${folder}/${UNFINISHED}${process.pid}`;
    fs.writeFileSync(unfinished, Buffer.concat([offsets, Buffer.from(buckets.join(''))]));
    fs.renameSync(unfinished, `${folder}/${name}`);
    olds.forEach(old => {
        try { fs.unlinkSync(`${folder}/${old}`); } catch (e) { /* another process did */ }
    });
}

export default {clientOf};
