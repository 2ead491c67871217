/** The page: photos in, options, results out. The steps are modules of their own. */

import { Access } from "./access.js";
import { copy } from "./clipboard.js";
import { FramePreview } from "./frame_preview.js";
import { Gallery } from "./gallery.js";
import { Intake } from "./intake.js";
import { Options } from "./options.js";
import { Outage } from "./outage.js";
import { Panel } from "./panel.js";
import { Queue } from "./queue.js";
import { Removal } from "./removal.js";
import { ResultStore } from "./result_store.js";
import { Viewer } from "./viewer.js";
import { ZipError, distinctNames, zipOf } from "./zip.js";

const find = (id) => document.getElementById(id);
const NOTICE_MS = 8000;
let notice;

const store = new ResultStore();
const viewer = new Viewer(find("viewer"));
const panel = new Panel(find("panel"), find("options-button"));
const outage = new Outage(find("outage"), (server) => {
  options.offer(server);
  access.checkLate();
  queue.next();
});
const access = new Access(find("access"), find("key-button"), {
  known: () => queue.next(),
  refused: (refusal) => outage.begin(refusal.cause, refusal.pause),
});
const options = new Options(find("options"), {
  changed: () => {
    store.putOptions(options.values());
    queue.next();
  },
  say,
});
const frame = new FramePreview(find("frame"), (area) => options.setArea(area));
const gallery = new Gallery(find("results"), (cards) => queue.retry(cards));
const queue = new Queue(find("card").content, store, {
  request,
  refused,
  succeeded: () => outage.forget(),
  changed: show,
  enlarge: (card) => viewer.open(card),
  copy: copyResult,
  remove: (cards) => removal.remove(cards),
});
const removal = new Removal(find("undo"), queue, { shown: find("results-title"), emptied: find("pick") });
new Intake(find("pick"), { take, say });

function take(files) {
  say("");
  removal.forget();
  queue.add(files);
  panel.offer();
  if (!options.isValid) checkOptions();
  find(access.isKnown ? "results" : "access").scrollIntoView({ block: "nearest" });
}

function say(words) {
  find("notice").textContent = words;
  clearTimeout(notice);
  notice = setTimeout(() => (find("notice").textContent = ""), NOTICE_MS);
}

// Written anew, the same words would be laid out and read out again.
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** What to ask for now; null: the key, the options or the server are not ready. */
function request() {
  if (outage.lasts || !access.isKnown || !options.isValid) return null;
  return { fields: options.fields(), model: options.model, signature: options.signature(), key: access.key };
}

function refused({ cause, pause }, { key, model }) {
  if (cause === "key") access.refuse(key);
  else if (cause === "model") options.withdraw(model);
  else if (!outage.lasts) outage.begin(cause, pause);
}

function checkOptions() {
  if (!options.isValid) panel.open();
  return options.check();
}

function show() {
  const { cards } = queue;
  if (options.isValid) queue.markOutdated(options.signature());
  gallery.show(cards);
  const done = queue.in("done").length;
  const failed = queue.in("failed").length;
  document.body.classList.toggle("with-photos", cards.length > 0);
  find("results").hidden = cards.length === 0;
  write(find("pick-title"), cards.length ? "Add photos" : "Remove the background");
  find("all").disabled = !cards.some((card) => card.result);
  const count = `${done} of ${cards.length} done${failed ? `, ${failed} failed` : ""}`;
  write(find("count"), count);
  if (cards.length > 0 && done + failed === cards.length) write(find("told"), count);
  showWaiting(queue.in("waiting").length);
  showUpdate();
  const shown = cards.find((card) => card.photo);
  if (!options.isValid) return;
  frame.show(shown ? { photo: shown.photo, cutout: shown.whole, subject: shown.subject } : null, options.fields());
}

function showWaiting(count) {
  const photos = count === 1 ? "1 photo waits" : `${count} photos wait`;
  const reason = !access.isKnown ? "for the API key" : !options.isValid ? "until the marked option is corrected" : "";
  write(find("waiting"), count && reason ? `${photos} ${reason}.` : "");
}

function showUpdate() {
  const count = queue.cards.filter((card) => card.outdated || card.refusal?.cause === "options")
    .filter((card) => card.state === "done" || card.state === "failed").length;
  const results = count === 1 ? "1 result" : `${count} results`;
  for (const bar of document.querySelectorAll(".update")) {
    const button = bar.querySelector("button:last-child");
    write(button, `Update ${results}`);
    button.hidden = count === 0;
    const words = bar.querySelector("p");
    if (!words) continue;
    bar.hidden = count === 0;
    write(words, "The options have changed.");
  }
}

for (const button of document.querySelectorAll(".update button:last-child")) {
  button.addEventListener("click", () => {
    if (!checkOptions()) return;
    panel.yield();
    queue.update();
  });
}

find("clear").addEventListener("click", () => removal.remove([...queue.cards]));

// Results out.
async function copyResult(card) {
  try {
    await copy(card.result.blob);
    say(`${card.name} is on the clipboard.`);
  } catch {
    say("The browser does not allow copying here. Download the result instead.");
  }
}
find("all").addEventListener("click", async () => {
  say("");
  try {
    await downloadAll(queue.cards.filter((card) => card.result));
  } catch (error) {
    const known = error instanceof ZipError;
    say(known ? error.message : "The ZIP file can't be made. Download the results one by one.");
    if (!known) console.error(error);
  }
});
async function downloadAll(done) {
  const names = distinctNames(done.map((card) => card.name));
  const zip = await zipOf(done.map((card, index) => ({ name: names[index], blob: card.result.blob })));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(zip);
  link.download = "cutouts.zip";
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

addEventListener("beforeunload", (event) => {
  if (queue.in("waiting").length + queue.in("working").length > 0) event.preventDefault();
});

async function start() {
  const values = await store.options();
  if (values) options.restore(values);
  await Promise.all([queue.restore(), access.check()]);
  if (queue.cards.length) panel.offer();
  if (!outage.lasts) outage.tryNow();
}
start();
