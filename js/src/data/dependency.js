// Dependencies, row by row: all of them are in the page, or the kernel is asked. Python's side is
// lstm_widgets/views/dependencies.py.

import { Calls } from "../host/calls.js";
import { bytes, floats } from "../host/model.js";
import { Recent } from "../lib/recent.js";

/** So many of the last tokens before each prediction are in the picture of all of them. */
export const NEAR = 64;
/** Predictions that are asked for at once, and that are kept; the same for the picture of all. */
const ROWS_AT_ONCE = 64;
const KEPT_ROWS = 2048;
const NEAR_AT_ONCE = 4096;
const KEPT_TEXTS = 8;

/**
 * One model, as Python describes it.
 * @typedef {object} ModelInfo
 * @property {string} name
 * @property {string} of "logit", "probability" or "loss"; "value" or "forecast" of what is no class
 * @property {string} how it was found out, in words
 * @property {string} unit of its values
 * @property {number} [every] how many timesteps each value near a prediction stands for, by the largest
 * @property {number} examples
 * @property {number[]} timesteps those after which a prediction was computed, in order
 * @property {number} first the timestep of the first column
 * @property {number} largest of all predictions
 * @property {boolean} forwards whether no prediction depends on anything that comes later
 */
/**
 * What was read.
 * @typedef {object} Extent
 * @property {number} first
 * @property {number} stop
 * @property {number[]} [stops] the same of each example, where series end early
 * @property {string[]} [labels] what the examples are called
 * @property {number} examples
 * @property {boolean} tokens
 * @property {boolean} [series] whether it is one, and each model one of its channels
 * @property {import("./spelling.js").Kind} spelling
 */
/**
 * What one prediction depends on: one value for each of the tokens that were read, from `start` on.
 * @typedef {{start: number, values: Float32Array}} Row
 */
/**
 * Of the first predictions, as far as they are here, the largest value and those of the last tokens, from the
 * last on: (prediction, 1 + NEAR), NaN where nothing was read.
 * @typedef {{known: number, values: Float32Array}} Near
 */
/**
 * `times` are those of a series, "" where they aren't known.
 * @typedef {{tokens: string[] | null, targets: (string[] | null)[], times?: string[] | null}} Text
 */

/**
 * What can be said of a row: its largest value and where that stands, and how many of the last tokens make
 * half of the sum.
 * @param {Row} row
 * @param {number} timestep after which the prediction is made
 * @returns {{largest: number, at: number, half: number | undefined}} `half` is undefined where something
 *   later counts too, or nothing counts
 */
export function summary({ start, values }, timestep) {
  let [at, largest, sum] = [-1, 0, 0];
  values.forEach((value, i) => {
    if (at < 0 ? !Number.isNaN(value) : value > values[at]) at = i;
    if (Number.isFinite(value)) {
      largest = Math.max(largest, value);
      sum += value;
    }
  });
  let half;
  if (sum > 0 && start + values.length - 1 <= timestep) {
    let passed = 0;
    for (let i = values.length - 1; i >= 0 && half === undefined; i--) {
      if (Number.isFinite(values[i])) passed += values[i];
      if (passed >= sum / 2) half = timestep - (start + i) + 1;
    }
  }
  return { largest, at: at < 0 ? -1 : start + at, half };
}

/** The largest of every so many values; NaN only where all are. @param {Float32Array} values @param {number} every */
function largestOf(values, every) {
  if (every === 1) return values;
  return Float32Array.from({ length: Math.ceil(values.length / every) }, (_, i) =>
    values
      .subarray(i * every, (i + 1) * every)
      .reduce((a, b) => (Number.isNaN(a) || b > a ? b : a), Number.NaN),
  );
}

/** All rows, as they came with the widget. */
export class WholeRows {
  /** @type {Map<number, {example: number, near: Near}>} */
  #near = new Map();

  /**
   * @param {any} whole
   * @param {ModelInfo[]} models
   */
  constructor(whole, models) {
    const all = bytes(whole).slice().buffer;
    let at = 0;
    this.models = models.map(({ examples, timesteps, every = 1 }) => {
      const count = examples * timesteps.length;
      const starts = new Int32Array(all, at, count);
      const stops = new Int32Array(all, at + 4 * count, count);
      at += 8 * count;
      const offsets = new Uint32Array(count + 1);
      for (let i = 0; i < count; i++) offsets[i + 1] = offsets[i] + stops[i] - starts[i];
      const values = new Float32Array(all, at, offsets[count]);
      at += 4 * offsets[count];
      return { starts, offsets, values, every, rows: timesteps.length };
    });
    this.notice = "";
  }

