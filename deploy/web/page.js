/** The page: pictures dropped, pasted or chosen; options; results. The steps are modules of their own. */

import { isKnown } from "./cutout_request.js";
import { keep, recall } from "./key_store.js";
import { Options } from "./options.js";
import { Queue } from "./queue.js";
import { ZipError, distinctNames, zipOf } from "./zip.js";

const find = (id) => document.getElementById(id);
const options = new Options(find("options"));
const queue = new Queue(
  find("card").content,
  find("cards"),
  () => ({ fields: options.fields(), key: find("key").value.trim() }),
  showQueue,
);

// Pictures in: chosen, dropped anywhere, pasted.
find("files").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});
addEventListener("paste", (event) => take(event.clipboardData.files));
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("over");
  });
}
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("over");
});
addEventListener("drop", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.remove("over");
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  const files = items.filter((item) => !item.webkitGetAsEntry()?.isDirectory);
  find("notice").textContent = files.length < items.length ? "Folders are left out: drop the pictures in them." : "";
  take(files.map((item) => item.getAsFile()));
});

function take(files) {
  if (files.length === 0 || !options.isValid()) return;
  if (find("key").value.trim() === "") {
    sayKey("A key is needed first: make gateway-key prints one.", "bad");
    find("key").focus();
    return;
  }
  queue.add([...files]);
}

// What there is to do with them.
find("again").addEventListener("click", () => options.isValid() && queue.again());
find("clear").addEventListener("click", () => {
  queue.clear();
  find("pick").focus();
});
find("all").addEventListener("click", async () => {
  find("notice").textContent = "";
  try {
    await downloadAll();
  } catch (error) {
    const known = error instanceof ZipError;
    find("notice").textContent = known ? error.message : "The zip can't be made: download the pictures by themselves.";
    if (!known) console.error(error);
  }
});
async function downloadAll() {
  const done = queue.in("done");
  const names = distinctNames(done.map((card) => card.name));
  const zip = await zipOf(done.map((card, index) => ({ name: names[index], blob: card.cutout.blob })));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(zip);
  link.download = "cutouts.zip";
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
function showQueue() {
  const all = queue.cards.length;
  const done = queue.in("done").length;
  const failed = queue.in("failed").length;
  find("results").hidden = all === 0;
  find("again").disabled = all === 0;
  find("all").disabled = done === 0;
  find("count").textContent = `${done} of ${all} done${failed ? `, ${failed} failed` : ""}`;
  if (all > 0 && done + failed === all) find("told").textContent = find("count").textContent;
}

// What lies under the cutouts.
const under = { checks: "", colour: "", picture: "" };
find("under-colour").addEventListener("input", () => look("colour"));
find("under-file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (!file) return;
  URL.revokeObjectURL(under.picture);
  under.picture = URL.createObjectURL(file);
  look("picture");
});
for (const choice of document.querySelectorAll("input[name=under]")) {
  choice.addEventListener("change", () => {
    if (choice.value === "picture" && !under.picture) find("under-file").click();
    look(choice.value);
  });
}

function look(at) {
  document.querySelector(`input[name=under][value=${at}]`).checked = true;
  const value = {
    checks: null,
    colour: find("under-colour").value,
    picture: under.picture ? `center / cover url("${under.picture}")` : null,
  }[at];
  if (value === null) find("cards").style.removeProperty("--under");
  else find("cards").style.setProperty("--under", value);
}

// The key.
const kept = recall();
find("key").value = kept.key;
find("remember").checked = kept.remembered;
find("access").addEventListener("submit", (event) => {
  event.preventDefault();
  checkKey();
});
find("key").addEventListener("change", checkKey);
find("remember").addEventListener("change", keepKey);
if (find("key").value) checkKey();

function keepKey() {
  keep(find("key").value.trim(), find("remember").checked);
}

async function checkKey() {
  keepKey();
  const key = find("key").value.trim();
  if (!key) {
    sayKey("");
    return;
  }
  try {
    if (await isKnown(key)) sayKey("The key opens the server.", "good");
    else sayKey("The server does not know this key.", "bad");
  } catch {
    sayKey("The server can't be reached.", "bad");
  }
}

function sayKey(words, mood = "") {
  find("access-state").textContent = words;
  find("access-state").className = `state ${mood}`;
}
