/** Photo and result, one on the other, with a handle between them. */

export class Comparison {
  /**
   * @param {HTMLElement} stage With the images .before and .after.
   * @param {HTMLInputElement} wipe
   */
  constructor(stage, wipe) {
    this.stage = stage;
    this.wipe = wipe;
    wipe.addEventListener("input", () => this.move());
  }

  /**
   * @param {{before: ?string, after: ?string, width: number, height: number}} pictures
   *   Addresses; null where there is nothing to show.
   */
  show({ before, after, width, height }) {
    for (const [selector, address] of [[".before", before], [".after", after]]) {
      const image = this.stage.querySelector(selector);
      image.hidden = address === null;
      if (address === null) image.removeAttribute("src");
      else if (image.src !== address) image.src = address;
    }
    this.stage.hidden = before === null && after === null;
    this.stage.style.setProperty("--ratio", width / height);
    const both = before !== null && after !== null;
    this.wipe.hidden = !both;
    this.stage.classList.toggle("comparing", both);
    this.move();
  }

  /** Put the border between photo and result at a share of the stage: by default where the handle is. */
  move(percent = Number(this.wipe.value)) {
    this.stage.style.setProperty("--wipe", `${percent}%`);
    const value = Number(this.wipe.value);
    this.wipe.setAttribute("aria-valuetext", `${value} % photo, ${100 - value} % result`);
  }
}