  /**
   * @param {number} k
   * @param {number} example
   * @param {number} row
   */
  row(k, example, row) {
    const { starts, offsets, values, rows } = this.models[k];
    const at = example * rows + row;
    return { start: starts[at], values: values.subarray(offsets[at], offsets[at + 1]) };
  }

  /** @param {number} k @param {number} example @returns {Near} */
  near(k, example) {
    const kept = this.#near.get(k);
    if (kept?.example === example) return kept.near;
    const { rows, every } = this.models[k];
    const all = new Float32Array(rows * (1 + NEAR)).fill(Number.NaN);
    for (let row = 0; row < rows; row++) {
      const { values } = this.row(k, example, row);
      const last = largestOf(values.slice(-NEAR * every).reverse(), every);
      all[row * (1 + NEAR)] = values.reduce((a, b) => (Number.isFinite(b) ? Math.max(a, b) : a), 0);
      all.set(last, row * (1 + NEAR) + 1);
    }
    const near = { known: rows, values: all };
    this.#near.set(k, { example, near });
    return near;
  }

  request() {}
  dispose() {}
}

/** Rows that are asked for when they are looked at. */
export class KernelRows {
  /** By example, model and row. @type {Recent<string, Row>} */
  #rows = new Recent(KEPT_ROWS);
  /** @type {Recent<number, Text>} */
  #texts = new Recent(KEPT_TEXTS);
  /** @type {Map<string, [number, number]>} */
  #missing = new Map();
  #example = -1;
  #textMissing = false;
  /** Of the example, by model. @type {Map<number, Near>} */
  #near = new Map();
  /** @type {[number, number, number] | undefined} */
  #nearMissing;

  /**
   * @param {import("../host/model.js").Model} model
   * @param {ModelInfo[]} models
   * @param {() => void} onArrival
   */
  constructor(model, models, onArrival) {
    this.models = models;
    this.calls = new Calls(model, (reply, buffers) => this.#keep(reply, buffers), onArrival);
  }

  dispose() {
    this.calls.dispose();
  }

  get notice() {
    return this.calls.notice;
  }

  /**
   * @param {number} k
   * @param {number} example
   * @param {number} row
   */
  row(k, example, row) {
    this.#turn(example);
    const key = `${example} ${k} ${row}`;
    const found = this.#rows.get(key);
    if (!found) this.#missing.set(key, [k, row]);
    return found;
  }

  /** What was looked for in another example is no longer wanted. @param {number} example */
  #turn(example) {
    if (example === this.#example) return;
    this.#example = example;
    this.#missing.clear();
    this.#near.clear();
    this.#nearMissing = undefined;
  }

  /** @param {number} k @param {number} example @returns {Near} */
  near(k, example) {
    this.#turn(example);
    const rows = this.models[k].timesteps.length;
    let near = this.#near.get(k);
    if (!near) {
      near = { known: 0, values: new Float32Array(rows * (1 + NEAR)).fill(Number.NaN) };
      this.#near.set(k, near);
    }
    const { known } = near;
    if (known < rows) this.#nearMissing ??= [k, known, Math.min(rows, known + NEAR_AT_ONCE)];
    return near;
  }

  /** @param {number} example @returns {Text | undefined} */
  text(example) {
    this.#textMissing = !this.#texts.has(example);
    return this.#texts.get(example);
  }

  /** Ask for what was looked for and not found since the last time. @param {number} example */
  request(example) {
    const rows = [...this.#missing.values()].slice(0, ROWS_AT_ONCE);
    const near = this.#nearMissing ? [this.#nearMissing] : [];
    const wanted = rows.length > 0 || this.#textMissing || near.length > 0;
    this.calls.ask(wanted ? { example, rows, text: this.#textMissing, near } : undefined);
    this.#missing.clear();
    this.#textMissing = false;
    this.#nearMissing = undefined;
  }

  /**
   * @param {any} reply
   * @param {any[]} buffers
   */
  #keep({ example, rows, text, near }, buffers) {
    rows.forEach(
      (/** @type {[number, number, number]} */ [k, row, start], /** @type {number} */ i) => {
        this.#rows.set(`${example} ${k} ${row}`, { start, values: floats(buffers[i]) });
      },
    );
    if (text) this.#texts.set(example, text);
    near.forEach(
      (/** @type {[number, number, number]} */ [k, start, stop], /** @type {number} */ i) => {
        const kept = this.#near.get(k);
        if (!kept || kept.known !== start || example !== this.#example) return;
        kept.values.set(floats(buffers[rows.length + i]), start * (1 + NEAR));
        kept.known = stop;
      },
    );
  }
}
