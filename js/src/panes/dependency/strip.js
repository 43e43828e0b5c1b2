// All predictions of a model in one small picture: a column each, from the token just read down to the
// tokens further back.

import { gestures } from "../../canvas/gestures.js";
import { outline } from "../../canvas/outline.js";
import { sized } from "../../canvas/scroller.js";
import { position } from "../../colour/log_scale.js";
import { RAMP } from "../../colour/palettes.js";
import { NEAR } from "../../data/dependency.js";
import { clamp } from "../../lib/clamp.js";
import { element } from "../../lib/dom.js";
import { Memo } from "../../lib/memo.js";

/** The height of the picture, and the most that a prediction or a token takes of it. */
const HEIGHT = 64;
const WIDEST = 14;
/** What stands beside it in its row, and the edges. */
const BESIDE = 84;
const HIGHEST = 8;

/** @typedef {import("../../data/dependency.js").Near} Near */

export class DistanceStrip {
  #width = 0;
  /** What the picture was made of, and how. */
  #drawn = new Memo();
  #picture = document.createElement("canvas");
  #predictions = 0;
  /** How many of the last tokens are in it, or rows that each stand for so many. */
  #depth = 0;
  #every = 1;

  /**
   * @param {string} noun what was read
   * @param {(row: number, back: number) => void} onGo
   * @param {() => void} onPoint
   */
  constructor(noun, onGo, onPoint) {
    this.noun = noun;
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.near = element("span", {}, ["just read"]);
    this.far = element("span");
    this.told = element("div", { class: "lw-caption" });
    this.root = element("div", { class: "lw-strip" }, [
      this.told,
      element("div", { class: "lw-strip-row" }, [
        element("div", { class: "lw-strip-ends" }, [this.near, this.far]),
        this.canvas,
      ]),
    ]);
    /** What is under the pointer. @type {{row: number, back: number} | undefined} */
    this.hovered = undefined;
    const point = (/** @type {PointerEvent | undefined} */ event) => {
      this.hovered = event && this.#under(event);
      onPoint();
    };
    const go = (/** @type {PointerEvent} */ event) => {
      point(event);
      if (this.hovered) onGo(this.hovered.row, this.hovered.back);
      return this.hovered !== undefined;
    };
    gestures(this.canvas, { press: go, drag: go });
    this.canvas.addEventListener("pointermove", point);
    this.canvas.addEventListener("pointerleave", () => point(undefined));
  }

  resize() {
    this.#width = this.canvas.parentElement ? this.canvas.parentElement.clientWidth - BESIDE : 0;
  }

  /** How wide a prediction is, and how high a token. */
  get #lengths() {
    const across = Math.min(WIDEST, this.#width / Math.max(1, this.#predictions));
    return {
      across: across >= 3 ? Math.floor(across) : across,
      down: clamp(Math.floor(HEIGHT / Math.max(1, this.#depth)), 1, HIGHEST),
    };
  }

  /** @param {PointerEvent} event */
  #under(event) {
    const box = this.canvas.getBoundingClientRect();
    const { across, down } = this.#lengths;
    const row = Math.floor((event.clientX - box.left) / across);
    const back = Math.floor((event.clientY - box.top) / down);
    const inside = row >= 0 && row < this.#predictions && back >= 0 && back < this.#depth;
    return inside ? { row, back: back * this.#every } : undefined;
  }

  /**
   * @param {Near} near
   * @param {number} predictions how many of the first
   * @param {object} look
   * @param {Uint32Array} look.ramp
   * @param {number | undefined} look.largest what the last colour stands for; undefined: the largest of each
   * @param {boolean} look.log
   * @param {number} [look.every] how many tokens a row stands for
   * @param {import("../../colour/theme.js").Theme} look.theme
   * @param {{row: number, back: number}[]} marked a prediction, and a token if `back` is one
   */
  paint(near, predictions, look, marked) {
    const { ramp, largest, log, theme, every = 1 } = look;
    this.#every = every;
    const made = [near, near.known, predictions, ramp, largest, log, theme, this.#width];
    if (this.#drawn.changed(made)) {
      this.#predictions = predictions;
      this.#draw(near, look);
    }
    const { across, down } = this.#lengths;
    const context = sized(this.canvas, Math.ceil(across * predictions), down * this.#depth);
    if (!context || this.#width <= 0 || this.#depth === 0) return;
    const [width, height] = [across * predictions, down * this.#depth];
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#picture, 0, 0, width, height);
    const frame = (/** @type {number[]} */ [x, y, w, h]) => {
      outline(context, theme, [x + 0.5, y + 0.5, Math.max(2, w - 1), h - 1], 1, 3);
    };
    for (const { row, back: far } of marked) {
      if (row < 0) continue;
      const back = Math.floor(far / every);
      const x = Math.floor(row * across);
      frame([x, 0, across, height]);
      if (back >= 0 && back < this.#depth) frame([x, back * down, across, down]);
    }
  }

  /**
   * Make the picture: a pixel for each prediction, or for each of the screen's where there are more, and of
   * those the largest under it.
   * @param {Near} near
   * @param {{ramp: Uint32Array, largest: number | undefined, log: boolean, theme: import("../../colour/theme.js").Theme}} look
   */
  #draw({ known, values }, { ramp, largest, log, theme }) {
    const width = 1 + NEAR;
    this.#depth = 0;
    const rows = Math.min(known, this.#predictions);
    for (let row = 0; row < rows; row++) {
      while (this.#depth < NEAR && !Number.isNaN(values[row * width + 1 + this.#depth]))
        this.#depth++;
    }
    const across = clamp(Math.floor(this.#width), 1, this.#predictions);
    this.#picture.width = across;
    this.#picture.height = Math.max(1, this.#depth);
    const image = new ImageData(across, Math.max(1, this.#depth));
    const pixels = new Uint32Array(image.data.buffer);
    const most = new Float32Array(pixels.length).fill(-1);
    for (let row = 0; row < rows; row++) {
      const x = Math.floor((row * across) / this.#predictions);
      const end = largest ?? values[row * width];
      for (let back = 0; back < this.#depth; back++) {
        const value = values[row * width + 1 + back];
        if (!Number.isNaN(value)) {
          most[back * across + x] = Math.max(most[back * across + x], position(value, end, log));
        }
      }
    }
    most.forEach((place, i) => {
      pixels[i] = place < 0 ? theme.background : ramp[Math.round(place * (RAMP - 1))];
    });
    this.#picture.getContext("2d")?.putImageData(image, 0, 0);
    const all = this.#predictions === 1 ? "The prediction" : `All ${this.#predictions} predictions`;
    const each = this.#every > 1 ? `, ${this.#every} in a row of pixels` : "";
    this.told.textContent = `${all}, a column each, from the ${this.noun} just read down to those further back${each}`;
    this.far.textContent = `${Math.max(0, this.#depth * this.#every - 1)} back`;
    this.near.parentElement?.style.setProperty("height", `${this.#lengths.down * this.#depth}px`);
  }
}
