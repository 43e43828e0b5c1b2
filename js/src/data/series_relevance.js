// Relevance behind the lines of a series: how much each channel counts, timestep by timestep, for what is
// explained. Its side in Python is lstm_widgets/views/series_relevance.py.

import { bytes, floats } from "../host/model.js";

/** @typedef {import("../host/model.js").Model} Model */
/** @typedef {import("./lines.js").Key} Key */
/** @typedef {{name: string, signed: boolean, unit: string, largest: [channels: number, sum: number]}} Method */
/**
 * What there is.
 * @typedef {object} Told
 * @property {Method[]} methods
 * @property {number} variants whose values are one behind the other, and on one scale
 * @property {number} channels
 * @property {number} timesteps of each explanation
 * @property {number} count how many explanations
 * @property {string} explained what they are of, in words
 * @property {boolean} whole whether their values are in the page
 */
/** Which relevance: of which method, of which channel; undefined is the sum of all. @typedef {{method: number, channel: number | undefined}} Of */

/** What it comes from: traits that are of one time. */
export const RELEVANCE_TRAITS = ["_relevance", "_relevance_rows", "_relevance_values"];

/** Whether there is any, and all of it has come. @param {Model} model */
export function relevanceHere(model) {
  const told = model.get("_relevance") ?? {};
  const { methods, variants = 1, count = 0, channels = 0, timesteps = 0, whole } = told;
  if (!methods || count === 0) return false;
  const rows = count * (12 + (8 + variants) * methods.length);
  const values = whole ? 4 * variants * count * methods.length * channels * timesteps : 0;
  return (
    bytes(model.get("_relevance_rows")).length >= rows &&
    bytes(model.get("_relevance_values")).length >= values
  );
}

/** Of two numbers the one of larger magnitude, with its sign: what a run is from afar. @param {number} low @param {number} high */
export const stronger = (low, high) => (-low > high ? low : high);

export class SeriesRelevance {
  /** @type {{key: string, values: Float32Array} | undefined} */
  #summed;

  /**
   * @param {Model} model where all of it has come
   * @param {number} variant which of those that there are
   */
  constructor(model, variant = 0) {
    /** @type {Told} */
    this.told = model.get("_relevance");
    const { count, methods, channels, timesteps } = this.told;
    const packed = bytes(model.get("_relevance_rows"));
    const numbers = packed.slice(0, 12 * count);
    const placed = new Int32Array(numbers.buffer, 0, 3 * count);
    this.examples = placed.subarray(0, count);
    this.starts = placed.subarray(count, 2 * count);
    this.explained = placed.subarray(2 * count);
    this.largests = floats(packed.slice(12 * count, (12 + 8 * methods.length) * count));
    this.doubtfuls = packed.subarray((12 + (8 + variant) * methods.length) * count);
    const size = 4 * count * methods.length * channels * timesteps;
    const values = bytes(model.get("_relevance_values"));
    this.values = floats(values.subarray(variant * size, (variant + 1) * size));
  }

  /** @param {string} name */
  method(name) {
    return Math.max(
      0,
      this.told.methods.findIndex((method) => method.name === name),
    );
  }

  /** Its line among all lines; its examples are explanations. @param {Of} of @returns {Key} */
  key({ method, channel = this.told.channels }) {
    return ["relevance", method * (this.told.channels + 1) + channel, "", ""];
  }

  /** The largest magnitude in one explanation, or in all. @param {Of} of @param {number} [row] */
  largest({ method, channel }, row) {
    const { methods, count } = this.told;
    const kind = channel === undefined ? 1 : 0;
    if (row === undefined) return methods[method].largest[kind];
    return this.largests[(kind * methods.length + method) * count + row];
  }

  /** Whether it doesn't add up to what is explained. @param {number} method @param {number} row */
  doubtful(method, row) {
    return this.doubtfuls[method * this.told.count + row] === 1;
  }

  /**
   * The explanation of an example whose explained timestep is nearest to one; undefined if there is none.
   * @param {number} example
   * @param {number} timestep of the series
   * @returns {number | undefined}
   */
  row(example, timestep) {
    let best;
    let off = Infinity;
    for (let row = 0; row < this.told.count; row++) {
      if (this.examples[row] !== example) continue;
      const away = Math.abs(this.explained[row] - timestep);
      if (away < off) [best, off] = [row, away];
    }
    return best;
  }

  /**
   * The values of a line; undefined if they aren't in the page.
   * @param {number} number of the line
   * @param {number} row
   * @returns {Float32Array | undefined}
   */
  line(number, row) {
    const { methods, channels, timesteps, whole } = this.told;
    if (!whole) return undefined;
    const method = Math.floor(number / (channels + 1));
    const channel = number % (channels + 1);
    const at = (row * methods.length + method) * channels * timesteps;
    if (channel < channels) {
      const start = at + channel * timesteps;
      return this.values.subarray(start, start + timesteps);
    }
    const key = `${number} ${row}`;
    if (this.#summed?.key !== key) {
      this.#summed = { key, values: summed(this.values.subarray(at), channels, timesteps) };
    }
    return this.#summed.values;
  }
}

/**
 * The sum of channels, NaN where all of them are.
 * @param {Float32Array} values
 * @param {number} channels
 * @param {number} timesteps
 */
function summed(values, channels, timesteps) {
  return Float32Array.from({ length: timesteps }, (_, t) => {
    let sum = NaN;
    for (let channel = 0; channel < channels; channel++) {
      const value = values[channel * timesteps + t];
      if (!Number.isNaN(value)) sum = Number.isNaN(sum) ? value : sum + value;
    }
    return sum;
  });
}
