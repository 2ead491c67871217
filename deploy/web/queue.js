/** The photos of the page, a few under way at once. */

import { Card } from "./card.js";

/** More would only wait in the server's queue instead. */
const AT_ONCE = 3;

export class Queue {
  /**
   * @param {DocumentFragment} template
   * @param {import("./result_store.js").ResultStore} store
   * @param {{
   *   request: () => ?{fields: FormData, model: string, signature: string, key: string},
   *   refused: (refusal: Error, request: object) => void, succeeded: () => void, changed: () => void,
   *   enlarge: (card: Card) => void, copy: (card: Card) => void,
   * }} owner `request` says what to ask for when a photo's turn comes; null: nothing can be sent now.
   */
  constructor(template, store, owner) {
    this.template = template;
    this.store = store;
    this.owner = owner;
    this.cards = [];
    this.removed = [];
    this.nextId = Date.now();
  }

  add(files) {
    for (const file of files) this.insert(this.card(this.nextId++, file));
    this.next();
  }

  /** Show what the store has kept. */
  async restore() {
    const records = await this.store.results();
    for (const record of records) {
      const card = this.card(record.id, record.file);
      this.insert(card);
      card.restore(record);
    }
    this.owner.changed();
    await this.cards[0]?.photoMade;
    this.owner.changed();
  }

  /** Cut out again what has a result of other options, and what failed for its options. */
  update() {
    for (const card of this.cards) {
      if (!card.outdated && card.refusal?.cause !== "options") continue;
      card.stop(); // it may be under way, with the options of before
      card.wait();
    }
    this.next();
  }

  retry(cards) {
    for (const card of cards) card.wait();
    this.next();
  }

  /** Take cards off the page; undo() brings them back until others are removed. */
  remove(cards) {
    this.forget();
    for (const card of cards) {
      card.stop();
      card.element.remove();
      this.store.delete(card.id);
    }
    this.removed = cards;
    this.cards = this.cards.filter((card) => !cards.includes(card));
    this.next();
  }

  undo() {
    for (const card of this.removed) {
      this.insert(card);
      if (card.result) this.store.put(card.record());
    }
    this.removed = [];
    this.next();
  }

  forget() {
    for (const card of this.removed) card.dispose();
    this.removed = [];
  }

  in(state) {
    return this.cards.filter((card) => card.state === state);
  }

  markOutdated(signature) {
    for (const card of this.cards) card.setOutdated(card.result !== null && card.result.signature !== signature);
  }

  next() {
    const free = AT_ONCE - this.in("working").length;
    const waiting = this.in("waiting").slice(0, Math.max(0, free));
    const request = waiting.length > 0 ? this.owner.request() : null;
    if (request) for (const card of waiting) this.run(card, request);
    this.owner.changed();
  }

  async run(card, request) {
    const refusal = await card.run(request);
    const isHere = this.cards.includes(card);
    if (refusal) this.owner.refused(refusal, request);
    else if (isHere && card.state === "done" && !card.refusal) {
      this.owner.succeeded();
      this.store.put(card.record());
    }
    this.next();
  }

  card(id, file) {
    return new Card(id, file, this.template, {
      enlarge: this.owner.enlarge,
      copy: this.owner.copy,
      retry: (card) => this.retry([card]),
      remove: (card) => this.owner.remove([card]),
    });
  }

  insert(card) {
    this.cards.push(card);
    this.cards.sort((one, other) => one.id - other.id);
  }
}
