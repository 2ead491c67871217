/** Results and options as the browser keeps them over a reload, in IndexedDB, until they are removed. */

const RESULTS = "results";
const OPTIONS = "options";
const ONLY = 0;

export class ResultStore {
  constructor() {
    this.database = new Promise((resolve, reject) => {
      const opening = indexedDB.open("cutout", 1);
      opening.addEventListener("upgradeneeded", () => {
        opening.result.createObjectStore(RESULTS, { keyPath: "id" });
        opening.result.createObjectStore(OPTIONS);
      });
      opening.addEventListener("success", () => resolve(opening.result));
      opening.addEventListener("error", () => reject(opening.error));
    });
    this.database.catch(() => {});
  }

  /** @returns {Promise<object[]>} In the order of their ids. */
  async results() {
    return (await this.ask(RESULTS, "readonly", (store) => store.getAll())) ?? [];
  }

  put(record) {
    return this.ask(RESULTS, "readwrite", (store) => store.put(record));
  }

  delete(id) {
    return this.ask(RESULTS, "readwrite", (store) => store.delete(id));
  }

  options() {
    return this.ask(OPTIONS, "readonly", (store) => store.get(ONLY));
  }

  putOptions(values) {
    return this.ask(OPTIONS, "readwrite", (store) => store.put(values, ONLY));
  }

  // Where site data is blocked or the disk is full, the page works without: nothing is kept then.
  async ask(name, mode, action) {
    try {
      const request = action((await this.database).transaction(name, mode).objectStore(name));
      return await new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error));
      });
    } catch {
      return undefined;
    }
  }
}
