/** The key as the browser keeps it: for this tab, or on this device if the user says so. */

const KEY = "cutout-key";

/** @returns {{key: string, remembered: boolean}} */
export function recall() {
  const remembered = guarded(() => localStorage.getItem(KEY));
  return { key: remembered ?? guarded(() => sessionStorage.getItem(KEY)) ?? "", remembered: remembered !== null };
}

export function keep(key, remember) {
  guarded(() => sessionStorage.setItem(KEY, key));
  guarded(() => (remember && key ? localStorage.setItem(KEY, key) : localStorage.removeItem(KEY)));
}

// Where site data is blocked, even to look at the storage throws; then the page goes on without.
function guarded(action) {
  try {
    return action() ?? null;
  } catch {
    return null;
  }
}
