// What nginx's own directives can't do: look keys up, count, keep TorchServe's tokens, and put its
// errors apart from the handler's. Written for njs 0.7 (Debian 12) and later.
import fs from 'fs';

// A token is renewed when it has less than this left, as scripts/torchserve/management_api.py does. Renewing one
// ends the one before at once; a request that was on its way with it is sent again (see redirect).
const MARGIN_MS = 20000;
// Whoever renews has this long; then another may.
const CLAIM_MS = 5000;
const WINDOW_S = 60;
const MOST_TRIES = 4;
const PAUSE_MS = 100;

// With 500 after an accident, with 507 when the kernel ended it.
const WORKER_DIED = '{\n  "code": 500,\n  "type": "InternalServerException",\n  "message": "Worker died."\n}\n';

function presentedKey(r) {
    const bearer = /^Bearer +(\S+)$/i.exec(r.headersIn['Authorization'] || '');
    return r.headersIn['X-Api-Key'] || (bearer ? bearer[1] : '');
}

// A line of the key file: name, key and, if it has one of its own, requests a minute.
function clientOf(r, key) {
    const lines = fs.readFileSync(`${r.variables.gateway_folder}/keys`, 'utf8').split('\n');
    const client = lines.map(line => line.trim().split(/\s+/))
        .find(words => words.length > 1 && /^[\w-]+$/.test(words[0]) && words[1] === key);
    // What is no number would be no limit.
    if (client && client.length > 2 && !/^\d+$/.test(client[2])) {
        r.error(`keys: ${client[0]} is refused: its rate is no number of requests a minute`);
        return undefined;
    }
    return client;
}

// auth_request: 204 to go on, 403 to end with $refusal; with a body, so that error_page does not apply
// here already.
function identify(r) {
    const key = presentedKey(r);
    const client = key && clientOf(r, key);
    r.variables.refusal = client ? '' : key ? 'wrong_key' : 'missing_key';
    r.variables.client = client ? client[0] : '';
    if (!client) {
        r.return(403, r.variables.refusal);
    } else if (r.uri === '/_identify' || !isOver(r, client)) {
        r.return(204);
    } else {
        r.variables.refusal = 'rate_limit';
        r.return(403, r.variables.refusal);
    }
}

// The size of a file that only grows is a counter that all worker processes share; njs 0.7 has no other.
function isOver(r, client) {
    const limit = Number(client[2] || r.variables.rate_limit);
    const now = Math.floor(Date.now() / 1000);
    const reset = now - now % WINDOW_S + WINDOW_S;
    const used = mark(r, 'counts', client[0], reset, 'a');
    r.variables.rate_limit_limit = limit;
    r.variables.rate_limit_remaining = Math.max(0, limit - used);
    r.variables.rate_limit_reset = reset;
    r.variables.retry_after = used > limit ? reset - now : '';
    return used > limit;
}

// Writes a byte into <group>/<name>.<period>, and removes those of periods before; returns the bytes.
function mark(r, group, name, period, flag) {
    const folder = `${r.variables.gateway_folder}/${group}`;
    const file = `${name}.${period}`;
    fs.appendFileSync(`${folder}/${file}`, '.', {flag: flag});
    const marks = fs.statSync(`${folder}/${file}`).size;
    if (marks === 1) {
        const olds = fs.readdirSync(folder).filter(old => old.startsWith(`${name}.`) && old !== file);
        olds.forEach(old => {
            try { fs.unlinkSync(`${folder}/${old}`); } catch (e) { /* another process did */ }
        });
    }
    return marks;
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

// One request renews a token; the others go on with it while it is good, and wait when it is not.
function claim(r, kind, expires, left) {
    try {
        return mark(r, 'renewals', kind, `${expires}.${Math.ceil(left / CLAIM_MS)}`, 'ax') === 1;
    } catch (e) {
        return false;
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
    if (isDraining(r)) {
        r.internalRedirect('/_refused/overloaded');
        return;
    }
    let ready = 0;
    try {
        const token = await tokenOf(r, 'management');
        const versions = await fromManagement(r, `/models/${r.variables.model}`, '', token);
        ready = JSON.parse(versions)[0].workers.filter(worker => worker.status === 'READY').length;
    } catch (e) {
        r.error(`no readiness: ${e.message}`);
    }
    r.headersOut['Content-Type'] = 'application/json';
    r.return(ready ? 200 : 503, JSON.stringify({status: ready ? 'ready' : 'not ready', workers: ready}));
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

export default {identify, forward, authorise, health, redirect};
