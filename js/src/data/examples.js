// The examples of a relevance dataset, row by row, and which of them are shown in which order: the same
// as lstm_widgets/views/examples.py. Either all of it is in the page, or the kernel is asked.

import { Calls } from "../host/calls.js";
import { bytes } from "../host/model.js";
import { Memo } from "../lib/memo.js";
import { Recent } from "../lib/recent.js";
import { Spelling } from "./spelling.js";
import { Clock, Times, unpacked } from "./times.js";

/**
 * @typedef {object} Summary what Python tells of a dataset
 * @property {number} examples
 * @property {number} timesteps
 * @property {{name: string, signed: boolean, largest: number}[]} methods
 * @property {string} explained what the scores are of, in words
 * @property {{score: string, predicted: string}} called what scores and predicted classes are called
 * @property {[number, string, number][]} classes number, name, how many are predicted as this
 * @property {boolean} confidence whether it is known
 * @property {boolean} predicted whether it is known
 * @property {boolean} outcome whether right and wrong are known
 * @property {number} right how many are
 * @property {number} known of how many the true class is
 * @property {boolean} masked
 * @property {boolean} tokens
 * @property {[name: string, unit: string][]} channels of a series; of tokens there are none
 * @property {import("./times.js").SentTimes | null} times when the timesteps of a series are; runs only of
 *   times that all examples have
 * @property {string} unit that of scores
 * @property {boolean} labels
 * @property {import("./spelling.js").Kind} spelling how tokens spell a text
 * @property {number} longest how many characters the longest example takes
 * @property {number} typical the same of one in the middle
 * @property {"here" | "missing" | "left out"} recording
 */
/**
 * @typedef {object} Question which examples are wanted, in which order
 * @property {string} sort
 * @property {number | null} predicted
 * @property {string} outcome
 * @property {string} search
 */

/** Rows that are kept. */
const KEPT_ROWS = 2000;
/** The most bytes of values to ask for at once. */
const REPLY_BYTES = 1024 * 1024;
const KEPT_ORDERS = 8;

/** One example. */
export class Row {
  /** @type {string | undefined} */
  #searched;
  /** @type {Times | undefined} */
  #times;
  /** @type {number[]} */
  #largest = [];

  /**
   * @param {Batch} batch
   * @param {number} at where it stands there
   */
  constructor(batch, at) {
    this.batch = batch;
    this.at = at;
    const { timesteps } = batch.summary;
    this.score = batch.score[at];
    this.confidence = batch.confidence[at];
    this.predicted = batch.predicted[at];
    this.true = batch.true[at];
    this.target = batch.target[at];
    this.label = batch.labels?.[at];
    /** The numbers of the methods whose relevance doesn't add up to the score. */
    this.doubtful = batch.doubtful?.[at] ?? [];
    this.mask = batch.mask?.subarray(at * timesteps, (at + 1) * timesteps);
  }

  /**
   * The relevance of each timestep by one method.
   * @param {number} method its number
   * @param {number} channel of a series
   */
  values(method, channel = 0) {
    const { count, summary, values } = this.batch;
    const channels = Math.max(1, summary.channels.length);
    const start = ((method * channels + channel) * count + this.at) * summary.timesteps;
    return values.subarray(start, start + summary.timesteps);
  }

  /** @param {number} timestep @returns {string | undefined} */
  token(timestep) {
    const { codes, table, summary } = this.batch;
    return codes && table[codes[this.at * summary.timesteps + timestep]];
  }

  /** When its timesteps are; undefined if that is not known. */
  get times() {
    this.#times ??= this.batch.times(this.at);
    return this.#times;
  }

  /** How the tokens spell a text. */
  get spelling() {
    return this.batch.spelling;
  }

  /** @param {number} timestep */
  padding(timestep) {
    return this.mask !== undefined && this.mask[timestep] === 0;
  }

  /** How many timesteps are no padding. */
  get length() {
    return this.mask ? this.mask.reduce((sum, one) => sum + one, 0) : this.batch.summary.timesteps;
  }

  /** Whether it is predicted as it truly is; undefined if that is not known. */
  get right() {
    return this.true < 0 ? undefined : this.true === this.predicted;
  }

