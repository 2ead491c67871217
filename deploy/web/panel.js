/** The options' place: a side panel where there is room, else a sheet above the page. */

const WIDE = matchMedia("(min-width: 64rem)");

export class Panel {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {HTMLButtonElement} button
   */
  constructor(dialog, button) {
    this.dialog = dialog;
    this.button = button;
    this.isWanted = true;
    button.addEventListener("click", () => (dialog.open ? this.close() : this.open()));
    dialog.querySelector(".close").addEventListener("click", () => this.close());
    dialog.addEventListener("close", () => this.show());
    // A click beside the sheet.
    dialog.addEventListener("click", (event) => event.target === dialog && this.close());
    WIDE.addEventListener("change", () => {
      dialog.close();
      this.offer();
    });
  }

  /** Open it where it takes no room from the results, unless the user has closed it. */
  offer() {
    if (!WIDE.matches || !this.isWanted || this.dialog.open) return;
    // show() would take the focus.
    this.dialog.open = true;
    this.show();
  }

  open() {
    this.isWanted = true;
    if (WIDE.matches) this.offer();
    else if (!this.dialog.open) this.dialog.showModal();
    this.show();
  }

  close() {
    if (WIDE.matches) this.isWanted = false;
    this.dialog.close();
    this.button.focus();
  }

  /** Close it where it hides the results. */
  yield() {
    if (!WIDE.matches) this.dialog.close();
  }

  show() {
    this.button.setAttribute("aria-expanded", this.dialog.open);
    document.body.classList.toggle("with-panel", this.dialog.open && WIDE.matches);
  }
}
