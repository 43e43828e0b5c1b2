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
/**
 * Which variant's rows are seen, and the one whose scores are subtracted; "" where there are none.
 * @typedef {{variant: string, less: string}} Seen
 */

const NAMES = ["layer", "signal", "concept"];
/** @type {Seen} */
const ONE = { variant: "", less: "" };

export class Ranking {
  /** @type {Map<string, Float32Array>} */
  #columns = new Map();
  /** Of each row that is here its place among the reasons. @type {number[]} */
  #reasons;
  /** The numbers of the rows that are here. @type {number[]} */
  #numbers;
  /** Where each row stands among these; undefined if all from the first on are here. @type {Map<number, number> | undefined} */
  #places;
  /** Rows by what they are about, and in which variant. @type {Map<string, number>} */
  #about = new Map();

  /** @param {Model} model */
  constructor(model) {
    const sent = model.get("_ranking");
    this.rows = /** @type {number} */ (sent.rows ?? 0);
    const at = /** @type {number[] | undefined} */ (sent.at ?? undefined);
    this.#numbers = at ?? Array.from({ length: this.rows }, (_, row) => row);
    this.#places = at && new Map(at.map((row, place) => [row, place]));
    /** How many there are in the kernel. */
    this.total = /** @type {number} */ (sent.total ?? 0);
    /** The same, of each variant. */
    this.totals = /** @type {number[]} */ (sent.totals ?? []);
    /** The names of variants; none of one recording. */
    this.variants = /** @type {string[]} */ (sent.variant ?? []);
    /** The names that codes stand for. @type {Record<string, string[]>} */
    this.names = {
      ...(sent.variant && { variant: sent.variant }),
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
    [...Object.keys(this.names), ...(sent.numbers ?? [])].forEach((name, i) => {
      this.#columns.set(name, values.subarray(i * this.rows, (i + 1) * this.rows));
    });
    for (const row of this.#numbers) {
      this.#about.set(JSON.stringify([this.claim(row), this.variant(row)]), row);
    }
  }

  /** Whether a row is among those that travelled. @param {number} row */
  here(row) {
    return !Number.isNaN(this.number("cell", row));
  }

  /** What a row is about: the same in several variants. @param {number} row */
  claim(row) {
    return ["layer", "signal", "cell", "concept"].map((name) => this.number(name, row)).join(" ");
  }

  /** The variant of a row; "" where there are none. @param {number} row */
  variant(row) {
    return this.variants[this.number("variant", row)] ?? "";
  }

  /**
   * The row of a variant that is about something; -1 if there is none.
   * @param {string} claim
   * @param {string} variant
   */
  find(claim, variant) {
    return this.#about.get(JSON.stringify([claim, variant])) ?? -1;
  }

  /** How many rows of a variant are here, and how many there are in the kernel. @param {string} variant */
  counts(variant) {
    if (this.variants.length === 0) return { rows: this.rows, total: this.total };
    const code = this.variants.indexOf(variant);
    const rows = this.#columns.get("variant")?.filter((one) => one === code).length ?? 0;
    return { rows, total: this.totals[code] ?? 0 };
  }

  /** Whether any row has a number in a column. @param {string} name */
  has(name) {
    return this.#columns.get(name)?.some((value) => !Number.isNaN(value)) ?? false;
  }

  /**
   * A row's score; less that of the same in another variant, if one is named.
   * @param {number} row
   * @param {string} less
   */
  score(row, less) {
    const own = this.number("score", row);
    return less ? own - this.number("score", this.find(this.claim(row), less)) : own;
  }

  /**
   * What a row has in a column: a number, or the code of a name.
   * @param {string} name
   * @param {number} row
   */
  number(name, row) {
    return this.#columns.get(name)?.[this.#place(row)] ?? Number.NaN;
  }

  /** @param {number} row */
  #place(row) {
    return this.#places ? (this.#places.get(row) ?? -1) : row;
  }

  /** @param {string} name "layer", "signal" or "concept" @param {number} row */
  text(name, row) {
    return this.names[name][this.number(name, row)];
  }

  /** Why little or nothing can be said of a row; "" if that isn't so. @param {number} row */
  reason(row) {
    return this.reasons[this.#reasons[this.#place(row)]] ?? "";
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
   * @param {Seen} seen
   * @returns {Int32Array}
   */
  arrange(filter, sort, falling, seen = ONE) {
    const rows = this.#chosen(filter, seen.variant);
    if (sort === "") return rows;
    const keys = this.#keys(sort, rows, seen.less);
    const sign = falling ? -1 : 1;
    // What has no value comes last, in either direction; equal ones stay in order.
    return rows.sort((a, b) => {
      const [one, other] = [keys(a), keys(b)];
      if (Number.isNaN(one) || Number.isNaN(other)) {
        return Number(Number.isNaN(one)) - Number(Number.isNaN(other)) || a - b;
      }
      return sign * (one - other) || a - b;
    });
  }

  /** @param {Filter} filter @param {string} variant */
  #chosen({ find, layer, signal, concept, below }, variant) {
    /** @type {((row: number) => boolean)[]} */
    const tests = [];
    if (this.variants.length > 0) tests.push((row) => this.variant(row) === variant);
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
          reasons[this.#reasons[this.#place(row)]] ||
          NAMES.some((name, i) => hits[i][this.number(name, row)]),
      );
    }
    return Int32Array.from(this.#numbers.filter((row) => tests.every((test) => test(row))));
  }

  /**
   * Numbers to sort by: of names their places in the alphabet, of a score its size.
   * @param {string} name
   * @param {Iterable<number>} rows
   * @param {string} less the variant whose scores are subtracted
   * @returns {(row: number) => number}
   */
  #keys(name, rows, less) {
    if (name === "score") {
      const sizes = new Map(Array.from(rows, (row) => [row, Math.abs(this.score(row, less))]));
      return (row) => /** @type {number} */ (sizes.get(row));
    }
    const names = this.names[name];
    if (!names) return (row) => this.number(name, row);
    const sorted = [...names].sort();
    const places = names.map((text) => sorted.indexOf(text));
    return (row) => places[this.number(name, row)];
  }
}
