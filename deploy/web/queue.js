/** The pictures of the page, a few under way at once. */

import { Card } from "./card.js";

/** More would only wait in the server's queue instead. */
const AT_ONCE = 3;

export class Queue {
  /**
   * @param {DocumentFragment} template
   * @param {HTMLElement} list
   * @param {() => {fields: FormData, key: string}} ask What to ask for, when a picture's turn comes.
   * @param {() => void} changed
   */
  constructor(template, list, ask, changed) {
    this.template = template;
    this.list = list;
    this.ask = ask;
    this.changed = changed;
    this.cards = [];
  }

  add(files) {
    for (const file of files) {
      const card = new Card(file, this.template, {
        changed: () => this.next(),
        removed: (gone) => this.forget(gone),
        retry: (again) => {
          again.wait();
          this.next();
        },
      });
      this.cards.push(card);
      this.list.append(card.element);
    }
    this.next();
  }

  again() {
    for (const card of this.cards) card.wait();
    this.next();
  }

  clear() {
    for (const card of [...this.cards]) card.remove();
  }

  in(state) {
    return this.cards.filter((card) => card.state === state);
  }

  forget(gone) {
    this.cards = this.cards.filter((card) => card !== gone);
    this.next();
  }

  next() {
    const free = AT_ONCE - this.in("working").length;
    for (const card of this.in("waiting").slice(0, Math.max(0, free))) {
      const { fields, key } = this.ask();
      card.run(fields, key);
    }
    this.changed();
  }
}
