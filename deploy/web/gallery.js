/** The lists of cards: results in one, what failed in a short one. */

export class Gallery {
  /**
   * @param {HTMLElement} results
   * @param {(cards: import("./card.js").Card[]) => void} retry
   */
  constructor(results, retry) {
    this.list = results.querySelector("#cards");
    this.failures = results.querySelector("#failures");
    this.failed = [];
    this.failures.querySelector(".retry-all").addEventListener("click", () => retry(this.failed.filter((card) => card.mayRetry)));
  }

  /** @param {import("./card.js").Card[]} cards In their order. */
  show(cards) {
    this.failed = cards.filter((card) => card.state === "failed");
    this.arrange(this.list, cards.filter((card) => card.state !== "failed"));
    this.arrange(this.failures.querySelector("ul"), this.failed);
    const count = this.failed.length;
    // Where there is a result, it comes first.
    if (this.failures.hidden) this.failures.open = count === cards.length;
    this.failures.hidden = count === 0;
    if (count === 0) return;
    this.failures.querySelector("summary").textContent = count === 1 ? "1 photo failed" : `${count} photos failed`;
    this.failures.querySelector(".retry-all").hidden = this.failed.filter((card) => card.mayRetry).length < 2;
  }

  // What is in its place stays there: an element that is moved loses the focus.
  arrange(list, cards) {
    let place = list.firstElementChild;
    for (const { element } of cards) {
      if (element === place) place = place.nextElementSibling;
      else list.insertBefore(element, place);
    }
  }
}
