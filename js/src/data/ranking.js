// A ranking of cells by concepts, as lstm_widgets/widgets/page/ranking.py sent it: sorted and filtered here.

import { floats } from "../host/model.js";
import { csv, shortest } from "../lib/csv.js";

/** @typedef {import("../host/model.js").Model} Model */
/**
 * What rows are chosen by; "" and undefined stand for all.
 * @typedef {object} Filter
 * @property {string} find words that a row has to have, in any of its names
 * @property {string} layer
 * @property {string} signal
 * @property {string} concept
 * @property {number} [below] what its q-value has to be below
 */

const NAMES = ["layer", "signal", "concept"];

export class Ranking {
  /** @type {Map<string, Float32Array>} */
  #columns = new Map();
  /** Of each row its place among the reasons. @type {number[]} */
  #reasons;

  /** @param {Model} model */
  constructor(model) {
    const sent = model.get("_ranking");
    this.rows = /** @type {number} */ (sent.rows ?? 0);
    /** How many there are in the kernel. */
    this.total = /** @type {number} */ (sent.total ?? 0);
    /** The names that codes stand for. @type {Record<string, string[]>} */
    this.names = {
      layer: sent.layer ?? [],
      signal: sent.signal ?? [],
      concept: sent.concept ?? [],
    };
    /** Why little or nothing can be said of rows; each row has one of these. @type {string[]} */
    this.reasons = sent.reason ?? [];
    this.#reasons = sent.reasons ?? [];
    /** How examples hang together, a sentence each. @type {string[]} */
    this.windows = sent.windows ?? [];
    /** "yes_no" or "numeric", of each concept. @type {string[]} */
    this.kinds = sent.kinds ?? [];
    const values = floats(model.get("_ranked"));
    [...NAMES, ...(sent.numbers ?? [])].forEach((name, i) => {
      this.#columns.set(name, values.subarray(i * this.rows, (i + 1) * this.rows));
    });
  }

  /**
   * What a row has in a column: a number, or the code of a name.
   * @param {string} name
   * @param {number} row
   */
  number(name, row) {
    return this.#columns.get(name)?.[row] ?? Number.NaN;
  }

  /** @param {string} name "layer", "signal" or "concept" @param {number} row */
  text(name, row) {
    return this.names[name][this.number(name, row)];
  }

  /** Why little or nothing can be said of a row; "" if that isn't so. @param {number} row */
  reason(row) {
    return this.reasons[this.#reasons[row]] ?? "";
  }

  /** Whether a row's concept is a number. @param {number} row */
  numeric(row) {
    return this.kinds[this.number("concept", row)] === "numeric";
  }

  /**
   * A row's threshold as the slider has it, which asks for |value|; undefined if it says something else.
   * @param {number} row
   */
  threshold(row) {
    const [threshold, sign] = [this.number("threshold", row), this.number("sign", row)];
    return threshold * sign > 0 ? Math.abs(threshold) : undefined;
  }

  /** Some rows as CSV: all that is known of them. @param {Iterable<number>} rows */
  csv(rows) {
    const names = [...this.#columns.keys()];
    const field = (/** @type {string} */ name, /** @type {number} */ row) =>
      this.names[name] ? this.text(name, row) : shortest(this.number(name, row));
    return csv(
      names,
      Array.from(rows, (row) => names.map((name) => field(name, row))),
    );
  }

  /**
   * The rows that pass a filter, in order of a column.
   * @param {Filter} filter
   * @param {string} sort a column; "" for the order of the ranking
   * @param {boolean} falling
   * @returns {Int32Array}
   */
  arrange(filter, sort, falling) {
    const rows = this.#chosen(filter);
    if (sort === "") return rows;
    const keys = this.#keys(sort);
    const sign = falling ? -1 : 1;
    // What has no value comes last, in either direction; equal ones stay in order.
    return rows.sort((a, b) => {
      const [one, other] = [keys[a], keys[b]];
      if (Number.isNaN(one) || Number.isNaN(other)) {
        return Number(Number.isNaN(one)) - Number(Number.isNaN(other)) || a - b;
      }
      return sign * (one - other) || a - b;
    });
  }

  /** @param {Filter} filter */
  #chosen({ find, layer, signal, concept, below }) {
    /** @type {((row: number) => boolean)[]} */
    const tests = [];
    for (const [name, wanted] of Object.entries({ layer, signal, concept })) {
      const code = this.names[name].indexOf(wanted);
      if (wanted) tests.push((row) => this.number(name, row) === code);
    }
    if (below !== undefined) {
      const limit = Math.fround(below); // as what travelled
      tests.push((row) => this.number("q_value", row) < limit);
    }
    for (const word of find.toLowerCase().split(/\s+/).filter(Boolean)) {
      const reasons = this.reasons.map((text) => text.toLowerCase().includes(word));
      const hits = NAMES.map((name) =>
        this.names[name].map((text) => text.toLowerCase().includes(word)),
      );
      tests.push(
        (row) =>
          String(this.number("cell", row)) === word ||
          reasons[this.#reasons[row]] ||
          NAMES.some((name, i) => hits[i][this.number(name, row)]),
      );
    }
    const rows = [];
    for (let row = 0; row < this.rows; row++) {
      if (tests.every((test) => test(row))) rows.push(row);
    }
    return Int32Array.from(rows);
  }

  /**
   * Numbers to sort by: of names their places in the alphabet, of a score its size.
   * @param {string} name
   */
  #keys(name) {
    const column = this.#columns.get(name) ?? new Float32Array(this.rows);
    if (name === "score") return column.map(Math.abs);
    const names = this.names[name];
    if (!names) return column;
    const sorted = [...names].sort();
    const places = Float32Array.from(names, (text) => sorted.indexOf(text));
    return column.map((code) => places[code]);
  }
}
