/** Photos taken off the page, and brought back by "Undo". */

export class Removal {
  /**
   * @param {HTMLElement} toast
   * @param {import("./queue.js").Queue} queue
   * @param {{shown: HTMLElement, emptied: HTMLElement}} places Where the focus goes: after "Undo", and after
   *   the toast was dismissed.
   */
  constructor(toast, queue, places) {
    this.toast = toast;
    this.queue = queue;
    this.undo = toast.querySelector(".undo");
    this.undo.addEventListener("click", () => {
      toast.hidden = true;
      queue.undo();
      places.shown.focus();
    });
    toast.querySelector(".dismiss").addEventListener("click", () => {
      this.forget();
      places.emptied.focus({ preventScroll: true });
    });
  }

  /** @param {import("./card.js").Card[]} cards At least one. */
  remove(cards) {
    const focused = cards.find(({ element }) => element.contains(document.activeElement));
    const neighbour = focused && (focused.element.nextElementSibling ?? focused.element.previousElementSibling);
    this.queue.remove(cards);
    const [{ file }] = cards;
    this.toast.querySelector("p").textContent =
      cards.length === 1 ? `${file.name} was removed.` : `${cards.length} photos were removed.`;
    this.toast.hidden = false;
    // Without this, keyboard users would start at the top of the page again.
    if (focused || this.queue.cards.length === 0) (neighbour?.querySelector(".remove") ?? this.undo).focus();
  }

  /** From now on they can't be brought back. */
  forget() {
    this.toast.hidden = true;
    this.queue.forget();
  }
}
