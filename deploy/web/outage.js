/** A time in which nothing is sent: the server is away, starting, full, or the key's rate is used up. */

import { readiness } from "./cutout_request.js";

const SENTENCES = {
  away: "The server can't be reached.",
  offline: "This device is offline.",
  unavailable: "The server is starting, stopping or being repaired.",
  full: "The server is busy: too many photos are waiting.",
  rate: "This key has reached its limit of photos per minute.",
};
const LONGEST_PAUSE_S = 15;

export class Outage {
  /**
   * @param {HTMLElement} banner
   * @param {(server: {model: string, models: string[]}) => void} ended
   */
  constructor(banner, ended) {
    this.banner = banner;
    this.ended = ended;
    this.cause = "";
    this.attempts = 0;
    this.clock = undefined;
    this.isTrying = false;
    this.countdown = banner.querySelector(".countdown");
    banner.querySelector("button").addEventListener("click", () => this.tryNow());
    addEventListener("online", () => this.lasts && this.tryNow());
  }

  get lasts() {
    return this.cause !== "";
  }

  /**
   * Send nothing for a while; then try again, a little later each time.
   *
   * @param {string} cause
   * @param {number} pause Seconds that the server asks for; 0: none.
   */
  begin(cause, pause = 0) {
    this.cause = cause;
    const left = Math.max(pause, Math.min(LONGEST_PAUSE_S, 2 ** this.attempts));
    this.attempts += 1;
    this.banner.hidden = false;
    const sentence = SENTENCES[cause === "away" && !navigator.onLine ? "offline" : cause] ?? SENTENCES.unavailable;
    const words = this.banner.querySelector(".words");
    // Written anew, the same words would be read out again.
    if (words.textContent !== sentence) words.textContent = sentence;
    this.countDown(left);
  }

  /** A photo was cut out: the next outage starts with a short pause. */
  forget() {
    this.attempts = 0;
  }

  countDown(left) {
    clearInterval(this.clock);
    const until = Date.now() + left * 1000;
    const show = () => {
      const seconds = Math.ceil((until - Date.now()) / 1000);
      this.countdown.textContent = `Next try in ${Math.max(0, seconds)} s.`;
      if (seconds <= 0) this.tryNow();
    };
    this.clock = setInterval(show, 1000);
    show();
  }

  async tryNow() {
    if (this.isTrying) return;
    this.isTrying = true;
    clearInterval(this.clock);
    this.countdown.textContent = "Trying now.";
    // It is cheaper to ask for the server's state than to send a large photo in vain.
    const server = await readiness();
    this.isTrying = false;
    if (server.cause) {
      this.begin(server.cause);
      return;
    }
    clearInterval(this.clock); // a photo may have met the outage meanwhile
    this.cause = "";
    this.banner.hidden = true;
    this.ended(server);
  }
}
