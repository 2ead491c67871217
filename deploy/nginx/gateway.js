// What nginx's own directives can't do: look keys up, count, keep TorchServe's tokens, and put its
// errors apart from the handler's. Written for njs 0.7 (Debian 12) and later.
import crypto from 'crypto';
import fs from 'fs';

// A token is renewed when it has less than this left, as scripts/torchserve/management_api.py does. Renewing one
// ends the one before at once; a request that was on its way with it is sent again (see redirect).
const MARGIN_MS = 20000;
// Whoever renews has this long; then another may.
const CLAIM_MS = 5000;
const WINDOW_S = 60;
const REMEMBERED_MS = 1000;
const MOST_TRIES = 4;
const PAUSE_MS = 100;

// With 500 after an accident, with 507 when the kernel ended it.
const WORKER_DIED = '{\n  "code": 500,\n  "type": "InternalServerException",\n  "message": "Worker died."\n}\n';

// Keys are looked up in a table of their SHA-256 sums, which costs the same whatever their number: nginx
// may not spend more time on a wrong key when there are more clients. The table is a file, `tables/<state
// of the key file>`: as njs 0.7 keeps nothing from one request to the next, all worker processes read it.
// It begins with the offsets of its buckets, and a bucket holds the keys whose sums begin alike, each as
// "<sum> <client> <requests a minute>".
const PREFIX = 3;  // hexadecimal digits
const BUCKETS = 4096;
const OFFSET_BYTES = 4;
const NO_RATE_OF_ITS_OWN = '-';
const NO_NUMBER = '?';
// The clock of a file system ticks every few milliseconds. A file that has just changed may change again
// without a trace, so the table made of it is made again after this time.
const SETTLED_MS = 500;

function clientOf(r, key) {
    const sum = crypto.createHash('sha256').update(key).digest('hex');
    let client;
    bucketOf(r, parseInt(sum.slice(0, PREFIX), 16)).split('\n').forEach(line => {
        if (line && sameSum(line, sum) && !client) {
            const words = line.split(' ');
            client = {name: words[1], rate: words[2]};
        }
    });
    // What is no number would be no limit.
    if (client && client.rate === NO_NUMBER) {
        r.error(`keys: ${client.name} is refused: its rate is no number of requests a minute`);
        return undefined;
    }
    return client;
}

// Takes the same time wherever the two differ.
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

