// Asking the kernel: one request under way at a time, with a word to the reader if no answer comes.

const WAITING_AFTER = 300;
const SILENT_AFTER = 10_000;
const AGAIN_AFTER = 5000;
const SILENT = "The kernel does not answer: run the cell again.";

let numbers = 0;

export class Calls {
  /** @type {string | undefined} */
  #pending;
  #refused = false;
  /** @type {ReturnType<typeof setTimeout>[]} */
  #timers = [];
  #onReply;
  #onArrival;
  #again;
  /** What to tell a person about the kernel; empty while all is well. */
  notice = "";

  /**
   * @param {import("./model.js").Model} model
   * @param {(reply: any, buffers: any[]) => void} onReply keeps what has come
   * @param {() => void} onArrival is told that there is something new to show
   * @param {number} again milliseconds after which to ask again what was refused
   */
  constructor(model, onReply, onArrival, again = AGAIN_AFTER) {
    this.#again = again;
    this.model = model;
    this.#onReply = onReply;
    this.#onArrival = onArrival;
    model.on("msg:custom", this.#receive);
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
    if (!request || this.#pending || this.#refused) return false;
    const id = `${++numbers}-${Math.random().toString(36).slice(2)}`;
    try {
      this.model.send({ id, ...request });
    } catch {
      // The connection is closed for good: the kernel was restarted.
      this.notice = SILENT;
      this.#refused = true;
      this.#timers = [setTimeout(this.#onArrival)];
      return false;
    }
    this.#pending = id;
    this.#timers = [
      setTimeout(() => this.#say("waiting for the kernel …"), WAITING_AFTER),
      setTimeout(() => this.#say(SILENT), SILENT_AFTER),
    ];
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
    if (this.#pending === undefined || reply?.id !== this.#pending) return;
    this.#pending = undefined;
    this.#timers.forEach(clearTimeout);
    this.notice = reply.error ? `The kernel could not answer: ${reply.error}` : "";
    if (reply.error) this.#pause();
    else this.#onReply(reply, buffers);
    this.#onArrival();
  };
}
