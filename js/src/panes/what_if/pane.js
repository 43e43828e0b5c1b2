// What if: another text, or the selected cell held at a value. The kernel runs the model; one run is
// under way at a time, and when it is done the newest wish is next, whatever was wished in between.

import { guessesAndTruth } from "../../data/guesses.js";
import { cellName } from "../../data/layer.js";
import { SILENT } from "../../host/calls.js";
import { element, freshId, write } from "../../lib/dom.js";
import { written } from "../../lib/tokens.js";
import { number, words } from "../../lib/wording.js";
import { slider, tell, tick } from "../../ui/controls.js";
import { GuessList } from "../../ui/guess_list.js";

/** @typedef {import("../../ui/frame.js").Frame} Frame */
/** @typedef {{text: string, cell: number, value: number | null}} Wish */

/** How long typing rests before the model runs. */
const TYPED_AFTER = 200;
const WAITING_AFTER = 400;
const SILENT_AFTER = 20_000;

/** @param {Wish} one @param {Wish} other */
function same(one, other) {
  if (one.text !== other.text || one.value !== other.value) return false;
  return one.value === null || one.cell === other.cell;
}

export class WhatIfPane {
  /** The value that the cell is to be held at. @type {number | null} */
  #held;
  /** The last value it was held at, for when it is held again. */
  #value = 0;
  #limit = 1;
  /** What is under way, under which numbers it was asked for. @type {{ids: Set<string>, wish: Wish} | undefined} */
  #pending;
  /** What the kernel could not do. @type {{wish: Wish, text: string} | undefined} */
  #refused;
  #notice = "";
  /** @type {ReturnType<typeof setTimeout>[]} */
  #timers = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;
  #synced;

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    const { state } = frame;
    this.state = state;
    const { model } = state;
    this.#held = model.get("value");
    this.#value = this.#held ?? 0;
    this.#synced = model.get("text");
    const id = freshId();
    this.area = element("textarea", { id, "data-control": "text", spellcheck: "false", rows: 3 });
    tell(this.area, "The text that the model reads; it runs again when you change it.", this.area);
    this.area.value = this.#synced;
    this.tick = tick(
      "hold",
      (held) => this.#hold(held ? this.#value : null),
      "Run the model with the selected cell held at a value, at every timestep.",
    );
    this.slider = slider(
      "held at",
      (value) => this.#hold(value),
      "The value that the selected cell is held at.",
    );
    this.loss = element("div", { class: "lw-loss", role: "status" });
    this.told = element("div", { class: "lw-told", "aria-live": "polite" });
    this.before = new GuessList("next token, nothing held:");
    this.after = new GuessList("next token, held:");
    this.menus = [];
    this.tools = [];
    this.body = [
      element("div", { class: "lw-wish" }, [
        element("div", { class: "lw-wish-head" }, [
          element("label", { for: id }, ["text: change it, and the model reads it again"]),
          this.told,
        ]),
        this.area,
        element("div", { class: "lw-hold" }, [this.tick.root, this.slider.root, this.loss]),
        element("div", { class: "lw-both" }, [this.before.root, this.after.root]),
      ]),
    ];
    this.area.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#ask(), TYPED_AFTER);
    });
    model.on("msg:custom", this.#receive);
    model.on("change:_recorded", this.#recorded);
  }

  destroy() {
    this.state.model.off("msg:custom", this.#receive);
    this.state.model.off("change:_recorded", this.#recorded);
    clearTimeout(this.#typing);
    this.#timers.forEach(clearTimeout);
  }

  get hovered() {
    return undefined;
  }

  resize() {}

  /** @param {Set<string>} names */
  changed(names) {
    if (names.has("cell") && this.#held !== null) this.#ask();
  }

  #recorded = () => {
    const { model } = this.state;
    if (!this.#pending) {
      // Python has set the text or the value.
      const text = model.get("text");
      if (text !== this.#synced || this.#refused) this.area.value = text;
      this.#held = model.get("value");
      this.#value = this.#held ?? this.#value;
      this.#refused = undefined;
    }
    this.#synced = model.get("text");
    this.frame.schedule();
  };

  /** @param {number | null} held */
  #hold(held) {
    this.#held = held;
    this.#value = held ?? this.#value;
    this.#ask();
    this.frame.schedule();
  }

  /** @returns {Wish} */
  get #wish() {
    return { text: this.area.value, cell: this.state.model.get("cell"), value: this.#held };
  }

  /** Ask for what is wished now, if it is not there and not under way. */
  #ask() {
    const wish = this.#wish;
    if (this.#pending) return;
    if (same(wish, this.state.model.get("_result"))) {
      this.#refused = undefined;
      this.frame.schedule();
      return;
    }
    if (this.#refused && same(wish, this.#refused.wish)) return;
    this.#pending = { ids: new Set(), wish };
    this.#send(SILENT_AFTER);
    if (!this.#pending) return;
    this.#timers.push(setTimeout(() => this.#say("the model is running …"), WAITING_AFTER));
  }

  /** Ask for what is under way; again after a silence, since a message may be lost. @param {number} silence */
  #send(silence) {
    const { ids, wish } = /** @type {{ids: Set<string>, wish: Wish}} */ (this.#pending);
    const id = freshId();
    ids.add(id);
    const silent = () => {
      this.#say(SILENT);
      this.#send(2 * silence);
    };
    this.#timers = [setTimeout(silent, silence)];
    try {
      this.state.model.send({ kind: "run", id, ...wish });
    } catch {
      this.#answered(SILENT);
    }
  }

  /** @param {string} notice */
  #say(notice) {
    this.#notice = notice;
    this.frame.schedule();
  }

  /** @param {any} reply */
  #receive = (reply) => {
    if (!this.#pending?.ids.has(reply?.id)) return;
    this.#answered(reply.error ?? "");
    this.#ask(); // what has been wished meanwhile
  };

  /** @param {string} error */
  #answered(error) {
    const wish = /** @type {{wish: Wish}} */ (this.#pending).wish;
    this.#pending = undefined;
    this.#timers.forEach(clearTimeout);
    this.#refused = error ? { wish, text: error } : undefined;
    this.#say("");
  }

  paint() {
    const { model, layer } = this.state;
    const result = model.get("_result");
    const signal = model.get("signal");
    const cell = cellName(layer, model.get("cell"));
    this.tick.update(this.#held !== null);
    const label = this.tick.root.lastChild;
    const name = `hold ${cell} at`;
    if (label) write(label, name);
    this.tick.root.title = `hold the ${words(signal)} of ${cell} at a value, at every timestep`;
    const largest = Math.ceil((this.frame.source?.largest ?? 1) * 10) / 10;
    this.#limit = Math.max(this.#limit, largest, Math.abs(this.#value));
    this.slider.update({
      value: this.#value,
      min: signal.endsWith("_gate") ? 0 : -this.#limit,
      max: this.#limit,
      step: 0.01,
      text: `${cell} held at ${number(this.#value)}`,
    });
    this.#paintLoss(result, cell);
    const refused = this.#refused?.text.replace(/[.\s]*$/, ". Shown is the previous result.");
    const wrong = refused ?? "";
    const told = wrong || this.#notice;
    write(this.told, told);
    this.told.className =
      wrong || this.#notice === SILENT ? "lw-told lw-refused" : "lw-told lw-running";
    const before = result.value === null ? undefined : result.before[model.get("timestep")];
    const next = this.frame.source?.token(this.state.column + 1);
    this.before.update(
      before?.map((/** @type {[string, number]} */ [token, probability]) => ({
        text: written(this.frame.source?.spelling.alone(token) ?? token, true),
        probability,
        right: token === next,
      })),
      result.value !== null,
    );
    const { source } = this.frame;
    this.after.update(source && guessesAndTruth(source, this.state.column), result.value !== null);
  }

  /**
   * @param {any} result
   * @param {string} cell
   */
  #paintLoss({ loss, loss_held: lossHeld, known, changed, value: held, cell: of }, cell) {
    const shown = (/** @type {number | null} */ value) => number(value ?? Number.POSITIVE_INFINITY);
    const parts = [`${shown(loss)}`];
    let rest = ` over ${known} tokens`;
    if (held !== null) {
      const change = lossHeld - loss;
      parts.push(` → ${shown(lossHeld)}`);
      const name = of === this.state.model.get("cell") ? cell : `cell ${of}`;
      rest = ` (${change < 0 ? "" : "+"}${number(change)}) with ${name} held at ${number(held)}; ${changed} of ${known} top guesses change`;
    }
    const text = `loss ${parts.join("")}${rest}`;
    if (this.loss.textContent === text) return;
    this.loss.replaceChildren("loss ", element("b", {}, [parts.join("")]), rest);
  }
}