// Lines of the key file are a name, a key and, if it has one of its own, requests a minute. Regular
// expressions would take 0.3 ms a line.
function bucketsOf(keys) {
    const buckets = new Array(BUCKETS).fill('');
    keys.split('\t').join(' ').split('\r').join('').split('\n').forEach(line => {
        const words = line.split(' ').filter(word => word);
        if (words.length > 1 && /^[\w-]+$/.test(words[0])) {
            const sum = crypto.createHash('sha256').update(words[1]).digest('hex');
            const rate = words[2] === undefined ? NO_RATE_OF_ITS_OWN
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
    const unfinished = `${folder}/unfinished-${process.pid}`;
    const before = fs.readdirSync(folder);
    fs.writeFileSync(unfinished, Buffer.concat([offsets, Buffer.from(buckets.join(''))]));
    fs.renameSync(unfinished, `${folder}/${name}`);
    before.filter(old => old !== name && !old.startsWith('unfinished')).forEach(old => removeFile(`${folder}/${old}`));
}

function removeFile(path) {
    try { fs.unlinkSync(path); } catch (e) { /* another process did */ }
}

// auth_request: 204 to go on, 403 to end with $refusal; with a body, so that error_page does not apply
// here already.
function identify(r) {
    const key = r.variables.shown_key;
    const client = key && clientOf(r, key);
    r.variables.refusal = client ? '' : key ? 'wrong_key' : 'missing_key';
    r.variables.client = client ? client.name : '';
    if (!client) {
        r.return(403, r.variables.refusal);
    } else if (r.uri === '/_identify' || !isOver(r, client)) {
        r.return(204);
    } else {
        r.variables.refusal = 'rate_limit';
        r.return(403, r.variables.refusal);
    }
}

function isOver(r, client) {
    const limit = Number(client.rate === NO_RATE_OF_ITS_OWN ? r.variables.rate_limit : client.rate);
    const now = Math.floor(Date.now() / 1000);
    const reset = now - now % WINDOW_S + WINDOW_S;
    let used;
    try {
        used = count(`${r.variables.gateway_folder}/counts`, client.name, reset);
    } catch (e) {
        // A full disk costs the count, not the response.
        r.error(`a request of ${client.name} is not counted: ${e.message}`);
        return false;
    }
    r.variables.rate_limit_limit = limit;
    r.variables.rate_limit_remaining = Math.max(0, limit - used);
    r.variables.rate_limit_reset = reset;
    r.variables.retry_after = used > limit ? reset - now : '';
    return used > limit;
}

// The size of a file that only grows is a counter that all worker processes share; njs 0.7 has no other.
// Each period has a folder; the first request of a period removes those before.
function count(folder, name, period) {
    const file = `${folder}/${period}/${name}`;
    try {
        fs.appendFileSync(file, '.');
    } catch (e) {
        if (e.code !== 'ENOENT') {
            throw e;
        }
        makeFolder(folder, String(period), old => old < String(period));
        fs.appendFileSync(file, '.');
    }
    return fs.statSync(file).size;
}

// Makes a folder, and removes others of a kind with their files; says whether this request made it.
function makeFolder(folder, name, isOld) {
    try {
        fs.mkdirSync(`${folder}/${name}`);
    } catch (e) {
        if (e.code === 'EEXIST') {
            return false;
        }
        throw e;
    }
    fs.readdirSync(folder).filter(old => old !== name && isOld(old)).forEach(old => {
        try {
            fs.readdirSync(`${folder}/${old}`).forEach(file => removeFile(`${folder}/${old}/${file}`));
            fs.rmdirSync(`${folder}/${old}`);
        } catch (e) { /* another process did */ }
    });
    return true;
}

// The body has arrived, all of it; only now a machine is taken.
function forward(r) {
    r.internalRedirect('@machines');
}

function triesOf(r) {
    return (r.headersIn['X-Tries'] || '').length;
}

function keysOf(r) {
    return JSON.parse(fs.readFileSync(r.variables.key_file, 'utf8'));
}

// `make stop` lays a file beside the tokens before TorchServe drains.
function isDraining(r) {
    try {
        fs.statSync(`${r.variables.key_file.replace(/[^/]*$/, '')}draining`);
        return true;
    } catch (e) {
        return false;
    }
}

async function tokenOf(r, kind) {
    for (let waited = 0; waited <= CLAIM_MS; waited += PAUSE_MS) {
        const keys = keysOf(r);
        const expires = keys[kind]['expiration time'].slice(0, 19);
        const left = Date.parse(`${expires}Z`) - Date.now();
        if (left <= MARGIN_MS && claim(r, kind, expires, left)) {
            await fromManagement(r, '/token', `type=${kind}`, keys.API.key);
            return keysOf(r)[kind].key;
        }
        if (left > 0) {
            return keys[kind].key;
        }
        await pause(PAUSE_MS);
    }
    throw new Error(`${kind} is not renewed`);
}

function pause(milliseconds) {
    return new Promise(resolve => setTimeout(resolve, milliseconds));
}

// One request renews a token; the others go on with it while it is good, and wait when it is not. Where
// nothing can be written, several may renew it.
function claim(r, kind, expires, left) {
    const name = `${kind}.${expires}.${Math.ceil(left / CLAIM_MS)}`;
    try {
        return makeFolder(`${r.variables.gateway_folder}/renewals`, name, old => old.startsWith(`${kind}.`));
    } catch (e) {
        return true;
    }
}

async function fromManagement(r, path, args, token) {
    r.variables.management_token = token;
    const reply = await r.subrequest(`/_management${path}`, {method: 'GET', args: args});
    if (reply.status !== 200) {
        throw new Error(`${path}: status ${reply.status}`);
    }
    return reply.responseText;
}

// auth_request of a machine: sets $token. A request that was sent with one that had just ended, or while
// TorchServe was writing its file, is back with another mark in X-Tries. While TorchServe drains, nothing
// more is sent there: 401, which another machine may answer instead.
async function authorise(r) {
    if (isDraining(r)) {
        r.return(401);
        return;
    }
    const before = triesOf(r) - 1;
    if (before > 0) {
        await pause(before * PAUSE_MS);
    }
    try {
        r.variables.token = await tokenOf(r, 'inference');
    } catch (e) {
        r.error(`no token: ${e.message}`);
    }
    r.return(204);
}

// TorchServe's /ping is 200 while models load and while workers die again and again.
async function health(r) {
    const ready = isDraining(r) ? 0 : await readyWorkers(r, r.variables.model);
    if (!ready) {
        r.internalRedirect('/_refused/unavailable');
        return;
    }
    r.headersOut['Content-Type'] = 'application/json';
    r.return(200, JSON.stringify({status: 'ready', workers: ready}));
}

// TorchServe has the same 503 for a full queue and for a model without a worker.
async function refuse(r) {
    const ready = await readyWorkers(r, r.variables.asked_model);
    r.internalRedirect(ready ? '/_refused/overloaded' : '/_refused/unavailable');
}

// How many workers of a model are READY. The Management API is asked once a second, and whenever it can't be
// written down.
async function readyWorkers(r, model) {
    const file = `${r.variables.gateway_folder}/readiness/${model.replace('/', ',')}`;
    try {
        const known = Date.now() - fs.statSync(file).mtimeMs < REMEMBERED_MS && fs.readFileSync(file, 'utf8');
        if (known) {
            return Number(known);
        }
    } catch (e) { /* nothing was written */ }
    let ready = 0;
    try {
        const token = await tokenOf(r, 'management');
        const versions = await fromManagement(r, `/models/${model}`, '', token);
        ready = JSON.parse(versions)[0].workers.filter(worker => worker.status === 'READY').length;
    } catch (e) {
        r.error(`no readiness: ${e.message}`);
    }
    try {
        fs.writeFileSync(file, String(ready));
    } catch (e) {
        r.error(`readiness is not remembered: ${e.message}`);
    }
    return ready;
}

// Finds TorchServe's own errors among the statuses that the handler has as well, and tells the public
// side what to do instead of passing them on: ask again, whichever machine, or refuse.
function redirect(r) {
    if (r.status < 400 || r.headersOut['X-Error-Code']) {
        return;
    }
    const died = Number(r.headersOut['Content-Length']) === WORKER_DIED.length;
    const reason = {400: 'unavailable', 413: 'too_large', 500: died ? 'unavailable' : 'form',
        507: died ? 'unavailable' : 'overloaded'}[r.status];
    if (triesOf(r) < MOST_TRIES && (reason === 'unavailable' || reason === 'overloaded')) {
        r.headersOut['X-Accel-Redirect'] = '@machines';
    } else if (reason) {
        r.headersOut['X-Accel-Redirect'] = `/_refused/${reason}`;
    }
}

export default {identify, forward, authorise, health, refuse, redirect};
