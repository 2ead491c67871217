// What nginx's directives can't do: look up keys, count requests, add TorchServe's tokens, and distinguish its
// errors from the handler's. Written for njs 0.7 (Debian 12) and later.
import fs from 'fs';
import keys from './keys.js';

// A token is renewed when less than this is left, as in scripts/torchserve/management_api.py. A renewal ends the
// old token at once; a request that was sent with the old one is sent again (see redirect).
const MARGIN_MS = 20000;
// After this time another request may try to renew it.
const CLAIM_MS = 5000;
const WINDOW_S = 60;
const REMEMBERED_MS = 1000;
const MOST_TRIES = 4;
const PAUSE_MS = 100;
// TorchServe lists no more at once.
const MODELS_PER_PAGE = 100;
// An error names no more: they travel in a header, which has a limit.
const MOST_NAMED = 20;

// TorchServe's body when a worker dies: 500, or 507 if the kernel ended it for lack of memory.
const WORKER_DIED = '{\n  "code": 500,\n  "type": "InternalServerException",\n  "message": "Worker died."\n}\n';

// auth_request: 204 continues, 403 ends with $refusal. It has a body, so that error_page does not apply here.
function identify(r) {
    const key = r.variables.shown_key;
    const client = key && keys.clientOf(r, key);
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
    const limit = Number(client.rate || r.variables.rate_limit);
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

// A counter that all worker processes share: the size of a file that only grows; njs 0.7 has no other. Each
// period has a folder; the first request of a period removes older ones.
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

// Makes a folder and removes old ones with their files; returns whether this request made it.
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
            fs.readdirSync(`${folder}/${old}`).forEach(file => fs.unlinkSync(`${folder}/${old}/${file}`));
            fs.rmdirSync(`${folder}/${old}`);
        } catch (e) { /* another process did */ }
    });
    return true;
}

// Called when the whole body has arrived: sends the request to a machine.
function forward(r) {
    r.internalRedirect('@machines');
}

function triesOf(r) {
    return (r.headersIn['X-Tries'] || '').length;
}

function tokensOf(r) {
    return JSON.parse(fs.readFileSync(r.variables.key_file, 'utf8'));
}

// `make stop` writes a file beside the tokens before TorchServe drains. The file stays until the next start.
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
        const tokens = tokensOf(r);
        const expires = tokens[kind]['expiration time'].slice(0, 19);
        const left = Date.parse(`${expires}Z`) - Date.now();
        if (left <= MARGIN_MS && claim(r, kind, expires, left)) {
            await fromManagement(r, '/token', `type=${kind}`, tokens.API.key);
            return tokensOf(r)[kind].key;
        }
        if (left > 0) {
            return tokens[kind].key;
        }
        await pause(PAUSE_MS);
    }
    throw new Error(`${kind} is not renewed`);
}

function pause(milliseconds) {
    return new Promise(resolve => setTimeout(resolve, milliseconds));
}

// One request renews a token. The others use the old one while it is valid, else they wait. If no file can be
// written, several requests may renew it.
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

// auth_request of a machine: sets $token. A request that was sent with an expired token, or while TorchServe
// wrote its file, returns with one more mark in X-Tries. While TorchServe drains, it gets no requests: 401, and
// another machine may take this one.
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
    const models = await remembered(r, ',models', servedModels, '');
    r.headersOut['Content-Type'] = 'application/json';
    r.return(200, JSON.stringify({status: 'ready', workers: ready, model: r.variables.model,
        models: models ? models.split(' ') : []}));
}

// TorchServe sends the same 503 for a full queue and for a model without a worker.
async function refuse(r) {
    const ready = await readyWorkers(r, r.variables.asked_model);
    r.internalRedirect(ready ? '/_refused/overloaded' : '/_refused/unavailable');
}

// Refuses an unknown model; the error lists the models that are served.
async function refuseModel(r) {
    const models = await remembered(r, ',models', servedModels, '');
    const names = models ? models.split(' ') : ['none'];
    const others = names.length - MOST_NAMED;
    r.variables.models = names.slice(0, MOST_NAMED).join(', ') + (others > 0 ? ` and ${others} more` : '');
    r.internalRedirect('/_refused/no_model');
}

// Returns how many workers of a model are READY.
async function readyWorkers(r, model) {
    const ready = await remembered(r, model.replace('/', ','), async token => {
        const versions = await fromManagement(r, `/models/${model}`, '', token);
        return String(JSON.parse(versions)[0].workers.filter(worker => worker.status === 'READY').length);
    }, '0');
    return Number(ready);
}

async function servedModels(token, r) {
    const names = [];
    for (let next = '0'; next;) {
        const served = await fromManagement(r, '/models', `limit=${MODELS_PER_PAGE}&next_page_token=${next}`, token);
        const page = JSON.parse(served);
        page.models.forEach(model => names.push(model.modelName));
        next = page.nextPageToken;
    }
    return names.sort().join(' ');
}

// Returns as text what is read from the Management API, or `nothing` where it can't be read. It holds for a second;
// where it can't be written, it is read for each request.
async function remembered(r, name, read, nothing) {
    const file = `${r.variables.gateway_folder}/readiness/${name}`;
    try {
        const known = Date.now() - fs.statSync(file).mtimeMs < REMEMBERED_MS && fs.readFileSync(file, 'utf8');
        if (known) {
            return known;
        }
    } catch (e) { /* nothing was written */ }
    let found = nothing;
    try {
        const token = await tokenOf(r, 'management');
        found = await read(token, r);
    } catch (e) {
        r.error(`no readiness: ${e.message}`);
    }
    try {
        fs.writeFileSync(file, found);
    } catch (e) {
        r.error(`readiness is not remembered: ${e.message}`);
    }
    return found;
}

// Finds TorchServe's errors among the statuses that the handler also uses. The public side then sends the
// request again, to any machine, or refuses it.
function redirect(r) {
    if (r.status < 400 || r.headersOut['X-Error-Code']) {
        return;
    }
    const died = Number(r.headersOut['Content-Length']) === WORKER_DIED.length;
    // TorchServe's 403 means an unknown charset in a form; nginx's own comes from ALLOW.
    const charset = r.variables.upstream_status === '403' && 'form';
    const reason = {400: 'unavailable', 403: charset, 413: 'too_large', 500: died ? 'unavailable' : 'form',
        507: died ? 'unavailable' : 'overloaded'}[r.status];
    if (triesOf(r) < MOST_TRIES && (reason === 'unavailable' || reason === 'overloaded')) {
        r.headersOut['X-Accel-Redirect'] = '@machines';
    } else if (reason) {
        r.headersOut['X-Accel-Redirect'] = `/_refused/${reason}`;
    }
}

export default {identify, forward, authorise, health, refuse, refuseModel, redirect};
