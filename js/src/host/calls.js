// Asking the kernel: one request under way at a time, with a word to the reader if no answer comes. Hosts
// lose messages: what is not answered is asked again.

import { NO_KERNEL } from "./page_model.js";

const WAITING_AFTER = 300;
export const SILENT_AFTER = 10_000;
export const AGAIN_AFTER = 5000;
/** What is said after silence. */
export const SILENT = "The kernel does not answer: run the cell again.";

let numbers = 0;

export class Calls {
  /** What is to be answered. @type {Record<string, unknown> | undefined} */
  #request;
  /** Under which numbers it was asked. @type {Set<string>} */
  #ids = new Set();
  #refused = false;
  /** @type {ReturnType<typeof setTimeout>[]} */
  #timers = [];
  #onReply;
  #onArrival;
  #again;
  #silence;
  /** What to tell a person about the kernel; empty while all is well. */
  notice = "";

  /**
   * @param {import("./model.js").Model} model
   * @param {(reply: any, buffers: any[]) => void} onReply keeps what has come
   * @param {() => void} onArrival is told that there is something new to show
   * @param {number} again milliseconds after which to ask again what was refused
   * @param {number} silence milliseconds after which to ask again what was not answered; then after twice
   *   as many, since a kernel that is busy answers them all
   */
  constructor(model, onReply, onArrival, again = AGAIN_AFTER, silence = SILENT_AFTER) {
    this.#again = again;
    this.#silence = silence;
    this.model = model;
    this.#onReply = onReply;
    this.#onArrival = onArrival;
    model.on("msg:custom", this.#receive);
  }

  /** Whether an answer is due. */
  get waiting() {
    return this.#request !== undefined;
  }

  dispose() {
    this.model.off("msg:custom", this.#receive);
    this.#timers.forEach(clearTimeout);
  }

  /**
   * Ask, unless an answer is still due; tell whether it was asked.
   * @param {Record<string, unknown> | undefined} request undefined if there is nothing to ask for
   */
  ask(request) {
    if (!request || this.#request || this.#refused) return false;
    this.#request = request;
    return this.#send(this.#silence);
  }

  /** @param {number} silence milliseconds after which to send it again */
  #send(silence) {
    const id = `${++numbers}-${Math.random().toString(36).slice(2)}`;
    this.#ids.add(id);
    try {
      this.model.send({ id, ...this.#request });
    } catch {
      // The connection is closed for good: the kernel was restarted.
      this.#request = undefined;
      this.notice = SILENT;
      this.#refused = true;
      this.#timers = [setTimeout(this.#onArrival)];
      return false;
    }
    const silent = () => {
      this.#say(SILENT);
      this.#send(2 * silence);
    };
    this.#timers = [setTimeout(silent, silence)];
    if (this.#ids.size === 1) {
      this.#timers.push(setTimeout(() => this.#say("waiting for the kernel …"), WAITING_AFTER));
    }
    return true;
  }

  /** After a refusal, ask again after a while only. */
  #pause() {
    this.#refused = true;
    this.#timers = [
      setTimeout(() => {
        this.#refused = false;
        this.#onArrival();
      }, this.#again),
    ];
  }

  /** @param {string} notice */
  #say(notice) {
    this.notice = notice;
    this.#onArrival();
  }

  /**
   * @param {any} reply
   * @param {any[]} buffers
   */
  #receive = (reply, buffers) => {
    if (!this.#ids.has(reply?.id)) return;
    this.#ids.clear();
    this.#request = undefined;
    this.#timers.forEach(clearTimeout);
    const { error } = reply;
    this.notice =
      error && error !== NO_KERNEL ? `The kernel could not answer: ${error}` : error || "";
    if (reply.error) this.#pause();
    else this.#onReply(reply, buffers);
    this.#onArrival();
  };
}