  /** The largest finite magnitude of a method. @param {number} method */
  largest(method) {
    if (this.#largest[method] !== undefined) return this.#largest[method];
    let largest = 0;
    for (let channel = 0; channel < Math.max(1, this.batch.summary.channels.length); channel++) {
      for (const value of this.values(method, channel)) {
        if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
      }
    }
    this.#largest[method] = largest;
    return largest;
  }

  /** The last timestep that is no padding. */
  get last() {
    const last = this.mask ? this.mask.lastIndexOf(1) : -1;
    return last < 0 ? this.batch.summary.timesteps - 1 : last;
  }

  /** The tokens that are no padding, by their timesteps. @returns {[number, string][]} */
  get tokens() {
    const { summary } = this.batch;
    const all = /** @type {[number, string][]} */ ([]);
    if (!summary.tokens) return all;
    for (let t = 0; t < summary.timesteps; t++) {
      if (!this.padding(t)) all.push([t, this.token(t) ?? ""]);
    }
    return all;
  }

  /** What the tokens add to the text, as it is searched. */
  get #pieces() {
    const tokens = this.tokens.map(([, token]) => token);
    const pieces = this.spelling.pieces(tokens);
    return pieces.map(({ before, text }) => ({ before, text: text.toLowerCase() }));
  }

  /** The text, as it is searched. */
  get searched() {
    this.#searched ??= this.#pieces.map(({ before, text }) => before + text).join("");
    return this.#searched;
  }

  /** The timesteps of the tokens that a text stands in. @param {string} search @returns {Set<number>} */
  hits(search) {
    const found = new Set();
    const wanted = search.toLowerCase();
    if (wanted === "" || !this.searched.includes(wanted)) return found;
    const pieces = this.#pieces;
    /** Where each token begins and ends in the text. @type {[number, number, number][]} */
    const places = [];
    let at = 0;
    for (const [i, [t]] of this.tokens.entries()) {
      at += pieces[i].before.length;
      places.push([t, at, at + pieces[i].text.length]);
      at += pieces[i].text.length;
    }
    for (let hit = this.searched.indexOf(wanted); hit >= 0; ) {
      for (const [t, start, end] of places) {
        if (start < hit + wanted.length && end > hit) found.add(t);
      }
      hit = this.searched.indexOf(wanted, hit + 1);
    }
    return found;
  }
}

/** @type {WeakMap<Summary, Clock>} */
const clocks = new WeakMap();
/** @type {WeakMap<Summary, Times>} */
const shared = new WeakMap();

/** How times are told. @param {Summary} summary */
function clockOf(summary) {
  const clock = clocks.get(summary) ?? new Clock(summary.times ?? { kind: "timestep" });
  clocks.set(summary, clock);
  return clock;
}

/** The times that all examples have; undefined if each has its own. @param {Summary} summary */
export function timesOf(summary) {
  const runs = summary.times?.runs;
  if (!runs) return undefined;
  const times = shared.get(summary) ?? new Times(clockOf(summary), runs[0]);
  shared.set(summary, times);
  return times;
}

/** Some examples as Python packs them, see `Examples.rows`. */
class Batch {
  /**
   * @param {Summary} summary
   * @param {number} count
   * @param {{table: string[], labels: string[] | null, doubtful?: number[][] | null, times?: number[]}} text
   * @param {any} packed
   */
  constructor(summary, count, { table, labels, doubtful, times = [] }, packed) {
    this.summary = summary;
    this.spelling = new Spelling(summary.spelling);
    this.count = count;
    this.table = table;
    this.labels = labels;
    this.doubtful = doubtful;
    // A copy: the bytes may stand at an odd address.
    const { buffer } = bytes(packed).slice();
    const steps = count * summary.timesteps;
    let at = 0;
    /** The packed times of each example, where they have times of their own. */
    this.packed = times.map((size) => {
      const part = new Uint8Array(buffer, at, size);
      at += size;
      return part;
    });
    /** @template T @param {new (b: ArrayBuffer, o: number, n: number) => T} Type @param {number} n */
    const next = (Type, n, size = 4) => {
      const part = new Type(buffer, at, n);
      at += n * size;
      return part;
    };
    const planes = summary.methods.length * Math.max(1, summary.channels.length);
    this.values = next(Float32Array, planes * steps);
    this.score = next(Float32Array, count);
    this.confidence = next(Float32Array, count);
    this.predicted = next(Int32Array, count);
    this.true = next(Int32Array, count);
    this.target = next(Int32Array, count);
    this.codes = summary.tokens ? next(Int32Array, steps) : undefined;
    this.mask = summary.masked ? next(Uint8Array, steps, 1) : undefined;
  }

  /** When the timesteps of an example are. @param {number} at where it stands here */
  times(at) {
    if (!this.summary.times) return undefined;
    return timesOf(this.summary) ?? unpacked(clockOf(this.summary), this.packed[at]);
  }
}

/** What the order of examples goes by: falling as a negative number. */
const KEYS = /** @type {Record<string, (row: Row) => number>} */ ({
  most_confident: (row) => -row.confidence,
  least_confident: (row) => row.confidence,
  highest_score: (row) => -row.score,
  lowest_score: (row) => row.score,
  longest: (row) => -row.length,
  shortest: (row) => row.length,
});

/**
 * Choose and sort examples; NaN is sorted to the end, equal ones stay in order.
 * @param {Row[]} rows all of them
 * @param {Question} question
 */
export function orderOf(rows, { sort, predicted, outcome, search }) {
  const wanted = search.toLowerCase();
  const chosen = [];
  for (const [example, row] of rows.entries()) {
    if (predicted !== null && row.predicted !== predicted) continue;
    if (outcome !== "all" && row.right !== (outcome === "right")) continue;
    if (wanted === "" || row.searched.includes(wanted)) chosen.push(example);
  }
  const key = KEYS[sort];
  if (key) {
    const keys = Float64Array.from(rows, key);
    const place = (/** @type {number} */ a, /** @type {number} */ b) =>
      Number(Number.isNaN(keys[a])) - Number(Number.isNaN(keys[b])) ||
      (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : a - b);
    chosen.sort(place);
  }
  return Uint32Array.from(chosen);
}

/** All of it is in the page. */
export class WholeExamples {
  #asked = new Memo();
  #order = new Uint32Array(0);

  /** @param {import("../host/model.js").Model} model */
  constructor(model) {
    /** @type {Summary} */
    this.summary = model.get("_summary");
    const { examples } = this.summary;
    const batch = new Batch(this.summary, examples, model.get("_text"), model.get("_whole"));
    this.rows = Array.from({ length: examples }, (_, at) => new Row(batch, at));
  }

  /**
   * One example; undefined if it is on its way.
   * @param {number} example
   * @returns {Row | undefined}
   */
  row(example) {
    return this.rows[example];
  }

  /**
   * The numbers of the examples that are wanted; undefined if they are on their way.
   * @param {Question} question
   * @returns {Uint32Array | undefined}
   */
  order(question) {
    if (this.#asked.changed([JSON.stringify(question)])) {
      this.#order = orderOf(this.rows, question);
    }
    return this.#order;
  }

  /** Ask for what was missing since the last time. Nothing can be. */
  request() {}

  dispose() {}

  /** What to tell a person about the kernel. */
  get notice() {
    return "";
  }
}

/** What is in view comes from the kernel, and is kept for a while. */
export class KernelExamples {
  /** @type {Recent<number, Row>} */
  #rows = new Recent(KEPT_ROWS);
  /** @type {Recent<string, Uint32Array>} */
  #orders = new Recent(KEPT_ORDERS);
  /** @type {Set<number>} */
  #missing = new Set();
  /** @type {Question | undefined} */
  #asked;

  /**
   * @param {import("../host/model.js").Model} model
   * @param {() => void} onArrival
   */
  constructor(model, onArrival) {
    /** @type {Summary} */
    this.summary = model.get("_summary");
    this.calls = new Calls(model, (reply, buffers) => this.#keep(reply, buffers), onArrival);
  }

  /** @param {number} example @returns {Row | undefined} */
  row(example) {
    const row = this.#rows.get(example);
    if (!row) this.#missing.add(example);
    return row;
  }

  /** @param {Question} question @returns {Uint32Array | undefined} */
  order(question) {
    const { sort, predicted, outcome, search } = question;
    if (sort === "index" && predicted === null && outcome === "all" && search === "") {
      const all =
        this.#orders.get("all") ?? Uint32Array.from({ length: this.summary.examples }, (_, i) => i);
      this.#orders.set("all", all);
      return all;
    }
    const found = this.#orders.get(JSON.stringify(question));
    if (!found) this.#asked = question;
    return found;
  }

  request() {
    const { methods, channels, timesteps } = this.summary;
    const each = 4 * timesteps * (methods.length * Math.max(1, channels.length) + 1);
    const most = Math.max(1, Math.floor(REPLY_BYTES / each));
    const rows = [...this.#missing].slice(0, most);
    const order = this.#asked ?? null;
    this.#missing.clear();
    this.#asked = undefined;
    this.calls.ask(rows.length || order ? { order, rows } : undefined);
  }

  /**
   * @param {any} reply
   * @param {any[]} buffers
   */
  #keep({ order, rows, ...text }, buffers) {
    let next = 0;
    if (order) {
      const found = new Uint32Array(bytes(buffers[next++]).slice().buffer);
      this.#orders.set(JSON.stringify(order), found);
    }
    if (rows.length === 0) return;
    const batch = new Batch(this.summary, rows.length, text, buffers[next++]);
    rows.forEach((/** @type {number} */ example, /** @type {number} */ at) => {
      this.#rows.set(example, new Row(batch, at));
    });
  }

  dispose() {
    this.calls.dispose();
  }

  get notice() {
    return this.calls.notice;
  }
}
